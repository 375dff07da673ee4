// Undoes the filters of PNG rows (PNG, third edition, section 9), by SIMD where the machine has it.
//
// Kernels work out of place: residuals in, pixels out. Rows of pixels lie in the decoder's own ring, which stays in the
// cache; the residuals are read once and never written.
// Guarantees: every instruction set gives the same bytes. At most kSlack bytes are read past the end of a row of
//   residuals or pixels; at most kSlack bytes past the end of a row of pixels, and as many before the second and further
// of several rows, are overwritten.
// Threads: pure functions. The instruction set is chosen once, at the first use.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mediacore::picture::unfilter {

inline constexpr std::size_t kSlack = 64;

enum Filter : std::uint8_t { none = 0, sub = 1, up = 2, average = 3, paeth = 4 };
inline constexpr std::uint8_t kFilters = 5;

// `residuals` and `pixels` never overlap; `above` is the row of pixels above, zeros for the first row. `bytes` is a
// multiple of the pixel's bytes, and at least one pixel.
using Row = void (*)(const std::uint8_t* residuals, const std::uint8_t* above, std::uint8_t* pixels, std::size_t bytes);

// Several Paeth rows that follow each other, at once.
struct Rows {
  const std::uint8_t* residuals;  // of the first row, without its filter
  std::size_t residuals_stride;
  const std::uint8_t* above;
  std::uint8_t* pixels;
  std::size_t pixels_stride;
  std::size_t bytes;
};
using PaethRows = void (*)(const Rows& rows);

// What one instruction set has for one size of pixels.
struct Kernels {
  Row sub;
  Row up;
  Row average;
  Row paeth;
  PaethRows two_paeth;   // may be null
  PaethRows four_paeth;  // may be null
  bool (*is_zero)(const std::uint8_t* residuals, std::size_t bytes);
};

// `pixel_bytes` is 1, 2, 3, 4, 6 or 8. The scalar ones are the reference.
const Kernels& scalar(std::size_t pixel_bytes) noexcept;
#if defined(__x86_64__)
// These need their instruction set.
const Kernels& avx2(std::size_t pixel_bytes) noexcept;
const Kernels& avx512(std::size_t pixel_bytes) noexcept;
bool has_avx2() noexcept;
bool has_avx512() noexcept;
#endif
const Kernels& fastest(std::size_t pixel_bytes) noexcept;

// Rows at the head of those that are left. Filters are at most 4.
struct Head {
  const std::uint8_t* residuals;  // of all rows that are left, each behind its filter
  std::size_t rows;               // that are left; at least one
  std::size_t bytes;              // of a row of pixels
  const std::uint8_t* above;
  std::uint8_t* pixels;  // room for kMostAtOnce rows
  std::size_t pixels_stride;
};
inline constexpr std::size_t kMostAtOnce = 4;

// What became of them.
struct Undone {
  std::size_t rows;
  // One row that is equal to the row above, since its residuals are "up, all zero": it is not written.
  bool repeats;
};

// Takes as many rows as go together.
Undone undo(const Kernels& kernels, const Head& head) noexcept;

}  // namespace mediacore::picture::unfilter
