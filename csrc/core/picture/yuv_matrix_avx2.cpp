// Sixteen pixels of both rows at a time, in 32 bits: they are as exact as the reference is, since they do the same. What is
// left of a row is the reference's, not done over some that were done before: that would not do in place. Compiled for
// AVX2 function by function, as start_code_avx2.cpp.
#if defined(__x86_64__)

#include <immintrin.h>

#include "core/picture/yuv_matrix.hpp"

#define MEDIACORE_AVX2 [[gnu::target("avx2")]]

namespace mediacore::picture::yuv_matrix {
namespace {

using Byte = std::uint8_t;

constexpr std::size_t kStep = 16;  // pixels

struct Constants {
  __m256i luma;
  __m256i luma_bias;
  __m256i to_luma;
  __m256i to_u;
  __m256i to_v;
  __m256i chroma_bias;
};

// For _mm256_madd_epi16: the first weight is that of the even words.
MEDIACORE_AVX2 inline __m256i pairs(std::int16_t even, std::int16_t odd) noexcept {
  return _mm256_set1_epi32(static_cast<std::uint16_t>(even) | (static_cast<std::int32_t>(odd) << 16));
}

MEDIACORE_AVX2 inline Constants constants(const Weights& weights) noexcept {
  return {pairs(weights.luma, 0),
          _mm256_set1_epi32(weights.luma_bias),
          pairs(weights.u_to_luma, weights.v_to_luma),
          pairs(weights.u_to_u, weights.v_to_u),
          pairs(weights.u_to_v, weights.v_to_v),
          _mm256_set1_epi32((128 << kShift) + (1 << (kShift - 1)))};
}

// 32 bits of eight each to sixteen bytes; both in order.
MEDIACORE_AVX2 inline __m128i to_bytes(__m256i a, __m256i b) noexcept {
  const __m256i words = _mm256_packs_epi32(_mm256_srai_epi32(a, kShift), _mm256_srai_epi32(b, kShift));
  const __m256i ordered = _mm256_permute4x64_epi64(words, 0b11'01'10'00);
  return _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1));
}

MEDIACORE_AVX2 inline void luma_16(const Byte* from, Byte* to, __m256i colour, const Constants& with) noexcept {
  const __m256i left = _mm256_permutevar8x32_epi32(colour, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
  const __m256i right = _mm256_permutevar8x32_epi32(colour, _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7));
  const __m128i y = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  const __m256i low = _mm256_madd_epi16(_mm256_cvtepu8_epi32(y), with.luma);
  const __m256i high = _mm256_madd_epi16(_mm256_cvtepu8_epi32(_mm_unpackhi_epi64(y, y)), with.luma);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   to_bytes(_mm256_add_epi32(low, left), _mm256_add_epi32(high, right)));
}

MEDIACORE_AVX2 inline void convert_16(const RowPair& pair, std::size_t x, const Constants& with) noexcept {
  const __m128i both = _mm_unpacklo_epi8(_mm_loadu_si64(pair.u + x / 2), _mm_loadu_si64(pair.v + x / 2));
  const __m256i chroma = _mm256_sub_epi16(_mm256_cvtepu8_epi16(both), _mm256_set1_epi16(128));
  const __m256i colour = _mm256_add_epi32(_mm256_madd_epi16(chroma, with.to_luma), with.luma_bias);
  luma_16(pair.y_first + x, pair.to_y_first + x, colour, with);
  if (pair.y_second != pair.y_first) luma_16(pair.y_second + x, pair.to_y_second + x, colour, with);
  const __m256i u = _mm256_add_epi32(_mm256_madd_epi16(chroma, with.to_u), with.chroma_bias);
  const __m256i v = _mm256_add_epi32(_mm256_madd_epi16(chroma, with.to_v), with.chroma_bias);
  const __m128i bytes = to_bytes(u, v);
  _mm_storeu_si64(pair.to_u + x / 2, bytes);
  _mm_storeu_si64(pair.to_v + x / 2, _mm_unpackhi_epi64(bytes, bytes));
}

}  // namespace

MEDIACORE_AVX2 void avx2(const RowPair& pair, const Weights& weights) {
  const Constants with = constants(weights);
  std::size_t done = 0;
  for (; done + kStep <= pair.width; done += kStep) convert_16(pair, done, with);
  if (done == pair.width) return;
  scalar({pair.y_first + done, pair.y_second + done, pair.u + done / 2, pair.v + done / 2, pair.to_y_first + done,
          pair.to_y_second + done, pair.to_u + done / 2, pair.to_v + done / 2, pair.width - done},
         weights);
}

}  // namespace mediacore::picture::yuv_matrix

#undef MEDIACORE_AVX2

#endif
