// As start_code_avx2.cpp with 64-byte vectors: a vector is a block, one branch per 256 bytes, and the end is read by
// masked loads, which touch no byte past it.
#if defined(__x86_64__)

#include <immintrin.h>

#include "core/h264/start_code.hpp"

namespace mediacore::h264::scan {
namespace {

constexpr std::size_t kStep = 4 * kBlockBytes;
constexpr std::size_t kPrefetch = 1024;  // as start_code_avx2.cpp

[[gnu::target("avx512bw")]] inline __m512i load(const std::uint8_t* at) noexcept {
  return _mm512_loadu_si512(at);
}

// The first `count` bytes, and 255 for those after them.
[[gnu::target("avx512bw")]] inline __m512i load(const std::uint8_t* at, std::size_t count) noexcept {
  const __mmask64 there = count < kBlockBytes ? (std::uint64_t{1} << count) - 1 : ~std::uint64_t{0};
  return _mm512_mask_loadu_epi8(_mm512_set1_epi8(-1), there, at);
}

// Zero in each byte where a start code begins.
[[gnu::target("avx512bw")]] inline __m512i zero_at_code(__m512i first, __m512i second, __m512i third) noexcept {
  constexpr int kOr = 0xFE;  // of all three
  return _mm512_ternarylogic_epi32(first, second, _mm512_xor_si512(third, _mm512_set1_epi8(1)), kOr);
}

[[gnu::target("avx512bw")]] inline __m512i zero_at_code(const std::uint8_t* at) noexcept {
  return zero_at_code(load(at), load(at + 1), load(at + 2));
}

[[gnu::target("avx512bw")]] inline std::uint64_t zero_mask(__m512i bytes) noexcept {
  return _mm512_testn_epi8_mask(bytes, bytes);
}

}  // namespace

[[gnu::target("avx512bw")]] const std::uint8_t* avx512(const std::uint8_t* begin, const std::uint8_t* end,
                                                       std::uint64_t& codes) noexcept {
  if (end - begin >= std::ptrdiff_t{kBlockBytes + 2}) {
    codes = zero_mask(zero_at_code(begin));
    if (codes != 0) return begin;
    begin += kBlockBytes - reinterpret_cast<std::uintptr_t>(begin) % kBlockBytes;
  }
  for (; end - begin >= std::ptrdiff_t{kStep + 2}; begin += kStep) {
    for (std::size_t at = 0; at < kStep; at += kBlockBytes) {
      _mm_prefetch(reinterpret_cast<const char*>(begin) + kPrefetch + at, _MM_HINT_T0);
    }
    const __m512i a = zero_at_code(begin);
    const __m512i b = zero_at_code(begin + kBlockBytes);
    const __m512i c = zero_at_code(begin + 2 * kBlockBytes);
    const __m512i d = zero_at_code(begin + 3 * kBlockBytes);
    if (zero_mask(_mm512_min_epu8(_mm512_min_epu8(a, b), _mm512_min_epu8(c, d))) == 0) continue;
    codes = zero_mask(a);
    if (codes != 0) return begin;
    codes = zero_mask(b);
    if (codes != 0) return begin + kBlockBytes;
    codes = zero_mask(c);
    if (codes != 0) return begin + 2 * kBlockBytes;
    codes = zero_mask(d);
    return begin + 3 * kBlockBytes;
  }
  for (; end - begin >= 3; begin += kBlockBytes) {
    const auto rest = static_cast<std::size_t>(end - begin);
    codes = zero_mask(zero_at_code(load(begin, rest), load(begin + 1, rest - 1), load(begin + 2, rest - 2)));
    if (codes != 0) return begin;
    if (rest <= kBlockBytes) break;
  }
  codes = 0;
  return end;
}

// Processors with VBMI2 (Ice Lake, Zen 4 and later) do not clock down for vectors of this size, as older ones do.
bool has_avx512() noexcept {
  return __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vbmi2") != 0;
}

}  // namespace mediacore::h264::scan

#endif
