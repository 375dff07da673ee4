#include "core/picture/yuv_matrix.hpp"

#include <algorithm>
#include <array>

namespace mediacore::picture::yuv_matrix {
namespace {

constexpr double kUnit = 1 << kShift;
constexpr std::int32_t kHalf = 1 << (kShift - 1);

// Red and blue in luma; green is the rest.
struct Luma {
  double red;
  double blue;

  constexpr double green() const noexcept { return 1 - red - blue; }
};

constexpr Luma luma_of(Matrix matrix) noexcept {
  return matrix == Matrix::bt601 ? Luma{0.299, 0.114} : Luma{0.2126, 0.0722};
}

constexpr std::int16_t rounded(double value) noexcept {
  return static_cast<std::int16_t>(value < 0 ? value - 0.5 : value + 0.5);
}

// What u or v adds to red, green and blue; luma adds 1 to each. u and v are -0.5 to 0.5.
using Rgb = std::array<double, 3>;

constexpr Rgb of_u(Luma k) noexcept {
  return {0, -2 * k.blue * (1 - k.blue) / k.green(), 2 * (1 - k.blue)};
}
constexpr Rgb of_v(Luma k) noexcept {
  return {2 * (1 - k.red), -2 * k.red * (1 - k.red) / k.green(), 0};
}
constexpr double luma(Luma k, const Rgb& rgb) noexcept {
  return k.red * rgb[0] + k.green() * rgb[1] + k.blue * rgb[2];
}

std::uint8_t cut(std::int32_t value) noexcept {
  return static_cast<std::uint8_t>(std::clamp(value >> kShift, 0, 255));
}

}  // namespace

Weights weights(Colours from, Matrix to) noexcept {
  const Luma is = luma_of(from.matrix);
  const Luma will_be = luma_of(to);
  const double chroma_levels = from.full_range ? 255 : 224;
  const double luma_scale = from.full_range ? 219.0 / 255 : 1;
  const double to_luma = 219 / chroma_levels * kUnit;
  const double to_chroma = 224 / chroma_levels * kUnit;
  const auto u_of = [&](const Rgb& rgb) { return (rgb[2] - luma(will_be, rgb)) / (2 * (1 - will_be.blue)); };
  const auto v_of = [&](const Rgb& rgb) { return (rgb[0] - luma(will_be, rgb)) / (2 * (1 - will_be.red)); };
  const Rgb u = of_u(is);
  const Rgb v = of_v(is);
  Weights of{};
  of.luma = rounded(luma_scale * kUnit);
  of.u_to_luma = rounded(luma(will_be, u) * to_luma);
  of.v_to_luma = rounded(luma(will_be, v) * to_luma);
  of.u_to_u = rounded(u_of(u) * to_chroma);
  of.v_to_u = rounded(u_of(v) * to_chroma);
  of.u_to_v = rounded(v_of(u) * to_chroma);
  of.v_to_v = rounded(v_of(v) * to_chroma);
  of.luma_bias = (16 << kShift) + kHalf - (from.full_range ? 0 : 16 * of.luma);
  return of;
}

void scalar(const RowPair& pair, const Weights& weights) {
  constexpr std::int32_t kChromaBias = (128 << kShift) + kHalf;
  for (std::size_t x = 0; x < pair.width; x += 2) {
    const std::int32_t u = pair.u[x / 2] - 128;
    const std::int32_t v = pair.v[x / 2] - 128;
    const std::int32_t colour = weights.u_to_luma * u + weights.v_to_luma * v + weights.luma_bias;
    const std::size_t last = std::min(x + 1, pair.width - 1);
    // Read before they are written: rows and columns may be the same ones.
    const std::array<std::uint8_t, 4> y{pair.y_first[x], pair.y_first[last], pair.y_second[x], pair.y_second[last]};
    pair.to_y_first[x] = cut(weights.luma * y[0] + colour);
    pair.to_y_first[last] = cut(weights.luma * y[1] + colour);
    pair.to_y_second[x] = cut(weights.luma * y[2] + colour);
    pair.to_y_second[last] = cut(weights.luma * y[3] + colour);
    pair.to_u[x / 2] = cut(weights.u_to_u * u + weights.v_to_u * v + kChromaBias);
    pair.to_v[x / 2] = cut(weights.u_to_v * u + weights.v_to_v * v + kChromaBias);
  }
}

Function fastest() noexcept {
#if defined(__x86_64__)
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  if (has_avx2) return avx2;
#endif
  return scalar;
}

}  // namespace mediacore::picture::yuv_matrix
