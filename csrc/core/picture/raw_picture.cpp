#include "core/picture/raw_picture.hpp"

#include <libyuv.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/picture/i420_writer.hpp"
#include "core/picture/limits.hpp"

namespace mediacore::picture {
namespace {

// That are widened at once: they stay in the first-level cache, and calls are few.
constexpr std::size_t kBlockRows = 4;
constexpr std::size_t kWideBytes = 4;

// A picture has left the near caches, or was never there. The hardware's own prefetching stops at each page; with this
// one a picture is converted in two thirds of the time, which is less than memcpy takes.
constexpr std::size_t kRowsAhead = 4;

void prefetch(const std::uint8_t* row, std::size_t bytes) noexcept {
  constexpr std::size_t kLine = 64;
  for (std::size_t i = 0; i < bytes; i += kLine) __builtin_prefetch(row + i, 0, 2);
}

bool is_widened(PixelFormat format) noexcept {
  return format == PixelFormat::rgb565 || format == PixelFormat::rgba1010102;
}

ByteOrder order_of(PixelFormat format) noexcept {
  if (format == PixelFormat::rgb888) return ByteOrder::rgb;
  // libyuv widens RGB565 to B G R A.
  if (format == PixelFormat::bgra8888 || format == PixelFormat::rgb565) return ByteOrder::bgrx;
  return ByteOrder::rgbx;
}

// The high 8 of 10 bits each, red lowest. Plain enough for the compiler to make vectors of it: six times libyuv's way.
void widen_1010102(const std::uint8_t* from, std::uint8_t* to, std::size_t width) noexcept {
  for (std::size_t x = 0; x < width; ++x) {
    std::uint32_t pixel = 0;
    std::memcpy(&pixel, from + x * sizeof pixel, sizeof pixel);
    if constexpr (std::endian::native == std::endian::big) pixel = __builtin_bswap32(pixel);
    std::uint32_t wide = ((pixel >> 2) & 0xFFU) | ((pixel >> 4) & 0xFF00U) | ((pixel >> 6) & 0xFF0000U);
    if constexpr (std::endian::native == std::endian::big) wide = __builtin_bswap32(wide);
    std::memcpy(to + x * sizeof wide, &wide, sizeof wide);
  }
}

}  // namespace

std::optional<Error> check_size(Size size) noexcept {
  if (size.width == 0 || size.height == 0) return Error{ErrorKind::header, 0, "the width or height is 0"};
  if (size.width > kMaxSide || size.height > kMaxSide || std::uint64_t{size.width} * size.height > kMaxPixels) {
    return Error{ErrorKind::too_large, 0, "the picture is larger than 16384 on a side, or than 64 Mi pixels"};
  }
  return std::nullopt;
}

std::optional<Error> check(const RawPicture& picture) noexcept {
  if (auto error = check_size(picture.size)) return error;
  const std::size_t row = picture.size.width * bytes_of(picture.format);
  if (picture.stride < row) return Error{ErrorKind::size_mismatch, 0, "the stride is less than a row of pixels"};
  // Divided, since a stride may be anything: products could overflow.
  const std::size_t rest = picture.size.height - 1;
  if (picture.rows.size() < row || (picture.rows.size() - row) / picture.stride < rest) {
    return Error{ErrorKind::truncated, picture.rows.size(), "there are fewer bytes than the picture's size wants"};
  }
  const std::size_t bytes = picture.stride * rest + row;
  if (picture.rows.size() > bytes + (picture.stride - row)) {
    return Error{ErrorKind::size_mismatch, bytes, "there are more bytes than the picture's size wants"};
  }
  return std::nullopt;
}

void RawConverter::convert(const RawPicture& picture, Matrix matrix, const I420Planes& planes) {
  if (is_widened(picture.format)) {
    convert_widened(picture, matrix, planes);
    return;
  }
  I420Writer writer(picture.size, order_of(picture.format), matrix, planes, downscale_);
  const std::size_t bytes = picture.size.width * bytes_of(picture.format);
  for (std::size_t y = 0; y < picture.size.height; ++y) {
    // Not stepped from row to row: the stride of a single row may be anything.
    const std::uint8_t* const row = picture.rows.data() + y * picture.stride;
    if (y + kRowsAhead < picture.size.height) prefetch(row + kRowsAhead * picture.stride, bytes);
    writer.row(row, false);
  }
}

void RawConverter::convert_widened(const RawPicture& picture, Matrix matrix, const I420Planes& planes) {
  I420Writer writer(picture.size, order_of(picture.format), matrix, planes, downscale_);
  const std::size_t wide_stride = picture.size.width * kWideBytes;
  std::uint8_t* const wide = widened_.take(kBlockRows * wide_stride).data();
  for (std::size_t y = 0; y < picture.size.height; y += kBlockRows) {
    const std::size_t rows = std::min<std::size_t>(kBlockRows, picture.size.height - y);
    for (std::size_t i = 0; i < rows; ++i) {
      const std::uint8_t* const from = picture.rows.data() + (y + i) * picture.stride;
      std::uint8_t* const to = wide + i * wide_stride;
      if (picture.format == PixelFormat::rgb565) {
        // A call for each row: a stride may be larger than its `int` takes.
        libyuv::RGB565ToARGB(from, 0, to, static_cast<int>(wide_stride), static_cast<int>(picture.size.width), 1);
      } else {
        widen_1010102(from, to, picture.size.width);
      }
      writer.row(to, false);
    }
  }
}

}  // namespace mediacore::picture
