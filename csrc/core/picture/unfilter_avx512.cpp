// As unfilter_avx2.cpp, with vectors of the same size: a choice between three takes two instructions instead of six.
#if defined(__x86_64__)

#include <immintrin.h>

#include <cstring>

#include "core/picture/unfilter.hpp"

#define MEDIACORE_TARGET [[gnu::target("avx2,avx512f,avx512bw,avx512vl")]]

namespace mediacore::picture::unfilter {
namespace {

constexpr int kFirstPicks = 0xCA;  // where the first is set the second, else the third

MEDIACORE_TARGET inline __m128i pick(__m128i not_least, __m128i not_most, __m128i between, __m128i least,
                                     __m128i most) noexcept {
  const __m128i other = _mm_ternarylogic_epi32(not_most, between, most, kFirstPicks);
  return _mm_ternarylogic_epi32(not_least, other, least, kFirstPicks);
}
MEDIACORE_TARGET inline __m256i pick(__m256i not_least, __m256i not_most, __m256i between, __m256i least,
                                     __m256i most) noexcept {
  const __m256i other = _mm256_ternarylogic_epi32(not_most, between, most, kFirstPicks);
  return _mm256_ternarylogic_epi32(not_least, other, least, kFirstPicks);
}

#include "core/picture/unfilter_x86.inc"

}  // namespace

const Kernels& avx512(std::size_t pixel_bytes) noexcept {
  return kernels(pixel_bytes);
}

// VBMI2 tells the processors (Ice Lake, Zen 4 and later) that do not clock down for such instructions.
bool has_avx512() noexcept {
  static const bool has = __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
                          __builtin_cpu_supports("avx512vbmi2") != 0;
  return has;
}

}  // namespace mediacore::picture::unfilter

#undef MEDIACORE_TARGET

#endif
