// Every instruction set against the scalar kernels, bit for bit, and those against exact means of areas.
#include "core/picture/downscale.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "core/picture/limits.hpp"

namespace mediacore::picture {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes random_pixels(Size size, std::size_t pixel_bytes, unsigned seed) {
  std::minstd_rand random(seed);
  Bytes pixels(std::size_t{size.width} * size.height * pixel_bytes);
  std::generate(pixels.begin(), pixels.end(), [&] { return static_cast<std::uint8_t>(random() >> 8); });
  return pixels;
}

Bytes scaled(Downscale& downscale, const Bytes& pixels, Size from, Size to, std::size_t pixel_bytes) {
  downscale.begin(from, to, pixel_bytes);
  Bytes out;
  const std::size_t stride = from.width * pixel_bytes;
  for (std::size_t y = 0; y < from.height; ++y) {
    downscale.row(pixels.data() + y * stride,
                  [&](const std::uint8_t* row) { out.insert(out.end(), row, row + std::size_t{4} * to.width); });
  }
  EXPECT_EQ(out.size(), std::size_t{4} * to.width * to.height);
  return out;
}

// The part of [at, at + 1) that lies in [begin, end).
double covered(double at, double begin, double end) {
  return std::max(0.0, std::min(at + 1, end) - std::max(at, begin));
}

double exact_mean(const Bytes& pixels, Size from, Size to, std::size_t pixel_bytes, std::size_t x, std::size_t y,
                  std::size_t channel) {
  const double width = double(from.width) / to.width;
  const double height = double(from.height) / to.height;
  double sum = 0;
  for (std::size_t j = 0; j < from.height; ++j) {
    const double down = covered(double(j), double(y) * height, double(y + 1) * height);
    if (down <= 0) continue;
    for (std::size_t i = 0; i < from.width; ++i) {
      const double across = covered(double(i), double(x) * width, double(x + 1) * width);
      if (across > 0) sum += down * across * pixels[(j * from.width + i) * pixel_bytes + channel];
    }
  }
  return sum / width / height;
}

struct Ratio {
  Size from;
  Size to;
};
const std::vector<Ratio> kRatios{
    {{64, 48}, {64, 47}},  {{64, 48}, {63, 48}}, {{64, 48}, {32, 24}},     {{60, 45}, {20, 15}},
    {{45, 30}, {24, 16}},  {{37, 41}, {36, 40}}, {{130, 97}, {7, 5}},      {{1, 64}, {1, 1}},
    {{64, 1}, {1, 1}},     {{2, 2}, {1, 1}},     {{3, 3}, {2, 2}},         {{640, 640}, {10, 10}},
    {{19, 700}, {17, 11}}, {{513, 3}, {512, 2}}, {{301, 299}, {300, 298}}, {{131, 20}, {66, 19}},
    {{5, 5}, {5, 4}},      {{7, 1}, {6, 1}},     {{9, 9}, {1, 9}},
};

struct InstructionSet {
  std::string name;
  const scale::Kernels& (*kernels)() noexcept;
};

std::vector<InstructionSet> instruction_sets() {
  std::vector<InstructionSet> all{{"fastest", scale::fastest}};
#if defined(__x86_64__)
  if (scale::has_avx2()) all.push_back({"avx2", scale::avx2});
#endif
  return all;
}

class DownscaleTest : public ::testing::TestWithParam<InstructionSet> {};

TEST_P(DownscaleTest, GivesTheBytesOfTheScalarKernels) {
  Downscale plain(scale::scalar());
  Downscale fast(GetParam().kernels());
  for (const std::size_t pixel_bytes : {3U, 4U}) {
    for (const Ratio& ratio : kRatios) {
      const Bytes pixels = random_pixels(ratio.from, pixel_bytes, 1);
      ASSERT_EQ(scaled(fast, pixels, ratio.from, ratio.to, pixel_bytes),
                scaled(plain, pixels, ratio.from, ratio.to, pixel_bytes))
          << ratio.from.width << "x" << ratio.from.height << " to " << ratio.to.width << "x" << ratio.to.height;
    }
    for (std::uint32_t width = 1; width <= 130; ++width) {
      const Size from{width, 5};
      const Size to{std::max(1U, width * 8 / 15), 3};
      const Bytes pixels = random_pixels(from, pixel_bytes, width);
      ASSERT_EQ(scaled(fast, pixels, from, to, pixel_bytes), scaled(plain, pixels, from, to, pixel_bytes)) << width;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, DownscaleTest, ::testing::ValuesIn(instruction_sets()),
                         [](const auto& set) { return set.param.name; });

TEST(DownscaleExactnessTest, IsNearToTheMeanOfTheArea) {
  Downscale downscale(scale::scalar());
  for (const Ratio& ratio : kRatios) {
    const Bytes pixels = random_pixels(ratio.from, 3, 2);
    const Bytes out = scaled(downscale, pixels, ratio.from, ratio.to, 3);
    double worst = 0;
    for (std::size_t y = 0; y < ratio.to.height; y += 1 + ratio.to.height / 40) {
      for (std::size_t x = 0; x < ratio.to.width; x += 1 + ratio.to.width / 40) {
        for (std::size_t i = 0; i < 3; ++i) {
          const double exact = exact_mean(pixels, ratio.from, ratio.to, 3, x, y, i);
          worst = std::max(worst, std::abs(out[4 * (y * ratio.to.width + x) + i] - exact));
        }
      }
    }
    EXPECT_LT(worst, 2) << ratio.from.width << "x" << ratio.from.height << " to " << ratio.to.width << "x"
                        << ratio.to.height;
  }
}

TEST(DownscaleExactnessTest, KeepsFlatColours) {
  Downscale downscale;
  for (const std::uint8_t value : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{127}, std::uint8_t{255}}) {
    for (const Ratio& ratio : kRatios) {
      const Bytes pixels(std::size_t{4} * ratio.from.width * ratio.from.height, value);
      const Bytes out = scaled(downscale, pixels, ratio.from, ratio.to, 4);
      for (std::size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], i % 4 == 3 ? 255 : value);
    }
  }
}

TEST(DownscaleExactnessTest, ReachesTheLargestReduction) {
  Downscale downscale;
  const Size from{kMaxReduction * 3, kMaxReduction * 2};
  const Bytes pixels(std::size_t{4} * from.width * from.height, 9);
  for (const std::uint8_t byte : scaled(downscale, pixels, from, {3, 2}, 4)) EXPECT_TRUE(byte == 9 || byte == 255);
}

}  // namespace
}  // namespace mediacore::picture
