// Makes a picture smaller by any ratio: each pixel is the mean of the area that it stands for.
//
// Rows come from top to bottom and are added up two by two, weighted by the part of them that a smaller row covers; when
// that row is complete, its columns are added up likewise. So a picture is read once, while its rows are in the cache.
// Guarantees: flat areas keep their colour. Weights of rows are exact where the ratio of the heights is one of small
//   numbers (up to 127, as 15:8 or 3:1), otherwise they are rounded to 1/127; those of columns to 1/8192. Every instruction
//   set gives the same bytes.
// Memory: some rows, kept for the next picture. Threads: one owner.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/picture/i420.hpp"

namespace mediacore::picture {

namespace scale {

// sums = or += first * its weight + second * its weight. Weights of a smaller row add up to at most kMostWeight, so sums
// stay below 2^15.
struct TwoRows {
  const std::uint8_t* first;
  const std::uint8_t* second;
  std::int8_t first_weight;
  std::int8_t second_weight;
  std::size_t bytes;
  bool begins;  // nothing was added yet
};
using Add = void (*)(const TwoRows& rows, std::int16_t* sums);
inline constexpr std::uint32_t kMostWeight = 127;

// A smaller row: each pixel is the sum of as many pairs of columns.
struct Mean {
  const std::int16_t* sums;
  const std::uint32_t* first;  // of each pixel: its first column
  // Of a pair: two, four times each, as colours stand beside each other; of two pixels one behind the other.
  const std::int16_t* weights;
  std::size_t pairs;
  std::size_t width;
  std::int32_t offset;  // rounds
  int shift;
};
// Pixels of 3 or 4 sums, to pixels of 4 bytes, the last one 255; or of one sum to one byte. At most kSlack sums behind the last column are read.
using Finish = void (*)(const Mean& mean, std::uint8_t* to);

inline constexpr std::size_t kSlack = 16;
inline constexpr std::size_t kPairWeights = 8;

// Where the weights of a pixel's pair stand.
constexpr std::size_t weights_at(std::size_t x, std::size_t pair, std::size_t pairs) noexcept {
  return (x / 2 * pairs + pair) * 2 * kPairWeights + x % 2 * kPairWeights;
}

struct Kernels {
  Add add;
  Finish finish_1;  // the scalar one in every set: to gather its columns takes a vector longer than to add them up
  Finish finish_3;
  Finish finish_4;
};
const Kernels& scalar() noexcept;
#if defined(__x86_64__)
const Kernels& avx2() noexcept;  // needs the instruction set
bool has_avx2() noexcept;
#endif
const Kernels& fastest() noexcept;

}  // namespace scale

class Downscale {
 public:
  explicit Downscale(const scale::Kernels& kernels = scale::fastest()) noexcept : kernels_(&kernels) {}

  // `to` is not larger than `from`, and at most kMaxReduction times smaller; `pixel_bytes` is 3, 4, or 1 for a plane.
  void begin(Size from, Size to, std::size_t pixel_bytes);

  // The next row of the picture, which must stay as it is until the next but one comes. `take(pixels)` gets the rows of
  // the smaller one that are complete by it: pixels of 4 bytes, or 1, which stay as they are until the next but one.
  template <class Take>
  void row(const std::uint8_t* pixels, const Take& take) {
    ++at_;
    if (waiting_ == nullptr && at_ < from_.height) {
      waiting_ = pixels;
      return;
    }
    const bool is_alone = waiting_ == nullptr;
    std::uint32_t first = is_alone ? 0 : weight_of(at_ - 2);
    std::uint32_t second = weight_of(at_ - 1);
    const std::uint8_t* const before = is_alone ? pixels : waiting_;
    waiting_ = nullptr;
    while (first + second > 0) {
      if (const std::uint8_t* const smaller = add(before, pixels, first, second)) take(smaller);
    }
  }

 private:
  void set_columns();
  std::uint32_t weight_of(std::uint64_t row) const noexcept;
  // Adds what fits into the smaller row that is being made, and takes it off the weights; the row if it is complete.
  const std::uint8_t* add(const std::uint8_t* before, const std::uint8_t* now, std::uint32_t& first,
                          std::uint32_t& second);

  const scale::Kernels* kernels_;
  Size from_;
  Size to_;
  std::size_t pixel_bytes_ = 4;
  // A smaller row is `whole_` high, a row of the picture `whole_ * to / from`, rounded where it is not whole.
  std::uint32_t whole_ = 1;
  std::uint32_t filled_ = 0;
  std::uint32_t at_ = 0;
  std::uint32_t made_ = 0;
  const std::uint8_t* waiting_ = nullptr;  // the first of two rows
  scale::Mean mean_{};
  std::vector<std::int16_t> sums_;
  std::vector<std::uint32_t> first_;
  std::vector<std::int16_t> weights_;
  std::array<std::vector<std::uint8_t>, 2> out_;
};

}  // namespace mediacore::picture
