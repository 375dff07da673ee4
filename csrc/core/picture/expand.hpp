// Rows of any PNG colour type and depth to R G B A of 8 bits (PNG, third edition, section 13.7 and 13.12).
//
// 16 bits become 8 by leaving out the low byte, as libpng's strip_16 and libspng do; 1, 2 and 4 bits of grey are scaled.
// The transparent colour is compared at the file's depth. A palette index without an entry is opaque black.
// Screens are RGB or RGBA of 8 bits, which come here only for tests: plain code, no SIMD.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/picture/png_file.hpp"

namespace mediacore::picture {

// `row` is unfiltered, `width` pixels of the file's type; `to` takes width * 4 bytes, `step` pixels from one to the next.
void expand_row(const PngFile& file, const std::uint8_t* row, std::uint32_t width, std::uint8_t* to, std::size_t step);

}  // namespace mediacore::picture
