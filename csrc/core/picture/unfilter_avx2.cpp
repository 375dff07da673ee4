#if defined(__x86_64__)

#include <immintrin.h>

#include <cstring>

#include "core/picture/unfilter.hpp"

#define MEDIACORE_TARGET [[gnu::target("avx2")]]

namespace mediacore::picture::unfilter {
namespace {

// Both masks are never unset at once, but where `least` and `most` are equal.
MEDIACORE_TARGET inline __m128i pick(__m128i not_least, __m128i not_most, __m128i between, __m128i least,
                                     __m128i most) noexcept {
  const __m128i outside = _mm_or_si128(_mm_andnot_si128(not_least, least), _mm_andnot_si128(not_most, most));
  return _mm_or_si128(_mm_and_si128(_mm_and_si128(not_least, not_most), between), outside);
}
MEDIACORE_TARGET inline __m256i pick(__m256i not_least, __m256i not_most, __m256i between, __m256i least,
                                     __m256i most) noexcept {
  const __m256i outside = _mm256_or_si256(_mm256_andnot_si256(not_least, least), _mm256_andnot_si256(not_most, most));
  return _mm256_or_si256(_mm256_and_si256(_mm256_and_si256(not_least, not_most), between), outside);
}

#include "core/picture/unfilter_x86.inc"

}  // namespace

const Kernels& avx2(std::size_t pixel_bytes) noexcept {
  return kernels(pixel_bytes);
}

bool has_avx2() noexcept {
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
}

}  // namespace mediacore::picture::unfilter

#undef MEDIACORE_TARGET

#endif
