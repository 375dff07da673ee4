// Raw pixels to I420: the formats that Android's screencap writes, and those that others hold in memory.
//
// Guarantees: sizes and strides are checked before a byte is read, and no byte outside of the rows is. Formats whose
//   bytes are 8-bit colours go straight to the kernels of colour.hpp; RGB565 (by libyuv) and RGBA1010102 are widened
//   some rows at a time. 10 bits become 8 by leaving out the low ones. Alpha is ignored.
// Memory: a few rows, kept for the next picture. Threads: one owner.
// Spec: Android's system/graphics.h for the formats (in memory order, RGB_565 and RGBA_1010102 as little-endian words).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/picture/downscale.hpp"
#include "core/picture/i420.hpp"
#include "core/picture/picture_error.hpp"
#include "core/picture/scratch.hpp"

namespace mediacore::picture {

enum class PixelFormat : std::uint8_t { rgba8888, rgbx8888, rgb888, rgb565, bgra8888, rgba1010102 };

constexpr std::size_t bytes_of(PixelFormat format) noexcept {
  switch (format) {
    case PixelFormat::rgb888: return 3;
    case PixelFormat::rgb565: return 2;
    case PixelFormat::rgba8888:
    case PixelFormat::rgbx8888:
    case PixelFormat::bgra8888:
    case PixelFormat::rgba1010102: return 4;
  }
  return 4;
}

struct RawPicture {
  std::span<const std::uint8_t> rows;  // from the top; the last one may end without the stride's padding
  Size size;
  std::size_t stride;  // bytes from one row to the next
  PixelFormat format;
};

// What is wrong with a size: 0, or above limits.hpp. Offsets are 0: sizes come from elsewhere than the rows.
std::optional<Error> check_size(Size size) noexcept;

// Also whether the rows hold just what size and stride want.
std::optional<Error> check(const RawPicture& picture) noexcept;

class RawConverter {
 public:
  // `picture` is one that `check` finds nothing in; `planes.size` is its size, or smaller within kMaxReduction.
  void convert(const RawPicture& picture, Matrix matrix, const I420Planes& planes);

 private:
  void convert_widened(const RawPicture& picture, Matrix matrix, const I420Planes& planes);

  Downscale downscale_;
  Scratch widened_;
};

}  // namespace mediacore::picture
