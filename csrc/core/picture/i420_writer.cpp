#include "core/picture/i420_writer.hpp"

#include <cstring>

namespace mediacore::picture {

I420Writer::I420Writer(Size size, ByteOrder order, Matrix matrix, const I420Planes& planes, Downscale& downscale)
    : planes_(planes), downscale_(size == planes.size ? nullptr : &downscale) {
  // Pixels of three bytes have four when they come out of the downscale.
  const ByteOrder taken = downscale_ != nullptr && order == ByteOrder::rgb ? ByteOrder::rgbx : order;
  convert_ = colour::fastest(bytes_of(taken));
  weights_ = colour::weights(matrix, taken);
  if (downscale_ != nullptr) downscale_->begin(size, planes.size, bytes_of(order));
}

void I420Writer::row(const std::uint8_t* pixels, bool repeats) {
  if (downscale_ == nullptr) {
    take(pixels, repeats);
    return;
  }
  downscale_->row(pixels, [this](const std::uint8_t* smaller) { take(smaller, false); });
}

void I420Writer::take(const std::uint8_t* pixels, bool repeats) {
  equal_rows_ = repeats ? equal_rows_ + 1 : 0;
  ++taken_;
  if (taken_ % 2 != 0) {
    waiting_ = pixels;
    // A picture of odd height ends with a row that stands for two.
    if (taken_ == planes_.size.height) pair(pixels, pixels, false);
    return;
  }
  // Both rows of this pair, and the second of the one before, are equal to the row before.
  pair(waiting_, pixels, equal_rows_ >= 3);
}

void I420Writer::pair(const std::uint8_t* first, const std::uint8_t* second, bool repeats) {
  const std::size_t at = (taken_ - 1) / 2;
  std::uint8_t* const y_first = planes_.y + 2 * at * planes_.luma_stride;
  std::uint8_t* const y_second = taken_ % 2 == 0 ? y_first + planes_.luma_stride : y_first;
  std::uint8_t* const u = planes_.u + at * planes_.chroma_stride;
  std::uint8_t* const v = planes_.v + at * planes_.chroma_stride;
  const std::size_t width = planes_.size.width;
  if (!repeats) {
    convert_({first, second, y_first, y_second, u, v, width}, weights_);
    return;
  }
  std::memcpy(y_first, y_first - planes_.luma_stride, width);
  std::memcpy(y_second, y_first, width);
  std::memcpy(u, u - planes_.chroma_stride, half(planes_.size.width));
  std::memcpy(v, v - planes_.chroma_stride, half(planes_.size.width));
}

}  // namespace mediacore::picture
