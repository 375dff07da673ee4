// What `screenrecord --output-format=frames -` writes: pictures of R G B bytes, each behind a header of five words.
//
// Little-endian: bytes that follow the length itself, width, height, bytes of a row, pixel format (3: RGB_888).
// Guarantees: the same pictures however the bytes are cut. Not a byte of the next picture is asked for before this one is
//   whole, so pixels are never moved.
// Policy: nothing tells where a picture begins but the one before it, so a header that cannot be ends the stream.
// Memory: one buffer, as large as the largest picture so far. Threads: one owner.
// Spec: AOSP frameworks/av, cmds/screenrecord/FrameOutput.cpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/picture/framed_picture.hpp"
#include "core/picture/limits.hpp"
#include "core/picture/scratch.hpp"

namespace mediacore::picture {

class FrameStreamFraming {
 public:
  static constexpr std::size_t kHeader = 20;

  explicit FrameStreamFraming(std::size_t most_bytes = kMaxFileBytes) noexcept : most_bytes_(most_bytes) {}

  // Where the next bytes go; never empty, unless it is broken. What `next` gave is gone then. std::bad_alloc
  std::span<std::uint8_t> room();
  void took(std::size_t bytes) noexcept { used_ += bytes; }
  // To be called until there is none.
  std::optional<Framed> next() noexcept;

  bool is_fresh() const noexcept { return used_ == 0; }
  // A picture has begun, and is not whole.
  bool has_begun() const noexcept { return picture_.has_value(); }
  std::size_t pending_bytes() const noexcept { return used_; }
  // How it begins.
  std::span<const std::uint8_t> rest() const noexcept { return std::span(header_).first(std::min(used_, kHeader)); }
  bool is_broken() const noexcept { return is_broken_; }

 private:
  std::size_t most_bytes_;
  std::array<std::uint8_t, kHeader> header_{};
  std::optional<RawPicture> picture_;  // what the header tells of
  Scratch pixels_;
  std::span<std::uint8_t> wanted_;
  std::size_t used_ = 0;  // of the header and the pixels
  bool is_broken_ = false;
};

}  // namespace mediacore::picture
