// Paeth and Average cannot look further than one pixel: their speed is the length of the chain from a pixel to the next.
// So what can be taken off the chain is: candidates get their residual before the choice between them, Average works on
// complements. Rows that follow each other go along the anti-diagonal, a pixel behind each other, in one vector. Runs of
// zero residuals become copies. Compiled for AVX2 function by function, as start_code_avx2.cpp.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "core/picture/unfilter.hpp"

#define MEDIACORE_AVX2 [[gnu::target("avx2")]]

namespace mediacore::picture::unfilter {
namespace {

using Byte = std::uint8_t;

MEDIACORE_AVX2 inline __m256i load32(const Byte* at) noexcept {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}
MEDIACORE_AVX2 inline void store32(Byte* at, __m256i value) noexcept {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), value);
}
MEDIACORE_AVX2 inline __m128i load16(const Byte* at) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}
MEDIACORE_AVX2 inline void store16(Byte* at, __m128i value) noexcept {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(at), value);
}

// A pixel of up to 4 bytes takes 4 lanes, a larger one 8; what does not belong to it is whatever stands behind it, and
// is overwritten by the next pixel.
template <std::size_t kPixel>
constexpr std::size_t kLanes = kPixel <= 4 ? 4 : 8;

template <std::size_t kPixel>
MEDIACORE_AVX2 inline __m128i load_pixel(const Byte* at) noexcept {
  if constexpr (kLanes<kPixel> == 4) return _mm_loadu_si32(at);
  return _mm_loadu_si64(at);
}
template <std::size_t kPixel>
MEDIACORE_AVX2 inline void store_pixel(Byte* at, __m128i pixel) noexcept {
  if constexpr (kLanes<kPixel> == 4) {
    _mm_storeu_si32(at, pixel);
  } else {
    _mm_storeu_si64(at, pixel);
  }
}
template <std::size_t kPixel>
MEDIACORE_AVX2 inline __m128i load_wide(const Byte* at) noexcept {
  return _mm_cvtepu8_epi16(load_pixel<kPixel>(at));
}
MEDIACORE_AVX2 inline __m128i narrow(__m128i wide) noexcept {
  return _mm_packus_epi16(wide, wide);
}

// Rows without a chain.

MEDIACORE_AVX2 void up_row(const Byte* residuals, const Byte* above, Byte* pixels, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += 32) {
    store32(pixels + i, _mm256_add_epi8(load32(residuals + i), load32(above + i)));
  }
}

MEDIACORE_AVX2 bool is_zero(const Byte* residuals, std::size_t bytes) {
  std::size_t i = 0;
  for (; i + 64 <= bytes; i += 64) {
    const __m256i any = _mm256_or_si256(load32(residuals + i), load32(residuals + i + 32));
    if (_mm256_testz_si256(any, any) == 0) return false;
  }
  for (; i < bytes; ++i) {
    if (residuals[i] != 0) return false;
  }
  return true;
}

// Sub: sums of prefixes.

template <std::size_t kPixel>
MEDIACORE_AVX2 void sub_row(const Byte* residuals, const Byte*, Byte* pixels, std::size_t bytes) {
  __m128i left = _mm_setzero_si128();
  if constexpr (kPixel == 4) {
    for (std::size_t i = 0; i < bytes; i += 16) {
      __m128i sums = load16(residuals + i);
      sums = _mm_add_epi8(sums, _mm_slli_si128(sums, 4));
      sums = _mm_add_epi8(sums, _mm_slli_si128(sums, 8));
      sums = _mm_add_epi8(sums, left);
      store16(pixels + i, sums);
      left = _mm_shuffle_epi32(sums, 0xFF);
    }
  } else if constexpr (kPixel == 3) {
    // Five pixels are 15 bytes; the sixteenth is overwritten by the next five.
    const __m128i last = _mm_setr_epi8(12, 13, 14, 12, 13, 14, 12, 13, 14, 12, 13, 14, 12, 13, 14, -1);
    for (std::size_t i = 0; i < bytes; i += 15) {
      __m128i sums = load16(residuals + i);
      sums = _mm_add_epi8(sums, _mm_slli_si128(sums, 3));
      sums = _mm_add_epi8(sums, _mm_slli_si128(sums, 6));
      sums = _mm_add_epi8(sums, _mm_slli_si128(sums, 12));
      sums = _mm_add_epi8(sums, left);
      store16(pixels + i, sums);
      left = _mm_shuffle_epi8(sums, last);
    }
  } else {
    for (std::size_t i = 0; i < bytes; i += kPixel) {
      left = _mm_add_epi8(left, load_pixel<kPixel>(residuals + i));
      store_pixel<kPixel>(pixels + i, left);
    }
  }
}

