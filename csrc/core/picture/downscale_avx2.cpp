// Two rows, and two columns of a pixel, are multiplied and added by one instruction; four pixels are packed at a time. Compiled for AVX2
// function by function, as start_code_avx2.cpp.
#if defined(__x86_64__)

#include <immintrin.h>

#include "core/picture/downscale.hpp"

#define MEDIACORE_AVX2 [[gnu::target("avx2")]]

namespace mediacore::picture::scale {
namespace {

constexpr std::size_t kStep = 32;

MEDIACORE_AVX2 inline __m256i load(const void* at) noexcept {
  return _mm256_loadu_si256(static_cast<const __m256i*>(at));
}
MEDIACORE_AVX2 inline void store(void* to, __m256i value) noexcept {
  _mm256_storeu_si256(static_cast<__m256i*>(to), value);
}

template <bool kBegins>
MEDIACORE_AVX2 inline std::size_t add_vectors(const TwoRows& rows, std::int16_t* sums) noexcept {
  const auto both = static_cast<std::uint16_t>(static_cast<std::uint8_t>(rows.first_weight) |
                                               (static_cast<std::uint8_t>(rows.second_weight) << 8));
  const __m256i weights = _mm256_set1_epi16(static_cast<std::int16_t>(both));
  std::size_t i = 0;
  for (; i + kStep <= rows.bytes; i += kStep) {
    const __m256i first = load(rows.first + i);
    const __m256i second = load(rows.second + i);
    const __m256i low = _mm256_maddubs_epi16(_mm256_unpacklo_epi8(first, second), weights);
    const __m256i high = _mm256_maddubs_epi16(_mm256_unpackhi_epi8(first, second), weights);
    __m256i sums0 = _mm256_permute2x128_si256(low, high, 0x20);
    __m256i sums1 = _mm256_permute2x128_si256(low, high, 0x31);
    if constexpr (!kBegins) {
      sums0 = _mm256_add_epi16(sums0, load(sums + i));
      sums1 = _mm256_add_epi16(sums1, load(sums + i + kStep / 2));
    }
    store(sums + i, sums0);
    store(sums + i + kStep / 2, sums1);
  }
  return i;
}

MEDIACORE_AVX2 void add(const TwoRows& rows, std::int16_t* sums) {
  const std::size_t done = rows.begins ? add_vectors<true>(rows, sums) : add_vectors<false>(rows, sums);
  if (done == rows.bytes) return;
  TwoRows rest = rows;
  rest.first += done;
  rest.second += done;
  rest.bytes -= done;
  scalar().add(rest, sums + done);
}

// Two columns of each of two pixels, so that the same colours stand beside each other.
template <std::size_t kPixel>
MEDIACORE_AVX2 inline __m256i two_columns(const std::int16_t* left, const std::int16_t* right) noexcept {
  const __m256i both =
      _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(left))),
                              _mm_loadu_si128(reinterpret_cast<const __m128i*>(right)), 1);
  if constexpr (kPixel == 4) {
    return _mm256_shuffle_epi8(
        both, _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15)));
  }
  return _mm256_shuffle_epi8(
      both, _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11, -1, -1, -1, -1)));
}

// Of the pixels at x, which is even, and x + 1, which may be one too many.
template <std::size_t kPixel>
MEDIACORE_AVX2 inline __m256i two_means(const Mean& mean, std::size_t x, std::size_t next, std::size_t pairs,
                                        __m256i offset, __m128i shift) noexcept {
  const std::int16_t* left = mean.sums + mean.first[x] * kPixel;
  const std::int16_t* right = mean.sums + mean.first[next] * kPixel;
  const std::int16_t* weights = mean.weights + x * pairs * kPairWeights;
  __m256i sum = offset;
  for (std::size_t k = 0; k < pairs; ++k, left += 2 * kPixel, right += 2 * kPixel, weights += 2 * kPairWeights) {
    const __m256i of_pair = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(two_columns<kPixel>(left, right), of_pair));
  }
  return _mm256_sra_epi32(sum, shift);
}

// `kPairs` is 0 if their number is not known when this is compiled.
template <std::size_t kPixel, std::size_t kPairs>
MEDIACORE_AVX2 inline void finish_pairs(const Mean& mean, std::uint8_t* to) noexcept {
  const std::size_t pairs = kPairs != 0 ? kPairs : mean.pairs;
  const __m256i offset = _mm256_set1_epi32(mean.offset);
  const __m128i shift = _mm_cvtsi32_si128(mean.shift);
  const __m128i opaque = _mm_set1_epi32(static_cast<std::int32_t>(0xFF000000));
  std::size_t x = 0;
  for (; x + 4 <= mean.width; x += 4, to += 16) {
    // Pixels 0 and 2 in the low half, 1 and 3 in the high one.
    const __m256i words = _mm256_packs_epi32(two_means<kPixel>(mean, x, x + 1, pairs, offset, shift),
                                             two_means<kPixel>(mean, x + 2, x + 3, pairs, offset, shift));
    const __m128i even = _mm256_castsi256_si128(words);
    const __m128i odd = _mm256_extracti128_si256(words, 1);
    const __m128i bytes = _mm_packus_epi16(_mm_unpacklo_epi64(even, odd), _mm_unpackhi_epi64(even, odd));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_or_si128(bytes, opaque));
  }
  for (; x < mean.width; x += 2, to += 8) {
    const bool is_last = x + 1 == mean.width;
    const __m256i words = _mm256_packs_epi32(two_means<kPixel>(mean, x, is_last ? x : x + 1, pairs, offset, shift),
                                             _mm256_setzero_si256());
    const __m128i both = _mm_unpacklo_epi64(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    const __m128i bytes = _mm_or_si128(_mm_packus_epi16(both, both), opaque);
    if (is_last) {
      _mm_storeu_si32(to, bytes);
    } else {
      _mm_storeu_si64(to, bytes);
    }
  }
}

template <std::size_t kPixel>
MEDIACORE_AVX2 void finish(const Mean& mean, std::uint8_t* to) {
  switch (mean.pairs) {
    case 1: finish_pairs<kPixel, 1>(mean, to); break;
    case 2: finish_pairs<kPixel, 2>(mean, to); break;
    default: finish_pairs<kPixel, 0>(mean, to); break;
  }
}

}  // namespace

const Kernels& avx2() noexcept {
  static const Kernels kAvx2{add, scalar().finish_1, finish<3>, finish<4>};
  return kAvx2;
}

bool has_avx2() noexcept {
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
}

}  // namespace mediacore::picture::scale

#undef MEDIACORE_AVX2

#endif
