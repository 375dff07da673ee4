#include "core/h264/profile_level_id.hpp"

#include <algorithm>

namespace mediacore::h264 {
namespace {

constexpr std::uint64_t kMacroblockPixels = 256;
constexpr std::uint8_t kConstraintSet3 = 0x10;
constexpr std::uint8_t kLevelIdc11 = 11;

constexpr std::array<LevelLimits, 17> kLevels{{
    {Level::l1, 10, 1'485, 99},
    {Level::l1b, 11, 1'485, 99},
    {Level::l1_1, 11, 3'000, 396},
    {Level::l1_2, 12, 6'000, 396},
    {Level::l1_3, 13, 11'880, 396},
    {Level::l2, 20, 11'880, 396},
    {Level::l2_1, 21, 19'800, 792},
    {Level::l2_2, 22, 20'250, 1'620},
    {Level::l3, 30, 40'500, 1'620},
    {Level::l3_1, 31, 108'000, 3'600},
    {Level::l3_2, 32, 216'000, 5'120},
    {Level::l4, 40, 245'760, 8'192},
    {Level::l4_1, 41, 245'760, 8'192},
    {Level::l4_2, 42, 522'240, 8'704},
    {Level::l5, 50, 589'824, 22'080},
    {Level::l5_1, 51, 983'040, 36'864},
    {Level::l5_2, 52, 2'073'600, 36'864},
}};

// profile_idc, which bits of the constraint flags count, what they are, the profile (RFC 6184 table 5).
struct Pattern {
  std::uint8_t profile_idc;
  std::uint8_t mask;
  std::uint8_t value;
  Profile profile;
};

constexpr std::array<Pattern, 9> kPatterns{{
    {0x42, 0x4f, 0x40, Profile::constrained_baseline},
    {0x4d, 0x8f, 0x80, Profile::constrained_baseline},
    {0x58, 0xcf, 0xc0, Profile::constrained_baseline},
    {0x42, 0x4f, 0x00, Profile::baseline},
    {0x58, 0xcf, 0x80, Profile::baseline},
    {0x4d, 0xaf, 0x00, Profile::main},
    {0x64, 0xff, 0x00, Profile::high},
    {0x64, 0xff, 0x0c, Profile::constrained_high},
    {0xf4, 0xff, 0x00, Profile::predictive_high_444},
}};

// How each profile is written, by its number; `level_1b` is 0 where 1b cannot be said.
struct Written {
  std::uint8_t profile_idc;
  std::uint8_t flags;
  std::uint8_t level_1b;
};

constexpr std::array<Written, 6> kWritten{
    {{0x42, 0xe0, 0xf0}, {0x42, 0x00, 0x10}, {0x4d, 0x00, 0x10}, {0x64, 0x0c, 0}, {0x64, 0x00, 0}, {0xf4, 0x00, 0}}};

std::optional<std::uint8_t> hex_byte(std::string_view digits) noexcept {
  unsigned value = 0;
  for (const char digit : digits) {
    value <<= 4;
    if (digit >= '0' && digit <= '9') {
      value += static_cast<unsigned>(digit - '0');
    } else if (digit >= 'a' && digit <= 'f') {
      value += static_cast<unsigned>(digit - 'a') + 10;
    } else if (digit >= 'A' && digit <= 'F') {
      value += static_cast<unsigned>(digit - 'A') + 10;
    } else {
      return std::nullopt;
    }
  }
  return static_cast<std::uint8_t>(value);
}

std::optional<Level> level_of(std::uint8_t profile_idc, std::uint8_t flags, std::uint8_t level_idc) noexcept {
  if (level_idc == kLevelIdc11) {
    const bool has_1b = profile_idc == 0x42 || profile_idc == 0x4d || profile_idc == 0x58;
    return has_1b && (flags & kConstraintSet3) != 0 ? Level::l1b : Level::l1_1;
  }
  const auto* const found =
      std::find_if(kLevels.begin(), kLevels.end(), [&](const LevelLimits& row) { return row.level_idc == level_idc; });
  return found == kLevels.end() ? std::nullopt : std::optional(found->level);
}

}  // namespace

std::span<const LevelLimits> level_limits() noexcept {
  return kLevels;
}

std::optional<ProfileLevelId> parse_profile_level_id(std::string_view text) noexcept {
  if (text.size() != 6) return std::nullopt;
  const auto profile_idc = hex_byte(text.substr(0, 2));
  const auto flags = hex_byte(text.substr(2, 2));
  const auto level_idc = hex_byte(text.substr(4, 2));
  if (!profile_idc || !flags || !level_idc) return std::nullopt;
  const auto level = level_of(*profile_idc, *flags, *level_idc);
  if (!level) return std::nullopt;
  for (const Pattern& pattern : kPatterns) {
    if (pattern.profile_idc == *profile_idc && (*flags & pattern.mask) == pattern.value) {
      return ProfileLevelId{pattern.profile, *level};
    }
  }
  return std::nullopt;
}

std::optional<ProfileLevelText> profile_level_text(ProfileLevelId id) noexcept {
  const Written& written = kWritten[static_cast<std::size_t>(id.profile)];
  std::uint8_t flags = written.flags;
  if (id.level == Level::l1b) {
    if (written.level_1b == 0) return std::nullopt;
    flags = written.level_1b;
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  const std::array<std::uint8_t, 3> bytes{written.profile_idc, flags,
                                          kLevels[static_cast<std::size_t>(id.level)].level_idc};
  ProfileLevelText text{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    text[2 * i] = kDigits[bytes[i] >> 4];
    text[2 * i + 1] = kDigits[bytes[i] & 0xf];
  }
  return text;
}

std::optional<Level> guaranteed_level(std::uint64_t max_pixels, double max_fps) noexcept {
  for (auto row = kLevels.rbegin(); row != kLevels.rend(); ++row) {
    const bool fits = row->max_macroblocks * kMacroblockPixels <= max_pixels &&
                      row->max_macroblocks_per_second <= max_fps * row->max_macroblocks;
    if (fits) return row->level;
  }
  return std::nullopt;
}

std::optional<Level> required_level(std::uint32_t width, std::uint32_t height, double fps) noexcept {
  const std::uint64_t columns = (std::uint64_t{width} + 15) / 16;
  const std::uint64_t rows = (std::uint64_t{height} + 15) / 16;
  for (const LevelLimits& row : kLevels) {
    // A side may be sqrt(8 * MaxFS) macroblocks long (A.3.1).
    const std::uint64_t longest = std::uint64_t{row.max_macroblocks} * 8;
    const bool fits = columns * rows <= row.max_macroblocks && columns * columns <= longest && rows * rows <= longest &&
                      static_cast<double>(columns * rows) * fps <= row.max_macroblocks_per_second;
    if (fits) return row.level;
  }
  return std::nullopt;
}

Level answered_level(Level ours, Level theirs, bool both_allow_asymmetry) noexcept {
  return both_allow_asymmetry ? ours : std::min(ours, theirs);
}

}  // namespace mediacore::h264
