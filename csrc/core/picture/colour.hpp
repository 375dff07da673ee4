// Colour to limited-range luma and chroma (ITU-R BT.601-7 and BT.709-6, 8 bits): two rows of pixels at a time.
//
// Guarantees: chroma is the mean of the 2x2 pixels, summed exactly; the error against double precision is below one
//   level for luma and about half a level for chroma. Every instruction set gives the same bytes. Exactly the rows' bytes
//   are read and written. Alpha is not looked at.
// Threads: pure functions. The instruction set is chosen once, at the first use.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/picture/i420.hpp"

namespace mediacore::picture {

// How a pixel's bytes stand in memory; x is a byte of no meaning.
enum class ByteOrder : std::uint8_t { rgbx, bgrx, rgb };

constexpr std::size_t bytes_of(ByteOrder order) noexcept {
  return order == ByteOrder::rgb ? 3 : 4;
}

namespace colour {

// In the order of a pixel's bytes. Luma: adds up to 220/256 (219/255), on top of 16. Chroma: for the sum of four pixels,
// in units of 2^-16; adds up to exactly 0, so grey has no colour.
struct Weights {
  std::array<std::int16_t, 4> luma{};
  std::array<std::int16_t, 4> u{};
  std::array<std::int16_t, 4> v{};
};
Weights weights(Matrix matrix, ByteOrder order) noexcept;

// One row of chroma and its two rows of luma. Where a picture of odd height ends, both rows are the same one.
struct RowPair {
  const std::uint8_t* first;
  const std::uint8_t* second;
  std::uint8_t* y_first;
  std::uint8_t* y_second;
  std::uint8_t* u;
  std::uint8_t* v;
  std::size_t width;
};

using Function = void (*)(const RowPair& pair, const Weights& weights);

// `pixel_bytes` is 3 or 4. The scalar ones are the reference.
Function scalar(std::size_t pixel_bytes) noexcept;
#if defined(__x86_64__)
Function avx2(std::size_t pixel_bytes) noexcept;  // needs the instruction set
#endif
Function fastest(std::size_t pixel_bytes) noexcept;

}  // namespace colour
}  // namespace mediacore::picture
