// Every instruction set against the scalar kernels, bit for bit, in memory that is guarded to the byte; and the scalar
// kernels against double precision.
#include "core/picture/colour.hpp"

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

constexpr std::size_t kMostWidth = 130;
constexpr ByteOrder kOrders[] = {ByteOrder::rgbx, ByteOrder::bgrx, ByteOrder::rgb};
constexpr Matrix kMatrices[] = {Matrix::bt601, Matrix::bt709};

struct InstructionSet {
  std::string name;
  colour::Function (*of)(std::size_t) noexcept;
};

std::vector<InstructionSet> instruction_sets() {
  std::vector<InstructionSet> all{{"scalar", colour::scalar}, {"fastest", colour::fastest}};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") != 0) all.push_back({"avx2", colour::avx2});
#endif
  return all;
}

// Two rows of pixels and what they become, each in guarded memory of its own.
class Picture {
 public:
  void fill(std::size_t width, ByteOrder order, unsigned seed, bool saturated, bool at_front) {
    width_ = width;
    pixel_ = bytes_of(order);
    std::minstd_rand random(seed);
    const std::size_t half_width = (width + 1) / 2;
    const std::array<std::size_t, 6> bytes{width * pixel_, width * pixel_, width, width, half_width, half_width};
    for (std::size_t i = 0; i < bytes.size(); ++i)
      places_[i] = at_front ? memory_[i].front() : memory_[i].back(bytes[i]);
    for (std::size_t i = 0; i < 2; ++i) {
      std::generate_n(places_[i], bytes[i], [&]() -> std::uint8_t {
        const auto value = static_cast<std::uint8_t>(random() >> 8);
        return saturated ? (value % 2 != 0 ? 255 : 0) : value;
      });
    }
  }

  colour::RowPair pair() const {
    return {places_[0], places_[1], places_[2], places_[3], places_[4], places_[5], width_};
  }

  std::vector<std::uint8_t> converted(colour::Function by, const colour::Weights& weights) const {
    const std::size_t half_width = (width_ + 1) / 2;
    for (std::size_t i = 2; i < 6; ++i) std::fill_n(places_[i], i < 4 ? width_ : half_width, std::uint8_t{0xCC});
    by(pair(), weights);
    std::vector<std::uint8_t> all;
    for (std::size_t i = 2; i < 6; ++i) all.insert(all.end(), places_[i], places_[i] + (i < 4 ? width_ : half_width));
    return all;
  }

  std::array<double, 3> rgb(std::size_t row, std::size_t x, ByteOrder order) const {
    const std::uint8_t* const pixel = places_[row] + x * pixel_;
    const std::size_t red = order == ByteOrder::bgrx ? 2 : 0;
    return {double(pixel[red]), double(pixel[1]), double(pixel[2 - red])};
  }

 private:
  std::size_t width_ = 0;
  std::size_t pixel_ = 4;
  std::array<Guarded, 6> memory_{Guarded(kMostWidth * 4), Guarded(kMostWidth * 4), Guarded(kMostWidth),
                                 Guarded(kMostWidth),     Guarded(kMostWidth),     Guarded(kMostWidth)};
  std::array<std::uint8_t*, 6> places_{};
};

class ColourTest : public ::testing::TestWithParam<InstructionSet> {};

TEST_P(ColourTest, GivesTheBytesOfTheScalarKernels) {
  Picture picture;
  for (const ByteOrder order : kOrders) {
    for (const Matrix matrix : kMatrices) {
      const colour::Weights weights = colour::weights(matrix, order);
      for (std::size_t width = 1; width <= kMostWidth; ++width) {
        for (unsigned seed = 1; seed <= 8; ++seed) {
          picture.fill(width, order, seed, seed % 4 == 0, seed % 2 == 0);
          ASSERT_EQ(picture.converted(GetParam().of(bytes_of(order)), weights),
                    picture.converted(colour::scalar(bytes_of(order)), weights))
              << "width " << width;
        }
      }
    }
  }
}

