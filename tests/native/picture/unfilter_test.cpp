// Every instruction set against the scalar kernels, bit for bit: every filter, size of pixels and width up to 130, with
// the rows at both ends of guarded memory; and the scalar kernels against the formulas of the specification.
#include "core/picture/unfilter.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "guarded.hpp"

namespace mediacore::picture::unfilter {
namespace {

constexpr std::size_t kMostWidth = 130;
constexpr std::size_t kPixelBytes[] = {1, 2, 3, 4, 6, 8};

enum class Residuals { random, zero, rare };

struct InstructionSet {
  std::string name;
  const Kernels& (*kernels)(std::size_t) noexcept;
};

std::vector<InstructionSet> instruction_sets() {
  std::vector<InstructionSet> all{{"fastest", fastest}};
#if defined(__x86_64__)
  if (has_avx2()) all.push_back({"avx2", avx2});
  if (has_avx512()) all.push_back({"avx512", avx512});
#endif
  return all;
}

class UnfilterTest : public ::testing::TestWithParam<InstructionSet> {
 protected:
  std::uint8_t byte() { return static_cast<std::uint8_t>(random_() >> 8); }

  void fill(std::uint8_t* to, std::size_t bytes, Residuals kind) {
    for (std::size_t i = 0; i < bytes; ++i) {
      const bool is_zero = kind == Residuals::zero || (kind == Residuals::rare && random_() % 40 != 0);
      to[i] = is_zero ? 0 : byte();
    }
  }

  std::minstd_rand random_{1};
};

// Rows of one block, by both, in guarded memory; the slack is all that may be touched besides.
struct Blocks {
  explicit Blocks(std::size_t most_rows)
      : residuals(most_rows * (kMostWidth * 8 + 1) + kSlack),
        pixels(most_rows * (kMostWidth * 8 + kSlack) + kSlack),
        above(kMostWidth * 8 + kSlack) {}

