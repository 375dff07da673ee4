#include "core/picture/shot_framing.hpp"

#include <algorithm>
#include <cstring>

#include "core/picture/screencap.hpp"

namespace mediacore::picture {
namespace {

constexpr std::size_t kChunk = std::size_t{256} << 10;  // that is made room for, while a shot's size is not known
constexpr std::size_t kMostTold = 512;                  // of what is no picture

// Where a shot's picture begins.
struct Found {
  std::size_t at;
  WireForm form;
};

// Words may stand before it.
std::optional<Found> find(std::span<const std::uint8_t> shot) noexcept {
  if (const WireForm form = form_of(shot); form != WireForm::raw) return Found{0, form};
  if (screencap_rows(shot)) return Found{0, WireForm::raw};
  const std::size_t end = std::min(shot.size(), ShotFraming::kMostWords);
  std::optional<Found> of_another_size;
  for (std::size_t at = 1; at < end; ++at) {
    const auto rest = shot.subspan(at);
    if (const WireForm form = form_of(rest); form != WireForm::raw) return Found{at, form};
    const auto rows = screencap_rows(rest);
    if (!rows) continue;
    if (rest.size() == kShortScreencapHeader + *rows || rest.size() == kScreencapHeader + *rows) {
      return Found{at, WireForm::raw};
    }
    if (shot[at - 1] == '\n' && !of_another_size) of_another_size = Found{at, WireForm::raw};
  }
  return of_another_size;
}

// How long a shot is that begins so, if it is raw pixels, perhaps behind lines of words: a guess, which only says how much
// room there is to be.
std::optional<std::size_t> expected_bytes(std::span<const std::uint8_t> begin) noexcept {
  if (form_of(begin) != WireForm::raw) return std::nullopt;
  begin = begin.first(std::min(begin.size(), ShotFraming::kMostWords));
  for (std::size_t at = 0; at < begin.size();) {
    if (const auto rows = screencap_rows(begin.subspan(at))) return at + kScreencapHeader + *rows;
    const void* const line_end = std::memchr(begin.data() + at, '\n', begin.size() - at);
    if (line_end == nullptr) break;
    at = static_cast<std::size_t>(static_cast<const std::uint8_t*>(line_end) - begin.data()) + 1;
  }
  return std::nullopt;
}

}  // namespace

Framed identify(std::span<const std::uint8_t> shot) noexcept {
  Framed framed;
  if (const auto found = find(shot)) {
    framed.form = found->form;
    framed.data = shot.subspan(found->at);
    framed.skipped_bytes = found->at;
  } else {
    framed.fate = Framed::Fate::no_picture;
    framed.data = shot.first(std::min(shot.size(), kMostTold));
    framed.skipped_bytes = shot.size();
  }
  return framed;
}

ShotFraming::ShotFraming(std::string_view trailer, std::size_t most_bytes) : most_bytes_(most_bytes) {
  end_.append("\n").append(trailer).append("\n");
}

bool ShotFraming::has_begun() const noexcept {
  return is_discarding_ || (used_ > begin_ && identify(rest()).fate == Framed::Fate::picture);
}

std::span<std::uint8_t> ShotFraming::room() {
  drop_given();
  const std::size_t wanted = wanted_bytes();
  if (used_ + wanted > capacity_) grow(used_ + wanted);
  return {buffer_.get() + used_, wanted};
}

// Here and not in `next`: many shots may come at once, and what follows them is moved once.
void ShotFraming::drop_given() noexcept {
  if (begin_ == 0) return;
  used_ -= begin_;
  scanned_ -= begin_;
  std::memmove(buffer_.get(), buffer_.get() + begin_, used_);
  begin_ = 0;
}

// Raw pixels say how many they are: then not a byte more is asked for, and nothing is left to be moved.
std::size_t ShotFraming::wanted_bytes() noexcept {
  if (is_discarding_) return kChunk;
  if (const auto expected = expected_bytes({buffer_.get(), used_})) {
    const std::size_t whole = *expected + end_.size();
    if (whole > used_ && whole <= most_bytes_) return whole - used_;
  }
  return std::max(kChunk, capacity_ - used_);
}

void ShotFraming::grow(std::size_t bytes) {
  const std::size_t capacity = std::max(bytes, std::min(2 * capacity_, most_bytes_));
  auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(capacity);  // NOLINT(*-avoid-c-arrays)
  if (used_ != 0) std::memcpy(larger.get(), buffer_.get(), used_);
  buffer_ = std::move(larger);
  capacity_ = capacity;
}

std::optional<Framed> ShotFraming::next() {
  if (used_ == begin_) return std::nullopt;
  const void* const at = memmem(buffer_.get() + scanned_, used_ - scanned_, end_.data(), end_.size());
  if (at == nullptr) {
    scanned_ = used_ - std::min(used_ - begin_, end_.size() - 1);
    // Not `used_`: an end that has begun to come does not count, so that it does not matter how the bytes are cut.
    if (is_discarding_ || scanned_ - begin_ > most_bytes_) {
      // Only what may be the beginning of the end is kept.
      is_discarding_ = true;
      discarded_ += scanned_ - begin_;
      begin_ = scanned_;
    }
    return std::nullopt;
  }
  const auto end = static_cast<std::size_t>(static_cast<const std::uint8_t*>(at) - buffer_.get());
  const auto shot = rest().first(end - begin_);
  Framed framed;
  if (is_discarding_ || shot.size() > most_bytes_) {
    framed.fate = Framed::Fate::oversize;
  } else {
    framed = identify(shot);
  }
  framed.wire_bytes = discarded_ + shot.size() + end_.size();
  begin_ = end + end_.size();
  scanned_ = begin_;
  is_discarding_ = false;
  discarded_ = 0;
  return framed;
}

}  // namespace mediacore::picture
