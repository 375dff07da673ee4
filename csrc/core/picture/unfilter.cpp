#include "core/picture/unfilter.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

namespace mediacore::picture::unfilter {
namespace {

std::uint8_t predict_paeth(int a, int b, int c) noexcept {
  const int to_a = std::abs(b - c);
  const int to_b = std::abs(a - c);
  const int to_c = std::abs(a + b - 2 * c);
  if (to_a <= to_b && to_a <= to_c) return static_cast<std::uint8_t>(a);
  return static_cast<std::uint8_t>(to_b <= to_c ? b : c);
}

void up_row(const std::uint8_t* residuals, const std::uint8_t* above, std::uint8_t* pixels, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) pixels[i] = static_cast<std::uint8_t>(residuals[i] + above[i]);
}

// `predict(a, b, c)` of the pixels to the left, above, and above to the left.
template <std::size_t kPixel, class Predict>
void predicted_row(const std::uint8_t* residuals, const std::uint8_t* above, std::uint8_t* pixels, std::size_t bytes,
                   Predict predict) {
  for (std::size_t i = 0; i < kPixel; ++i) {
    pixels[i] = static_cast<std::uint8_t>(residuals[i] + predict(0, above[i], 0));
  }
  for (std::size_t i = kPixel; i < bytes; ++i) {
    pixels[i] = static_cast<std::uint8_t>(residuals[i] + predict(pixels[i - kPixel], above[i], above[i - kPixel]));
  }
}

template <std::size_t kPixel>
void sub_row(const std::uint8_t* residuals, const std::uint8_t* above, std::uint8_t* pixels, std::size_t bytes) {
  predicted_row<kPixel>(residuals, above, pixels, bytes, [](int a, int, int) { return a; });
}

template <std::size_t kPixel>
void average_row(const std::uint8_t* residuals, const std::uint8_t* above, std::uint8_t* pixels, std::size_t bytes) {
  predicted_row<kPixel>(residuals, above, pixels, bytes, [](int a, int b, int) { return (a + b) / 2; });
}

template <std::size_t kPixel>
void paeth_row(const std::uint8_t* residuals, const std::uint8_t* above, std::uint8_t* pixels, std::size_t bytes) {
  predicted_row<kPixel>(residuals, above, pixels, bytes, predict_paeth);
}

bool is_zero(const std::uint8_t* residuals, std::size_t bytes) {
  return std::all_of(residuals, residuals + bytes, [](std::uint8_t byte) { return byte == 0; });
}

template <std::size_t kPixel>
constexpr Kernels kScalar{sub_row<kPixel>, up_row, average_row<kPixel>, paeth_row<kPixel>, nullptr, nullptr, is_zero};

}  // namespace

const Kernels& scalar(std::size_t pixel_bytes) noexcept {
  switch (pixel_bytes) {
    case 1: return kScalar<1>;
    case 2: return kScalar<2>;
    case 3: return kScalar<3>;
    case 4: return kScalar<4>;
    case 6: return kScalar<6>;
    default: return kScalar<8>;
  }
}

const Kernels& fastest(std::size_t pixel_bytes) noexcept {
#if defined(__x86_64__)
  if (has_avx512()) return avx512(pixel_bytes);
  if (has_avx2()) return avx2(pixel_bytes);
#endif
  return scalar(pixel_bytes);
}

namespace {

// How many of the rows are Paeth rows, at the head of them; at most `most`.
std::size_t paeth_rows(const Head& head, std::size_t most) noexcept {
  std::size_t count = 0;
  while (count < std::min(most, head.rows) && head.residuals[count * (head.bytes + 1)] == paeth) ++count;
  return count;
}

// The third row begins three pixels behind the first, which for a picture of one column would be before the first row.
constexpr std::size_t kLeastForFour = 8;

std::size_t undo_paeth(const Kernels& kernels, const Head& head) noexcept {
  const Rows rows{head.residuals + 1, head.bytes + 1, head.above, head.pixels, head.pixels_stride, head.bytes};
  const std::size_t count = paeth_rows(head, kMostAtOnce);
  if (count == 4 && kernels.four_paeth != nullptr && head.bytes >= kLeastForFour) {
    kernels.four_paeth(rows);
    return 4;
  }
  if (count >= 2 && kernels.two_paeth != nullptr) {
    kernels.two_paeth(rows);
    return 2;
  }
  kernels.paeth(rows.residuals, head.above, head.pixels, head.bytes);
  return 1;
}

}  // namespace

Undone undo(const Kernels& kernels, const Head& head) noexcept {
  const std::uint8_t* const residuals = head.residuals + 1;
  switch (head.residuals[0]) {
    case sub: kernels.sub(residuals, head.above, head.pixels, head.bytes); break;
    case up:
      if (kernels.is_zero(residuals, head.bytes)) return {1, true};
      kernels.up(residuals, head.above, head.pixels, head.bytes);
      break;
    case average: kernels.average(residuals, head.above, head.pixels, head.bytes); break;
    case paeth: return {undo_paeth(kernels, head), false};
    default: std::memcpy(head.pixels, residuals, head.bytes); break;
  }
  return {1, false};
}

}  // namespace mediacore::picture::unfilter
