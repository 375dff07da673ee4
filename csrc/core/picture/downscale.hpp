// Makes a picture smaller by any ratio: each pixel is the mean of the area that it stands for.
//
// Rows come from top to bottom and are added up, weighted by the part of them that a smaller row covers; when that row
// is complete, its columns are added up likewise. So a picture is read once, while its rows are in the cache.
// Guarantees: flat areas keep their colour. Weights of rows are exact where the ratio of the heights is one of small
//   numbers (up to 257, as 15:8 or 3:1), otherwise they are rounded to 1/256. Every instruction set gives the same bytes.
// Memory: some rows, kept for the next picture. Threads: one owner.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/picture/i420.hpp"

namespace mediacore::picture {

namespace scale {

// sums = or += bytes * weight. Sums stay below 2^16.
using Add = void (*)(std::uint16_t* sums, const std::uint8_t* bytes, std::size_t count, std::uint16_t weight,
                     bool first);

// One pixel of the smaller row: which columns it is the mean of.
struct Columns {
  std::uint32_t first;
  std::uint32_t count;
  std::uint32_t weights;  // where its weights begin
};
struct Mean {
  const std::uint16_t* sums;
  const Columns* columns;
  const float* weights;  // those of a pixel add up to 1 / the weights of its rows
  std::size_t width;
};
// Pixels of `bytes` sums each, to pixels of 4 bytes. Reads up to kSlack sums past the last one.
using Finish = void (*)(const Mean& mean, std::uint8_t* to);

inline constexpr std::size_t kSlack = 32;

struct Kernels {
  Add add;
  Finish finish_3;
  Finish finish_4;
};
const Kernels& scalar() noexcept;
#if defined(__x86_64__)
const Kernels& avx2() noexcept;  // needs the instruction set
#endif
const Kernels& fastest() noexcept;

}  // namespace scale

class Downscale {
 public:
  // `to` is not larger than `from`, and at most kMaxReduction times smaller; `pixel_bytes` is 3 or 4.
  void begin(Size from, Size to, std::size_t pixel_bytes);

  // The next row of the picture. Gives the next row of the smaller one if it is complete now, else null: pixels of 4
  // bytes, which stay as they are until the next but one is complete.
  const std::uint8_t* row(const std::uint8_t* pixels);

 private:
  void set_columns(std::uint32_t from, std::uint32_t to);

  const scale::Kernels* kernels_ = &scale::fastest();
  Size from_;
  Size to_;
  std::size_t pixel_bytes_ = 4;
  // A smaller row is `whole_` high, a row of the picture `whole_ * to / from`, rounded where it is not whole.
  std::uint32_t whole_ = 1;
  std::uint32_t filled_ = 0;
  std::uint32_t at_ = 0;
  std::uint32_t made_ = 0;
  std::vector<std::uint16_t> sums_;
  std::vector<scale::Columns> columns_;
  std::vector<float> weights_;
  std::array<std::vector<std::uint8_t>, 2> out_;
};

}  // namespace mediacore::picture