  Guarded residuals;
  Guarded pixels;
  Guarded above;
};

// Rows one behind the other in `pixels`, from its slack on.
struct Block {
  const std::uint8_t* residuals;
  std::size_t bytes;
  std::size_t rows;
  const std::uint8_t* above;
  std::uint8_t* pixels;
};

std::vector<std::uint8_t> undone(const Kernels& kernels, const Block& block) {
  std::vector<std::uint8_t> rows;
  const std::size_t stride = block.bytes + kSlack;
  const std::uint8_t* above = block.above;
  for (std::size_t y = 0; y < block.rows;) {
    std::uint8_t* const pixels = block.pixels + y * stride;
    const std::uint8_t* const residuals = block.residuals + y * (block.bytes + 1);
    const Undone done = undo(kernels, {residuals, block.rows - y, block.bytes, above, pixels, stride});
    for (std::size_t i = 0; i < done.rows; ++i) {
      if (!done.repeats) above = pixels + i * stride;
      rows.insert(rows.end(), above, above + block.bytes);
    }
    y += done.rows;
  }
  return rows;
}

TEST_P(UnfilterTest, GivesTheBytesOfTheScalarKernels) {
  constexpr std::size_t kRows = 6;
  Blocks memory(kRows);
  for (const std::size_t pixel : kPixelBytes) {
    for (std::size_t width = 1; width <= kMostWidth; ++width) {
      const std::size_t bytes = width * pixel;
      const std::size_t residual_bytes = kRows * (bytes + 1) + kSlack;
      const std::size_t stride = bytes + kSlack;
      for (unsigned filters = 0; filters < kFilters * kFilters; ++filters) {
        const bool at_front = filters % 2 == 0;
        std::uint8_t* const residuals = at_front ? memory.residuals.front() : memory.residuals.back(residual_bytes);
        std::uint8_t* const pixels = at_front ? memory.pixels.front() : memory.pixels.back(kRows * stride + kSlack);
        std::uint8_t* const above = at_front ? memory.above.front() : memory.above.back(stride);
        for (const Residuals kind : {Residuals::random, Residuals::zero, Residuals::rare}) {
          fill(residuals, residual_bytes, kind);
          fill(above, bytes, kind == Residuals::rare ? Residuals::random : kind);
          for (std::size_t y = 0; y < kRows; ++y) {
            // Two rows of random filters, then the two in turn: among them, runs of Paeth rows of every length.
            const unsigned filter = y < 2 ? byte() % kFilters : (y < 4 ? filters / kFilters : filters % kFilters);
            residuals[y * (bytes + 1)] = static_cast<std::uint8_t>(filter);
            if (y == 0) fill(residuals + 1, bytes, Residuals::random);
          }
          const Block block{residuals, bytes, kRows, above, pixels + kSlack};
          const auto expected = undone(scalar(pixel), block);
          std::memset(pixels, 0xCC, kRows * stride + kSlack);
          ASSERT_EQ(undone(GetParam().kernels(pixel), block), expected)
              << "pixel " << pixel << " width " << width << " filters " << filters;
        }
      }
    }
  }
}

// The first rows of a picture: nothing before them may be read, however narrow they are.
TEST_P(UnfilterTest, ReadsNothingBeforeTheFirstRow) {
  constexpr std::size_t kRows = 5;
  Blocks memory(kRows);
  for (const std::size_t pixel : kPixelBytes) {
    for (std::size_t width = 1; width <= 20; ++width) {
      const std::size_t bytes = width * pixel;
      for (unsigned filter = 0; filter < kFilters; ++filter) {
        std::uint8_t* const residuals = memory.residuals.front();
        fill(residuals, kRows * (bytes + 1) + kSlack, Residuals::random);
        for (std::size_t y = 0; y < kRows; ++y) residuals[y * (bytes + 1)] = static_cast<std::uint8_t>(filter);
        std::uint8_t* const above = memory.above.front();
        fill(above, bytes, Residuals::random);
        const Block block{residuals, bytes, kRows, above, memory.pixels.front() + kSlack};
        const auto expected = undone(scalar(pixel), block);
        ASSERT_EQ(undone(GetParam().kernels(pixel), block), expected) << "pixel " << pixel << " width " << width;
      }
    }
  }
}

TEST_P(UnfilterTest, PredictsPaethForAllNeighbours) {
  // A row of two pixels: the first makes the left neighbour what it should be.
  const Kernels& kernels = GetParam().kernels(1);
  const Kernels& wide = GetParam().kernels(4);
  std::vector<std::uint8_t> residuals(8 + kSlack);
  std::vector<std::uint8_t> above(8 + kSlack);
  std::vector<std::uint8_t> pixels(8 + kSlack);
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      for (int c = 0; c < 256; c += 4) {
        for (int i = 0; i < 4; ++i) {
          above[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(c + i);
          above[static_cast<std::size_t>(i) + 4] = static_cast<std::uint8_t>(b);
          residuals[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(a - (c + i));
        }
        wide.paeth(residuals.data(), above.data(), pixels.data(), 8);
        for (int i = 0; i < 4; ++i) {
          const int to_a = std::abs(b - (c + i));
          const int to_b = std::abs(a - (c + i));
          const int to_c = std::abs(a + b - 2 * (c + i));
          const int expected = to_a <= to_b && to_a <= to_c ? a : (to_b <= to_c ? b : c + i);
          ASSERT_EQ(pixels[static_cast<std::size_t>(i) + 4], expected) << a << " " << b << " " << c + i;
        }
      }
    }
  }
  ASSERT_NE(kernels.paeth, nullptr);
}

TEST_P(UnfilterTest, DoesNotWriteRowsThatRepeat) {
  constexpr std::size_t kBytes = 12;
  std::vector<std::uint8_t> residuals(2 * (kBytes + 1) + kSlack, 0);
  residuals[0] = residuals[kBytes + 1] = up;
  residuals[1] = 7;
  const std::vector<std::uint8_t> above(kBytes + kSlack, 1);
  std::vector<std::uint8_t> pixels(2 * (kBytes + kSlack), 0xCC);
  const Kernels& kernels = GetParam().kernels(3);
  const std::size_t stride = kBytes + kSlack;
  const Undone first = undo(kernels, {residuals.data(), 2, kBytes, above.data(), pixels.data(), stride});
  EXPECT_EQ(first.rows, 1U);
  EXPECT_FALSE(first.repeats);
  EXPECT_EQ(pixels[0], 8);
  EXPECT_EQ(pixels[1], 1);
  std::uint8_t* const next = pixels.data() + stride;
  const Undone second = undo(kernels, {residuals.data() + kBytes + 1, 1, kBytes, pixels.data(), next, stride});
  EXPECT_EQ(second.rows, 1U);
  EXPECT_TRUE(second.repeats);
  EXPECT_EQ(*next, 0xCC);
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, UnfilterTest, ::testing::ValuesIn(instruction_sets()),
                         [](const auto& set) { return set.param.name; });

// The scalar kernels by the specification's own words (9.2): x, a, b, c of each byte.
TEST(UnfilterScalarTest, FollowsTheSpecification) {
  std::minstd_rand random(7);
  const auto byte = [&random] { return static_cast<std::uint8_t>(random() >> 8); };
  for (const std::size_t pixel : kPixelBytes) {
    const std::size_t bytes = 9 * pixel;
    std::vector<std::uint8_t> original(2 * bytes);
    std::generate(original.begin(), original.end(), byte);
    const std::uint8_t* const above = original.data();
    const std::uint8_t* const row = above + bytes;
    for (unsigned filter = 0; filter < kFilters; ++filter) {
      std::vector<std::uint8_t> residuals(bytes + 1 + kSlack);
      residuals[0] = static_cast<std::uint8_t>(filter);
      for (std::size_t i = 0; i < bytes; ++i) {
        const int a = i >= pixel ? row[i - pixel] : 0;
        const int b = above[i];
        const int c = i >= pixel ? above[i - pixel] : 0;
        const int p = a + b - c;
        const int nearest = std::abs(p - a) <= std::abs(p - b) && std::abs(p - a) <= std::abs(p - c) ? a
                            : std::abs(p - b) <= std::abs(p - c)                                     ? b
                                                                                                     : c;
        const int predictions[] = {0, a, b, (a + b) / 2, nearest};
        residuals[i + 1] = static_cast<std::uint8_t>(row[i] - predictions[filter]);
      }
      std::vector<std::uint8_t> pixels(bytes + kSlack);
      const auto got = undone(scalar(pixel), {residuals.data(), bytes, 1, above, pixels.data()});
      EXPECT_TRUE(std::equal(got.begin(), got.end(), row)) << "filter " << filter << " pixel " << pixel;
    }
  }
}

}  // namespace
}  // namespace mediacore::picture::unfilter