// Average. The instruction rounds up; of complements it rounds the average itself down:
// floor((a + b) / 2) = ~avg(~a, ~b), and with a residual x, ~(floor + x) = avg(~a, ~b) - x.
template <std::size_t kPixel>
MEDIACORE_AVX2 void average_row(const Byte* residuals, const Byte* above, Byte* pixels, std::size_t bytes) {
  const __m128i ones = _mm_set1_epi8(-1);
  __m128i left = ones;
  for (std::size_t i = 0; i < bytes; i += kPixel) {
    const __m128i up = _mm_xor_si128(load_pixel<kPixel>(above + i), ones);
    left = _mm_sub_epi8(_mm_avg_epu8(left, up), load_pixel<kPixel>(residuals + i));
    store_pixel<kPixel>(pixels + i, _mm_xor_si128(left, ones));
  }
}

// Paeth, in 16-bit lanes with their high bytes zero. With t = 3c - a - b the predictor is the lesser of a and b if
// t >= both, the greater if t <= both, else c: a and b may change places. `rest` is t + a. Each candidate has its residual already.
MEDIACORE_AVX2 inline __m128i paeth_pixel(__m128i a, __m128i b, __m128i c, __m128i rest, __m128i residual) noexcept {
  const __m128i t = _mm_sub_epi16(rest, a);
  const __m128i least = _mm_min_epi16(a, b);
  const __m128i most = _mm_max_epi16(a, b);
  const __m128i not_least = _mm_cmpgt_epi16(most, t);
  const __m128i not_most = _mm_cmpgt_epi16(t, least);
  const __m128i between = _mm_and_si128(_mm_and_si128(not_least, not_most), _mm_add_epi8(c, residual));
  const __m128i outside = _mm_or_si128(_mm_andnot_si128(not_least, _mm_add_epi8(least, residual)),
                                       _mm_andnot_si128(not_most, _mm_add_epi8(most, residual)));
  return _mm_or_si128(between, outside);
}

// The compiler would add up t in another order, with all of it on the chain.
template <class Vector>
MEDIACORE_AVX2 inline Vector kept_apart(Vector value) noexcept {
  __asm__("" : "+x"(value));
  return value;
}

MEDIACORE_AVX2 inline __m128i three_times(__m128i c) noexcept {
  return _mm_add_epi16(c, _mm_add_epi16(c, c));
}

template <std::size_t kPixel>
constexpr std::size_t kRun = 8 * kPixel;  // bytes of the runs that are looked for

template <std::size_t kPixel>
MEDIACORE_AVX2 inline bool is_zero_run(const Byte* residuals) noexcept {
  if constexpr (kPixel == 3) {
    const __m128i any = _mm_or_si128(load16(residuals), load16(residuals + 8));
    return _mm_testz_si128(any, any) != 0;
  } else {
    __m256i any = load32(residuals);
    for (std::size_t i = 32; i < kRun<kPixel>; i += 16) {
      any = _mm256_or_si256(any, _mm256_castsi128_si256(load16(residuals + i)));
    }
    return _mm256_testz_si256(any, any) != 0;
  }
}

