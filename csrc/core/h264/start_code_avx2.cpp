// As start_code_sse2.cpp with 32-byte vectors: one branch per 128 bytes. Compiled for AVX2 function by function, so
// that no inline function of a header is built with instructions that another machine lacks.
#if defined(__x86_64__)

#include <immintrin.h>

#include "core/h264/start_code.hpp"

namespace mediacore::h264::scan {
namespace {

constexpr std::size_t kStep = 2 * kBlockBytes;
// The hardware's own prefetching does not keep up out of the second-level cache: 5 to 10 %.
constexpr std::size_t kPrefetch = 1024;

[[gnu::target("avx2")]] inline __m256i load(const std::uint8_t* at) noexcept {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}

// Zero in each byte where a start code begins. Reads at[0] to at[33].
[[gnu::target("avx2")]] inline __m256i zero_at_code(const std::uint8_t* at) noexcept {
  const __m256i third = _mm256_xor_si256(load(at + 2), _mm256_set1_epi8(1));
  return _mm256_or_si256(_mm256_or_si256(load(at), load(at + 1)), third);
}

[[gnu::target("avx2")]] inline std::uint32_t zero_mask(__m256i bytes) noexcept {
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_setzero_si256())));
}

[[gnu::target("avx2")]] inline std::uint64_t zero_mask(__m256i low, __m256i high) noexcept {
  return zero_mask(low) | (std::uint64_t{zero_mask(high)} << 32);
}

}  // namespace

[[gnu::target("avx2")]] const std::uint8_t* avx2(const std::uint8_t* begin, const std::uint8_t* end,
                                                 std::uint64_t& codes) noexcept {
  if (end - begin >= std::ptrdiff_t{kBlockBytes + 2}) {
    // The first block wherever it is, the others where a cache line begins: that saves a quarter of the line crossings.
    codes = zero_mask(zero_at_code(begin), zero_at_code(begin + 32));
    if (codes != 0) return begin;
    begin += kBlockBytes - reinterpret_cast<std::uintptr_t>(begin) % kBlockBytes;
  }
  for (; end - begin >= std::ptrdiff_t{kStep + 2}; begin += kStep) {
    _mm_prefetch(reinterpret_cast<const char*>(begin) + kPrefetch, _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(begin) + kPrefetch + kBlockBytes, _MM_HINT_T0);
    const __m256i a = zero_at_code(begin);
    const __m256i b = zero_at_code(begin + 32);
    const __m256i c = zero_at_code(begin + 64);
    const __m256i d = zero_at_code(begin + 96);
    if (zero_mask(_mm256_min_epu8(_mm256_min_epu8(a, b), _mm256_min_epu8(c, d))) == 0) continue;
    codes = zero_mask(a, b);
    if (codes != 0) return begin;
    codes = zero_mask(c, d);
    return begin + kBlockBytes;
  }
  return sse2(begin, end, codes);
}

bool has_avx2() noexcept {
  return __builtin_cpu_supports("avx2") != 0;
}

}  // namespace mediacore::h264::scan

#endif
