// Pictures that a device's shell writes one after the other, each followed by a line that it was told to write.
//
//   while read x; do screencap 2>/dev/null; echo; echo TRAILER; done
//
// A shot is what comes before "\n" TRAILER "\n". What it is shows in how it begins: PNG, gzip, JPEG, else the header of raw
// pixels. Words in front of that, up to kMostWords, are skipped: `exec:` merges stderr into stdout.
// Guarantees: the same shots however the bytes are cut. A shot that is damaged, cut short or none costs only itself: the
//   next one begins behind its trailer. The trailer is to be random, so that no picture has it.
// Policy: a shot of more than `most_bytes` is thrown away as it comes, and told as `oversize` when it ends.
// Cost: of many shots that come at once none is moved; what follows them is, once.
// Memory: one buffer, as large as the largest shot so far; of raw pixels it is made at once, when their header is there, and
//   they are never moved. Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/picture/framed_picture.hpp"
#include "core/picture/limits.hpp"

namespace mediacore::picture {

class ShotFraming {
 public:
  // Of a trailer, without line ends. Less could stand in a picture by chance.
  static constexpr std::size_t kLeastTrailer = 8;
  static constexpr std::size_t kMostTrailer = 256;
  // In front of a picture: some lines of a linker or of screencap.
  static constexpr std::size_t kMostWords = 4096;

  explicit ShotFraming(std::string_view trailer, std::size_t most_bytes = kMaxFileBytes);

  // Where the next bytes go; never empty. What `next` gave is gone then. std::bad_alloc
  std::span<std::uint8_t> room();
  // So many of them are there now.
  void took(std::size_t bytes) noexcept { used_ += bytes; }
  // To be called until there is none.
  std::optional<Framed> next();

  // No byte of the next shot has come.
  bool is_fresh() const noexcept { return used_ == begin_ && !is_discarding_; }
  // A picture has begun, and is not whole.
  bool has_begun() const noexcept;
  std::size_t pending_bytes() const noexcept { return discarded_ + used_ - begin_; }
  // What has come of the shot, if it is not thrown away.
  std::span<const std::uint8_t> rest() const noexcept { return {buffer_.get() + begin_, used_ - begin_}; }
  static constexpr bool is_broken() noexcept { return false; }

 private:
  void drop_given() noexcept;
  std::size_t wanted_bytes() noexcept;
  void grow(std::size_t bytes);

  std::string end_;
  std::size_t most_bytes_;
  std::unique_ptr<std::uint8_t[]> buffer_;  // NOLINT(*-avoid-c-arrays): a vector would write zeros first
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
  std::size_t begin_ = 0;      // of the shot that comes; before it are those that `next` gave
  std::size_t scanned_ = 0;    // no end begins before
  std::size_t discarded_ = 0;  // of a shot that is too large
  bool is_discarding_ = false;
};

// What a shot holds, by its first bytes.
Framed identify(std::span<const std::uint8_t> shot) noexcept;

}  // namespace mediacore::picture
