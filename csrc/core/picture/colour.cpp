#include "core/picture/colour.hpp"

#include <algorithm>

namespace mediacore::picture::colour {
namespace {

struct Luma {
  double red;
  double blue;
};

constexpr Luma luma_of(Matrix matrix) noexcept {
  return matrix == Matrix::bt601 ? Luma{0.299, 0.114} : Luma{0.2126, 0.0722};
}

constexpr std::int16_t rounded(double value) noexcept {
  return static_cast<std::int16_t>(value < 0 ? value - 0.5 : value + 0.5);
}

constexpr int kLumaSum = 220;            // 219 / 255 * 256
constexpr double kChromaUnit = 1 << 14;  // of the mean: 2^16 of the sum of four

std::uint8_t luma(const std::uint8_t* pixel, const Weights& weights) noexcept {
  int sum = 16 * 256 + 128;
  for (std::size_t i = 0; i < 3; ++i) sum += weights.luma[i] * pixel[i];
  return static_cast<std::uint8_t>(sum >> 8);
}

template <std::size_t kPixel>
void convert(const RowPair& pair, const Weights& weights) {
  for (std::size_t x = 0; x < pair.width; x += 2) {
    const std::size_t last = std::min(x + 1, pair.width - 1);
    const std::uint8_t* const a = pair.first + x * kPixel;
    const std::uint8_t* const b = pair.first + last * kPixel;
    const std::uint8_t* const c = pair.second + x * kPixel;
    const std::uint8_t* const d = pair.second + last * kPixel;
    pair.y_first[x] = luma(a, weights);
    pair.y_first[last] = luma(b, weights);
    pair.y_second[x] = luma(c, weights);
    pair.y_second[last] = luma(d, weights);
    int u = (128 << 16) + (1 << 15);
    int v = u;
    for (std::size_t i = 0; i < 3; ++i) {
      const int sum = a[i] + b[i] + c[i] + d[i];
      u += weights.u[i] * sum;
      v += weights.v[i] * sum;
    }
    pair.u[x / 2] = static_cast<std::uint8_t>(u >> 16);
    pair.v[x / 2] = static_cast<std::uint8_t>(v >> 16);
  }
}

bool has_avx2() noexcept {
#if defined(__x86_64__)
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
#else
  return false;
#endif
}

}  // namespace

Weights weights(Matrix matrix, ByteOrder order) noexcept {
  const Luma k = luma_of(matrix);
  const double to_u = 112.0 / 255 / (1 - k.blue) * kChromaUnit;
  const double to_v = 112.0 / 255 / (1 - k.red) * kChromaUnit;
  const std::size_t red = order == ByteOrder::bgrx ? 2 : 0;
  const std::size_t green = 1;
  const std::size_t blue = 2 - red;
  Weights of;
  of.luma[red] = rounded(k.red * 256 * 219 / 255);
  of.luma[blue] = rounded(k.blue * 256 * 219 / 255);
  of.luma[green] = static_cast<std::int16_t>(kLumaSum - of.luma[red] - of.luma[blue]);
  of.u[red] = rounded(-k.red * to_u);
  of.u[blue] = rounded((1 - k.blue) * to_u);
  of.u[green] = static_cast<std::int16_t>(-of.u[red] - of.u[blue]);
  of.v[red] = rounded((1 - k.red) * to_v);
  of.v[blue] = rounded(-k.blue * to_v);
  of.v[green] = static_cast<std::int16_t>(-of.v[red] - of.v[blue]);
  return of;
}

Function scalar(std::size_t pixel_bytes) noexcept {
  return pixel_bytes == 3 ? convert<3> : convert<4>;
}

Function fastest(std::size_t pixel_bytes) noexcept {
#if defined(__x86_64__)
  if (has_avx2()) return avx2(pixel_bytes);
#endif
  return scalar(pixel_bytes);
}

}  // namespace mediacore::picture::colour
