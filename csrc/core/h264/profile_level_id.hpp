// profile-level-id of SDP (RFC 6184 section 8.1): which profile and level three bytes name, compared as libwebrtc does.
//
// What it guarantees: profiles are recognised by pattern, first match wins (42c0.. and 42e0.. are both Constrained
//   Baseline); a string that names no profile or level that WebRTC knows gives nothing. Pure functions of constants.
// What it does not: say what an absent parameter means. That is Baseline, level 1, by the RFC, and Constrained Baseline,
//   level 3.1, in libwebrtc.
// Source of the limits: H.264 table A-1.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace mediacore::h264 {

enum class Profile : std::uint8_t { constrained_baseline, baseline, main, constrained_high, high, predictive_high_444 };

// In rising order; 1b lies between 1 and 1.1.
enum class Level : std::uint8_t {
  l1,
  l1b,
  l1_1,
  l1_2,
  l1_3,
  l2,
  l2_1,
  l2_2,
  l3,
  l3_1,
  l3_2,
  l4,
  l4_1,
  l4_2,
  l5,
  l5_1,
  l5_2
};

struct LevelLimits {
  Level level;
  std::uint8_t level_idc;                    // 11 for 1b too, which constraint_set3 tells from 1.1
  std::uint32_t max_macroblocks_per_second;  // MaxMBPS
  std::uint32_t max_macroblocks;             // MaxFS
};

struct ProfileLevelId {
  Profile profile = Profile::constrained_baseline;
  Level level = Level::l3_1;

  bool operator==(const ProfileLevelId&) const = default;
};

using ProfileLevelText = std::array<char, 6>;

// All levels, in rising order.
std::span<const LevelLimits> level_limits() noexcept;

// Six hexadecimal digits, in either case.
std::optional<ProfileLevelId> parse_profile_level_id(std::string_view text) noexcept;

// The canonical six digits, in lower case; none for level 1b of a profile that has no way to say it.
std::optional<ProfileLevelText> profile_level_text(ProfileLevelId id) noexcept;

// The highest level whose pictures a decoder of so many pixels per picture and pictures per second takes in any case.
std::optional<Level> guaranteed_level(std::uint64_t max_pixels, double max_fps) noexcept;

// The lowest level that a stream of this size and rate fits into; none if it is too large for all.
std::optional<Level> required_level(std::uint32_t width, std::uint32_t height, double fps) noexcept;

// The level of an answer: ours where both sides allow asymmetry, else the lower one (RFC 6184 section 8.2.2).
Level answered_level(Level ours, Level theirs, bool both_allow_asymmetry) noexcept;

}  // namespace mediacore::h264
