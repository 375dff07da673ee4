// I420 of one matrix or range to limited I420 of another (ITU-R BT.601-7 and BT.709-6, 8 bits): two rows of luma and their
// row of chroma at a time.
//
// Guarantees: grey stays grey. The error against double precision is about half a level; what lies outside of the range
//   that results is cut at 0 and 255. Every instruction set gives the same bytes. Exactly the rows' bytes are read and
//   written, each once: a picture may be changed in place.
// Threads: pure functions. The instruction set is chosen once, at the first use.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/picture/i420.hpp"

namespace mediacore::picture {

struct Colours {
  Matrix matrix = Matrix::bt709;
  bool full_range = false;

  friend bool operator==(const Colours&, const Colours&) = default;
};

namespace yuv_matrix {

// In units of 2^-14. Of luma, on top of `luma_bias`, and of both chroma values, 128 taken off, to each of the three.
struct Weights {
  std::int16_t luma;
  std::int16_t u_to_luma;
  std::int16_t v_to_luma;
  std::int16_t u_to_u;
  std::int16_t v_to_u;
  std::int16_t u_to_v;
  std::int16_t v_to_v;
  std::int32_t luma_bias;
};
inline constexpr int kShift = 14;
Weights weights(Colours from, Matrix to) noexcept;

// Where a picture of odd height ends, both rows are the same one.
struct RowPair {
  const std::uint8_t* y_first;
  const std::uint8_t* y_second;
  const std::uint8_t* u;
  const std::uint8_t* v;
  std::uint8_t* to_y_first;
  std::uint8_t* to_y_second;
  std::uint8_t* to_u;
  std::uint8_t* to_v;
  std::size_t width;
};

// `to_` are the same rows, or others.
using Function = void (*)(const RowPair& pair, const Weights& weights);

void scalar(const RowPair& pair, const Weights& weights);  // the reference
#if defined(__x86_64__)
void avx2(const RowPair& pair, const Weights& weights);  // needs the instruction set
#endif
Function fastest() noexcept;

}  // namespace yuv_matrix
}  // namespace mediacore::picture