template <std::size_t kPixel>
MEDIACORE_AVX2 inline void copy_run(Byte* to, const Byte* from) noexcept {
  std::memcpy(to, from, kRun<kPixel>);
}

// The lanes that belong to pixels, of one or two pixels.
template <std::size_t kPixel>
MEDIACORE_AVX2 inline bool are_same(__m128i a, __m128i b) noexcept {
  __m128i differing = _mm_xor_si128(a, b);
  if constexpr (kPixel == 3) differing = _mm_and_si128(differing, _mm_setr_epi16(-1, -1, -1, 0, -1, -1, -1, 0));
  if constexpr (kPixel == 6) differing = _mm_and_si128(differing, _mm_setr_epi16(-1, -1, -1, -1, -1, -1, 0, 0));
  return _mm_testz_si128(differing, differing) != 0;
}

// Where a = c the predictor is b. With zero residuals a run is then a copy of the row above, and a = c again behind it.
template <std::size_t kPixel>
MEDIACORE_AVX2 void paeth_row(const Byte* residuals, const Byte* above, Byte* pixels, std::size_t bytes) {
  __m128i a = _mm_setzero_si128();
  __m128i c = a;
  for (std::size_t i = 0; i < bytes;) {
    const bool has_run = i + kRun<kPixel> <= bytes;
    if (has_run && is_zero_run<kPixel>(residuals + i) && are_same<kPixel>(a, c)) {
      do {
        copy_run<kPixel>(pixels + i, above + i);
        i += kRun<kPixel>;
      } while (i + kRun<kPixel> <= bytes && is_zero_run<kPixel>(residuals + i));
      a = c = load_wide<kPixel>(above + i - kPixel);
      continue;
    }
    const std::size_t end = has_run ? i + kRun<kPixel> : bytes;
    for (; i < end; i += kPixel) {
      const __m128i b = load_wide<kPixel>(above + i);
      const __m128i rest = kept_apart(_mm_sub_epi16(three_times(c), b));
      a = paeth_pixel(a, b, c, rest, load_wide<kPixel>(residuals + i));
      store_pixel<kPixel>(pixels + i, narrow(a));
      c = b;
    }
  }
}

// Two rows: the low half is at a pixel of the first, the high half one pixel behind in the second. What is above the
// high half is what the low half has just given.
template <std::size_t kPixel>
MEDIACORE_AVX2 void two_paeth_rows(const Rows& rows) {
  const Byte* const first = rows.residuals;
  const Byte* const second = rows.residuals + rows.residuals_stride - kPixel;  // where the high half is
  Byte* const out_first = rows.pixels;
  Byte* const out_second = rows.pixels + rows.pixels_stride - kPixel;
  const Byte* const above = rows.above;
  const std::size_t bytes = rows.bytes;

  // The first pixel of the first row is predicted by "up" alone.
  const __m128i up = load_wide<kPixel>(above);
  __m128i a = _mm_add_epi8(up, load_wide<kPixel>(first));
  store_pixel<kPixel>(out_first, narrow(a));
  a = _mm_move_epi64(a);
  __m128i c = _mm_move_epi64(up);
  for (std::size_t i = kPixel; i < bytes;) {
    const bool has_run = i + kRun<kPixel> <= bytes;
    if (has_run && is_zero_run<kPixel>(first + i) && is_zero_run<kPixel>(second + i) && are_same<kPixel>(a, c)) {
      do {
        copy_run<kPixel>(out_first + i, above + i);
        copy_run<kPixel>(out_second + i, out_first + i - kPixel);
        i += kRun<kPixel>;
      } while (i + kRun<kPixel> <= bytes && is_zero_run<kPixel>(first + i) && is_zero_run<kPixel>(second + i));
      a = c = _mm_unpacklo_epi64(load_wide<kPixel>(out_first + i - kPixel), load_wide<kPixel>(out_second + i - kPixel));
      continue;
    }
    const std::size_t end = has_run ? i + kRun<kPixel> : bytes;
    for (; i < end; i += kPixel) {
      const __m128i residual =
          _mm_cvtepu8_epi16(_mm_unpacklo_epi32(load_pixel<kPixel>(first + i), load_pixel<kPixel>(second + i)));
      const __m128i b = _mm_unpacklo_epi64(load_wide<kPixel>(above + i), a);
      const __m128i rest = kept_apart(_mm_sub_epi16(three_times(c), a));
      a = paeth_pixel(b, a, c, rest, residual);
      const __m128i packed = narrow(a);
      store_pixel<kPixel>(out_first + i, packed);
      store_pixel<kPixel>(out_second + i, _mm_srli_si128(packed, 4));
      c = b;
    }
  }
  // The last pixel of the second row; `a` becomes what is above it.
  const __m128i b = _mm_unpacklo_epi64(a, a);
  const __m128i residual = _mm_cvtepu8_epi16(_mm_slli_si128(load_pixel<kPixel>(second + bytes), 4));
  a = paeth_pixel(a, b, c, _mm_sub_epi16(three_times(c), b), residual);
  store_pixel<kPixel>(out_second + bytes, _mm_srli_si128(narrow(a), 4));
}

