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

bool has_avx2() noexcept {
#if defined(__x86_64__)
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
#else
  return false;
#endif
}

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
  if (has_avx2()) return avx2(pixel_bytes);
#endif
  return scalar(pixel_bytes);
}

namespace {

// How many of the rows from `y` on are Paeth rows; at most `most`.
std::size_t paeth_rows_from(const Block& block, std::size_t y, std::size_t most) noexcept {
  std::size_t count = 0;
  while (count < most && y + count < block.rows && block.residuals[(y + count) * (block.bytes + 1)] == paeth) ++count;
  return count;
}

}  // namespace

void run(const Kernels& kernels, const Block& block, PlacedRow* placed) noexcept {
  const std::uint8_t* above = block.above;
  for (std::size_t y = 0; y < block.rows;) {
    const std::uint8_t* const row = block.residuals + y * (block.bytes + 1);
    const std::uint8_t* const residuals = row + 1;
    std::uint8_t* const pixels = block.pixels + y * block.pixels_stride;
    std::size_t rows = 1;
    bool repeats = false;
    switch (row[0]) {
      case sub: kernels.sub(residuals, above, pixels, block.bytes); break;
      case up:
        repeats = kernels.is_zero(residuals, block.bytes);
        if (!repeats) kernels.up(residuals, above, pixels, block.bytes);
        break;
      case average: kernels.average(residuals, above, pixels, block.bytes); break;
      case paeth: {
        const std::size_t run_rows = paeth_rows_from(block, y, 4);
        const Rows several{residuals, block.bytes + 1, above, pixels, block.pixels_stride, block.bytes};
        if (run_rows == 4 && kernels.four_paeth != nullptr) {
          kernels.four_paeth(several);
          rows = 4;
        } else if (run_rows >= 2 && kernels.two_paeth != nullptr) {
          kernels.two_paeth(several);
          rows = 2;
        } else {
          kernels.paeth(residuals, above, pixels, block.bytes);
        }
        break;
      }
      default: std::memcpy(pixels, residuals, block.bytes); break;
    }
    for (std::size_t i = 0; i < rows; ++i, ++y) {
      placed[y] = {repeats ? above : block.pixels + y * block.pixels_stride, repeats};
    }
    above = placed[y - 1].pixels;
  }
}

}  // namespace mediacore::picture::unfilter
