// Every instruction set against the scalar kernel, bit for bit, in memory that is guarded to the byte, and in place; and
// the scalar kernel against double precision.
#include "core/picture/yuv_matrix.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "guarded.hpp"

namespace mediacore::picture {
namespace {

constexpr std::size_t kMostWidth = 70;
constexpr Matrix kMatrices[] = {Matrix::bt601, Matrix::bt709};

struct InstructionSet {
  std::string name;
  yuv_matrix::Function function;
};

std::vector<InstructionSet> instruction_sets() {
  std::vector<InstructionSet> all{{"scalar", yuv_matrix::scalar}, {"fastest", yuv_matrix::fastest()}};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") != 0) all.push_back({"avx2", yuv_matrix::avx2});
#endif
  return all;
}

// Two rows of luma and one of both chroma planes, each in guarded memory of its own.
class Rows {
 public:
  Rows(std::size_t width, unsigned seed, bool at_front) : width_(width) {
    std::minstd_rand random(seed);
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t bytes = bytes_of(i);
      places_[i] = at_front ? memory_[i].front() : memory_[i].back(bytes);
      std::generate_n(places_[i], bytes, [&] { return static_cast<std::uint8_t>(random() >> 8); });
    }
  }

  yuv_matrix::RowPair to(const Rows& other, bool is_last = false) const {
    const std::size_t second = is_last ? 0 : 1;
    return {places_[0],       places_[second],  places_[2], places_[3], other.places_[0], other.places_[second],
            other.places_[2], other.places_[3], width_};
  }

  std::vector<std::uint8_t> all() const {
    std::vector<std::uint8_t> all;
    for (std::size_t i = 0; i < 4; ++i) all.insert(all.end(), places_[i], places_[i] + bytes_of(i));
    return all;
  }

  std::array<double, 3> at(std::size_t x) const {
    return {double(places_[0][x]), double(places_[2][x / 2]), double(places_[3][x / 2])};
  }

 private:
  std::size_t bytes_of(std::size_t plane) const { return plane < 2 ? width_ : (width_ + 1) / 2; }

  std::size_t width_;
  std::array<Guarded, 4> memory_{Guarded(kMostWidth), Guarded(kMostWidth), Guarded(kMostWidth), Guarded(kMostWidth)};
  std::array<std::uint8_t*, 4> places_{};
};

class YuvMatrixTest : public ::testing::TestWithParam<InstructionSet> {};

TEST_P(YuvMatrixTest, GivesTheBytesOfTheScalarKernelAlsoInPlace) {
  for (const Matrix from : kMatrices) {
    for (const bool full_range : {false, true}) {
      const yuv_matrix::Weights weights = yuv_matrix::weights({from, full_range}, Matrix::bt709);
      for (std::size_t width = 1; width <= kMostWidth; ++width) {
        for (const bool is_last : {false, true}) {
          const auto seed = static_cast<unsigned>(width);
          const Rows picture(width, seed, true);
          const Rows expected(width, 7, false);
          const Rows got(width, 7, false);
          yuv_matrix::scalar(picture.to(expected, is_last), weights);
          GetParam().function(picture.to(got, is_last), weights);
          ASSERT_EQ(got.all(), expected.all()) << "width " << width;
          const Rows in_place(width, seed, false);
          GetParam().function(in_place.to(in_place, is_last), weights);
          if (is_last) continue;
          ASSERT_EQ(in_place.all(), expected.all()) << "width " << width;
        }
      }
    }
  }
}

// What double precision makes of a pixel.
std::array<double, 3> exactly(const std::array<double, 3>& yuv, Colours from, Matrix to) {
  const auto red_of = [](Matrix matrix) { return matrix == Matrix::bt601 ? 0.299 : 0.2126; };
  const auto blue_of = [](Matrix matrix) { return matrix == Matrix::bt601 ? 0.114 : 0.0722; };
  const double y = from.full_range ? yuv[0] / 255 : (yuv[0] - 16) / 219;
  const double u = (yuv[1] - 128) / (from.full_range ? 255 : 224);
  const double v = (yuv[2] - 128) / (from.full_range ? 255 : 224);
  const double red = y + 2 * (1 - red_of(from.matrix)) * v;
  const double blue = y + 2 * (1 - blue_of(from.matrix)) * u;
  const double green =
      (y - red_of(from.matrix) * red - blue_of(from.matrix) * blue) / (1 - red_of(from.matrix) - blue_of(from.matrix));
  const double luma = red_of(to) * red + blue_of(to) * blue + (1 - red_of(to) - blue_of(to)) * green;
  return {16 + 219 * luma, 128 + 224 * (blue - luma) / (2 * (1 - blue_of(to))),
          128 + 224 * (red - luma) / (2 * (1 - red_of(to)))};
}

TEST_P(YuvMatrixTest, IsNearToDoublePrecision) {
  for (const Matrix from : kMatrices) {
    for (const Matrix to : kMatrices) {
      for (const bool full_range : {false, true}) {
        const Colours colours{from, full_range};
        for (unsigned seed = 1; seed <= 20; ++seed) {
          const Rows picture(kMostWidth, seed, true);
          const Rows got(kMostWidth, 1, false);
          GetParam().function(picture.to(got), yuv_matrix::weights(colours, to));
          for (std::size_t x = 0; x < kMostWidth; ++x) {
            const auto exact = exactly(picture.at(x), colours, to);
            for (std::size_t i = 0; i < 3; ++i) {
              ASSERT_NEAR(got.at(x)[i], std::clamp(exact[i], 0.0, 255.0), 0.53) << "plane " << i;
            }
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, YuvMatrixTest, ::testing::ValuesIn(instruction_sets()),
                         [](const auto& set) { return set.param.name; });

TEST(YuvMatrixWeights, LeaveGreyAsItIs) {
  const yuv_matrix::Weights weights = yuv_matrix::weights({Matrix::bt601, false}, Matrix::bt709);
  for (int grey = 0; grey < 256; ++grey) {
    auto y = static_cast<std::uint8_t>(grey);
    std::uint8_t u = 128;
    std::uint8_t v = 128;
    yuv_matrix::scalar({&y, &y, &u, &v, &y, &y, &u, &v, 1}, weights);
    EXPECT_EQ(y, grey);
    EXPECT_EQ(u, 128);
    EXPECT_EQ(v, 128);
  }
}

}  // namespace
}  // namespace mediacore::picture