TEST_P(ColourTest, TakesOneRowForTwoAtTheEndOfAnOddHeight) {
  Picture picture;
  picture.fill(37, ByteOrder::rgbx, 3, false, true);
  colour::RowPair pair = picture.pair();
  pair.second = pair.first;
  pair.y_second = pair.y_first;
  const colour::Weights weights = colour::weights(Matrix::bt709, ByteOrder::rgbx);
  GetParam().of(4)(pair, weights);
  const std::vector<std::uint8_t> luma(pair.y_first, pair.y_first + 37);
  colour::scalar(4)(pair, weights);
  EXPECT_TRUE(std::equal(luma.begin(), luma.end(), pair.y_first));
}

// Largest distances of y, u, v from double precision over random and saturated pixels.
std::array<double, 3> largest_errors(colour::Function by, Matrix matrix, ByteOrder order) {
  const double red = matrix == Matrix::bt601 ? 0.299 : 0.2126;
  const double blue = matrix == Matrix::bt601 ? 0.114 : 0.0722;
  const auto luma = [&](const std::array<double, 3>& p) { return red * p[0] + (1 - red - blue) * p[1] + blue * p[2]; };
  const colour::Weights weights = colour::weights(matrix, order);
  Picture picture;
  std::array<double, 3> worst{};
  const auto compare = [&worst](std::size_t which, double got, double exact) {
    worst[which] = std::max(worst[which], std::abs(got - exact));
  };
  for (unsigned seed = 1; seed <= 40; ++seed) {
    for (const std::size_t width : {std::size_t{1}, std::size_t{31}, std::size_t{64}, kMostWidth}) {
      picture.fill(width, order, seed, seed % 2 == 0, true);
      picture.converted(by, weights);
      const colour::RowPair pair = picture.pair();
      for (std::size_t x = 0; x < width; ++x) {
        compare(0, pair.y_first[x], 16 + 219.0 / 255 * luma(picture.rgb(0, x, order)));
        compare(0, pair.y_second[x], 16 + 219.0 / 255 * luma(picture.rgb(1, x, order)));
        if (x % 2 != 0) continue;
        std::array<double, 3> mean{};
        for (const std::size_t row : {0U, 1U}) {
          for (const std::size_t column : {x, std::min(x + 1, width - 1)}) {
            for (std::size_t i = 0; i < 3; ++i) mean[i] += picture.rgb(row, column, order)[i] / 4;
          }
        }
        compare(1, pair.u[x / 2], 128 + 112.0 / 255 * (mean[2] - luma(mean)) / (1 - blue));
        compare(2, pair.v[x / 2], 128 + 112.0 / 255 * (mean[0] - luma(mean)) / (1 - red));
      }
    }
  }
  return worst;
}

TEST_P(ColourTest, IsNearToDoublePrecision) {
  for (const Matrix matrix : kMatrices) {
    for (const ByteOrder order : kOrders) {
      const auto worst = largest_errors(GetParam().of(bytes_of(order)), matrix, order);
      EXPECT_LT(worst[0], 1.0);
      EXPECT_LT(worst[1], 0.6);
      EXPECT_LT(worst[2], 0.6);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, ColourTest, ::testing::ValuesIn(instruction_sets()),
                         [](const auto& set) { return set.param.name; });

TEST(ColourWeightsTest, LeaveGreyWithoutColourAndWhiteAt235) {
  for (const Matrix matrix : kMatrices) {
    const colour::Weights weights = colour::weights(matrix, ByteOrder::rgbx);
    for (const int grey : {0, 1, 127, 254, 255}) {
      const auto value = static_cast<std::uint8_t>(grey);
      const std::array<std::uint8_t, 8> row{value, value, value, 0, value, value, value, 255};
      std::array<std::uint8_t, 2> y{};
      std::uint8_t u = 0;
      std::uint8_t v = 0;
      colour::scalar(4)({row.data(), row.data(), y.data(), y.data(), &u, &v, 2}, weights);
      EXPECT_EQ(u, 128);
      EXPECT_EQ(v, 128);
      EXPECT_NEAR(y[0], 16 + grey * 219.0 / 255, 0.51);
    }
  }
}

}  // namespace
}  // namespace mediacore::picture
