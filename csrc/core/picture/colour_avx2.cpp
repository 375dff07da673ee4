// Sixteen pixels of both rows at a time. Luma: the weights are unsigned bytes (one is above 127), so the pixels are
// shifted to signed ones. Chroma: bytes are added up to 16-bit sums of 2x2 pixels, those times 16-bit weights to 32-bit.
// The last sixteen pixels of a row are done where the row ends, over some that were done before. Compiled for AVX2
// function by function, as start_code_avx2.cpp.
#if defined(__x86_64__)

#include <immintrin.h>

#include "core/picture/colour.hpp"

#define MEDIACORE_AVX2 [[gnu::target("avx2")]]

namespace mediacore::picture::colour {
namespace {

using Byte = std::uint8_t;

constexpr std::size_t kStep = 16;  // pixels

struct Constants {
  __m256i luma;
  __m256i luma_bias;
  __m256i u;
  __m256i v;
  __m256i chroma_bias;
};

MEDIACORE_AVX2 inline __m256i four_words(const std::array<std::int16_t, 4>& weights) noexcept {
  return _mm256_broadcastq_epi64(_mm_loadu_si64(weights.data()));
}

MEDIACORE_AVX2 inline Constants constants(const Weights& weights) noexcept {
  const __m128i luma = _mm_loadu_si64(weights.luma.data());
  // (p - 128) * w: what is taken away is 128 times the sum of the weights.
  const int sum = weights.luma[0] + weights.luma[1] + weights.luma[2];
  return {_mm256_broadcastd_epi32(_mm_packus_epi16(luma, luma)),
          _mm256_set1_epi16(static_cast<std::int16_t>(sum * 128 + 16 * 256 + 128)), four_words(weights.u),
          four_words(weights.v), _mm256_set1_epi32((128 << 16) + (1 << 15))};
}

// Eight pixels as four bytes each. Those of three bytes are read as twice 16 bytes, of which 12 count: the second time
// from 4 bytes before, so that nothing behind the last pixel is read.
template <std::size_t kPixel>
MEDIACORE_AVX2 inline __m256i load_8(const Byte* at) noexcept {
  if constexpr (kPixel == 4) return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
  const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 8));
  const __m256i order = _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1,  //
                                         4, 5, 6, -1, 7, 8, 9, -1, 10, 11, 12, -1, 13, 14, 15, -1);
  return _mm256_shuffle_epi8(_mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1), order);
}

MEDIACORE_AVX2 inline void store_luma(Byte* to, __m256i a, __m256i b, const Constants& with) noexcept {
  const __m256i flip = _mm256_set1_epi8(-128);
  const __m256i pairs_a = _mm256_maddubs_epi16(with.luma, _mm256_xor_si256(a, flip));
  const __m256i pairs_b = _mm256_maddubs_epi16(with.luma, _mm256_xor_si256(b, flip));
  const __m256i sums = _mm256_srli_epi16(_mm256_add_epi16(_mm256_hadd_epi16(pairs_a, pairs_b), with.luma_bias), 8);
  const __m256i bytes = _mm256_packus_epi16(sums, sums);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1)));
}

// Of eight pixels and the eight below: u u v v u u v v as 32 bits.
MEDIACORE_AVX2 inline __m256i chroma(__m256i first, __m256i second, const Constants& with) noexcept {
  const __m256i pairs = _mm256_setr_epi8(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15,  //
                                         0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
  const __m256i ones = _mm256_set1_epi8(1);
  const __m256i sums = _mm256_add_epi16(_mm256_maddubs_epi16(_mm256_shuffle_epi8(first, pairs), ones),
                                        _mm256_maddubs_epi16(_mm256_shuffle_epi8(second, pairs), ones));
  const __m256i both = _mm256_hadd_epi32(_mm256_madd_epi16(sums, with.u), _mm256_madd_epi16(sums, with.v));
  return _mm256_srli_epi32(_mm256_add_epi32(both, with.chroma_bias), 16);
}

template <std::size_t kPixel>
MEDIACORE_AVX2 inline void convert_16(const RowPair& pair, std::size_t x, const Constants& with) noexcept {
  const Byte* const first = pair.first + x * kPixel;
  const Byte* const second = pair.second + x * kPixel;
  const __m256i a0 = load_8<kPixel>(first);
  const __m256i b0 = load_8<kPixel>(first + 8 * kPixel);
  const __m256i a1 = load_8<kPixel>(second);
  const __m256i b1 = load_8<kPixel>(second + 8 * kPixel);
  store_luma(pair.y_first + x, a0, b0, with);
  store_luma(pair.y_second + x, a1, b1, with);
  const __m256i words = _mm256_packus_epi32(chroma(a0, a1, with), chroma(b0, b1, with));
  const __m256i bytes = _mm256_packus_epi16(words, words);
  const __m128i mixed = _mm_unpacklo_epi16(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
  const __m128i apart = _mm_shuffle_epi32(mixed, 0b11'01'10'00);
  _mm_storeu_si64(pair.u + x / 2, apart);
  _mm_storeu_si64(pair.v + x / 2, _mm_unpackhi_epi64(apart, apart));
}

template <std::size_t kPixel>
MEDIACORE_AVX2 void convert(const RowPair& pair, const Weights& weights) {
  const std::size_t even = pair.width & ~std::size_t{1};
  std::size_t done = 0;
  if (even >= kStep) {
    const Constants with = constants(weights);
    for (; done + kStep <= even; done += kStep) convert_16<kPixel>(pair, done, with);
    if (done < even) convert_16<kPixel>(pair, even - kStep, with);
    done = even;
  }
  if (done == pair.width) return;
  scalar(kPixel)({pair.first + done * kPixel, pair.second + done * kPixel, pair.y_first + done, pair.y_second + done,
                  pair.u + done / 2, pair.v + done / 2, pair.width - done},
                 weights);
}

}  // namespace

Function avx2(std::size_t pixel_bytes) noexcept {
  return pixel_bytes == 3 ? convert<3> : convert<4>;
}

}  // namespace mediacore::picture::colour

#undef MEDIACORE_AVX2

#endif