// Four rows: two in each half of a vector, 0, 1, 3 and 4 pixels behind the first. What the third row has above it is then
// two steps old, and its way from one half of the vector to the other is not a part of the chain.
// Rows that have not begun yet have a residual of 0 on nothing but zeros, so they stay 0. What they write lies before
// their first pixel, in the slack of the row above.
constexpr std::size_t kRowsBehind[4] = {0, 1, 3, 4};

// The next four pixels of a row, as four bytes each.
template <std::size_t kPixel>
MEDIACORE_AVX2 inline __m128i load_4(const Byte* at) noexcept {
  if constexpr (kPixel == 4) return load16(at);
  return _mm_shuffle_epi8(load16(at), _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1));
}
template <std::size_t kPixel>
MEDIACORE_AVX2 inline void store_4(Byte* at, __m128i pixels) noexcept {
  if constexpr (kPixel == 3) {
    pixels = _mm_shuffle_epi8(pixels, _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
  }
  store16(at, pixels);
}

MEDIACORE_AVX2 inline __m256i paeth_pixel(__m256i a, __m256i b, __m256i c, __m256i residual) noexcept {
  const __m256i rest = kept_apart(_mm256_sub_epi16(_mm256_add_epi16(c, _mm256_add_epi16(c, c)), a));
  const __m256i t = _mm256_sub_epi16(rest, b);
  const __m256i least = _mm256_min_epi16(a, b);
  const __m256i most = _mm256_max_epi16(a, b);
  const __m256i not_least = _mm256_cmpgt_epi16(most, t);
  const __m256i not_most = _mm256_cmpgt_epi16(t, least);
  const __m256i between = _mm256_and_si256(_mm256_and_si256(not_least, not_most), _mm256_add_epi8(c, residual));
  const __m256i outside = _mm256_or_si256(_mm256_andnot_si256(not_least, _mm256_add_epi8(least, residual)),
                                          _mm256_andnot_si256(not_most, _mm256_add_epi8(most, residual)));
  return _mm256_or_si256(between, outside);
}

// Where the four rows are, each at its own pixel.
struct FourRows {
  const Byte* residuals[4];
  Byte* pixels[4];
  const Byte* above;
};

struct FourState {
  __m256i a;     // what was given last
  __m256i c;     // what was above that
  __m256i late;  // what was given before that: in its third quarter that of the second row
};

MEDIACORE_AVX2 inline __m256i second_to_third(__m256i rows) noexcept {
  return _mm256_permute4x64_epi64(rows, 0b00'01'00'00);
}

MEDIACORE_AVX2 inline void step_4(FourState& state, __m128i above, __m128i residuals) noexcept {
  const __m256i first_and_third = _mm256_blend_epi32(_mm256_castsi128_si256(above), state.late, 0xF0);
  const __m256i b = _mm256_unpacklo_epi64(first_and_third, state.a);
  const __m256i given = paeth_pixel(state.a, b, state.c, _mm256_cvtepu8_epi16(residuals));
  state.late = second_to_third(state.a);
  state.a = given;
  state.c = b;
}

// Four steps, from four pixels of each row.
template <std::size_t kPixel>
MEDIACORE_AVX2 inline void steps_4(FourState& state, const FourRows& rows, std::size_t i,
                                   const __m128i (&x)[4]) noexcept {
  const __m128i low01 = _mm_unpacklo_epi32(x[0], x[1]);
  const __m128i low23 = _mm_unpacklo_epi32(x[2], x[3]);
  const __m128i high01 = _mm_unpackhi_epi32(x[0], x[1]);
  const __m128i high23 = _mm_unpackhi_epi32(x[2], x[3]);
  const __m128i above = load_4<kPixel>(rows.above + i);
  step_4(state, _mm_cvtepu8_epi16(above), _mm_unpacklo_epi64(low01, low23));
  const __m256i given0 = state.a;
  step_4(state, _mm_cvtepu8_epi16(_mm_srli_si128(above, 4)), _mm_unpackhi_epi64(low01, low23));
  const __m256i given01 = _mm256_packus_epi16(given0, state.a);
  step_4(state, _mm_cvtepu8_epi16(_mm_srli_si128(above, 8)), _mm_unpacklo_epi64(high01, high23));
  const __m256i given2 = state.a;
  step_4(state, _mm_cvtepu8_epi16(_mm_srli_si128(above, 12)), _mm_unpackhi_epi64(high01, high23));
  const __m256i given23 = _mm256_packus_epi16(given2, state.a);
  const __m256 left = _mm256_castsi256_ps(given01);
  const __m256 right = _mm256_castsi256_ps(given23);
  const __m256i even = _mm256_castps_si256(_mm256_shuffle_ps(left, right, 0b10'00'10'00));
  const __m256i odd = _mm256_castps_si256(_mm256_shuffle_ps(left, right, 0b11'01'11'01));
  store_4<kPixel>(rows.pixels[0] + i, _mm256_castsi256_si128(even));
  store_4<kPixel>(rows.pixels[1] + i, _mm256_castsi256_si128(odd));
  store_4<kPixel>(rows.pixels[2] + i, _mm256_extracti128_si256(even, 1));
  store_4<kPixel>(rows.pixels[3] + i, _mm256_extracti128_si256(odd, 1));
}

template <std::size_t kPixel>
MEDIACORE_AVX2 inline bool is_zero_run(const FourRows& rows, std::size_t i) noexcept {
  __m256i any = _mm256_setzero_si256();
  for (const Byte* const row : rows.residuals) {
    if constexpr (kPixel == 4) {
      any = _mm256_or_si256(any, load32(row + i));
    } else {
      any = _mm256_or_si256(any, _mm256_castsi128_si256(_mm_or_si128(load16(row + i), load16(row + i + 8))));
    }
  }
  return _mm256_testz_si256(any, any) != 0;
}

MEDIACORE_AVX2 inline bool are_same(__m256i a, __m256i b, __m256i lanes) noexcept {
  return _mm256_testz_si256(_mm256_xor_si256(a, b), lanes) != 0;
}

// The state before the step at `i`, behind a run of zero residuals.
template <std::size_t kPixel>
MEDIACORE_AVX2 inline FourState state_behind_run(const FourRows& rows, std::size_t i) noexcept {
  const __m128i low = _mm_unpacklo_epi64(load_wide<kPixel>(rows.pixels[0] + i - kPixel),
                                         load_wide<kPixel>(rows.pixels[1] + i - kPixel));
  const __m128i high = _mm_unpacklo_epi64(load_wide<kPixel>(rows.pixels[2] + i - kPixel),
                                          load_wide<kPixel>(rows.pixels[3] + i - kPixel));
  const __m256i a = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
  const __m128i late = load_wide<kPixel>(rows.pixels[1] + i - 2 * kPixel);
  return {a, a, _mm256_inserti128_si256(_mm256_setzero_si256(), late, 1)};
}

template <std::size_t kPixel>
MEDIACORE_AVX2 void four_paeth_rows(const Rows& rows) {
  FourRows four{};
  four.above = rows.above;
  for (std::size_t k = 0; k < 4; ++k) {
    four.residuals[k] = rows.residuals + k * rows.residuals_stride - kRowsBehind[k] * kPixel;
    four.pixels[k] = rows.pixels + k * rows.pixels_stride - kRowsBehind[k] * kPixel;
  }
  const __m256i lanes = _mm256_set1_epi64x(kPixel == 4 ? -1 : 0x0000FFFFFFFFFFFF);
  FourState state{_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
  // The fourth row has its last pixel four steps after the first.
  const std::size_t end = rows.bytes + 4 * kPixel;
  std::size_t i = 0;
  {
    const __m128i begun[4] = {_mm_set1_epi32(-1), _mm_setr_epi32(0, -1, -1, -1), _mm_setr_epi32(0, 0, 0, -1),
                              _mm_setzero_si128()};
    __m128i x[4];
    for (std::size_t k = 0; k < 4; ++k) x[k] = _mm_and_si128(load_4<kPixel>(four.residuals[k]), begun[k]);
    steps_4<kPixel>(state, four, 0, x);
    i += 4 * kPixel;
  }
  while (i < end) {
    if (i + kRun<kPixel> <= rows.bytes && is_zero_run<kPixel>(four, i) && are_same(state.a, state.c, lanes)) {
      const std::size_t begin = i;
      do {
        i += kRun<kPixel>;
      } while (i + kRun<kPixel> <= rows.bytes && is_zero_run<kPixel>(four, i));
      std::memcpy(four.pixels[0] + begin, rows.above + begin, i - begin);
      for (std::size_t k = 1; k < 4; ++k) {
        const std::size_t ahead = (kRowsBehind[k] - kRowsBehind[k - 1]) * kPixel;
        std::memcpy(four.pixels[k] + begin, four.pixels[k - 1] + begin - ahead, i - begin);
      }
      state = state_behind_run<kPixel>(four, i);
      continue;
    }
    for (std::size_t turn = 0; turn < 2; ++turn, i += 4 * kPixel) {
      __m128i x[4];
      for (std::size_t k = 0; k < 4; ++k) x[k] = load_4<kPixel>(four.residuals[k] + i);
      steps_4<kPixel>(state, four, i, x);
    }
  }
}

template <std::size_t kPixel>
constexpr Kernels kAvx2{sub_row<kPixel>,         up_row, average_row<kPixel>, paeth_row<kPixel>, two_paeth_rows<kPixel>,
                        four_paeth_rows<kPixel>, is_zero};

}  // namespace

const Kernels& avx2(std::size_t pixel_bytes) noexcept {
  static constexpr Kernels kWide6{sub_row<6>, up_row, average_row<6>, paeth_row<6>, nullptr, nullptr, is_zero};
  static constexpr Kernels kWide8{sub_row<8>, up_row, average_row<8>, paeth_row<8>, nullptr, nullptr, is_zero};
  // Small pixels are rare: only what does not look to the left is worth it.
  static const Kernels kSmall1{scalar(1).sub, up_row, scalar(1).average, scalar(1).paeth, nullptr, nullptr, is_zero};
  static const Kernels kSmall2{scalar(2).sub, up_row, scalar(2).average, scalar(2).paeth, nullptr, nullptr, is_zero};
  switch (pixel_bytes) {
    case 1: return kSmall1;
    case 2: return kSmall2;
    case 3: return kAvx2<3>;
    case 4: return kAvx2<4>;
    case 6: return kWide6;
    default: return kWide8;
  }
}

}  // namespace mediacore::picture::unfilter

#undef MEDIACORE_AVX2

#endif
