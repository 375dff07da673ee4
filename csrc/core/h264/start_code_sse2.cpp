// The baseline of x86-64: (p0 | p1 | (p2 ^ 1)) is 0 exactly where 00 00 01 begins. The minimum over four vectors
// leaves one branch per 64 bytes.
#if defined(__x86_64__)

#include <emmintrin.h>

#include <bit>

#include "core/h264/start_code.hpp"

namespace mediacore::h264::scan {
namespace {

inline __m128i load(const std::uint8_t* at) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

// Zero in each byte where a start code begins. Reads at[0] to at[17].
inline __m128i zero_at_code(const std::uint8_t* at) noexcept {
  const __m128i third = _mm_xor_si128(load(at + 2), _mm_set1_epi8(1));
  return _mm_or_si128(_mm_or_si128(load(at), load(at + 1)), third);
}

inline unsigned zero_mask(__m128i bytes) noexcept {
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_setzero_si128())));
}

}  // namespace

const std::uint8_t* sse2(const std::uint8_t* begin, const std::uint8_t* end) noexcept {
  for (; end - begin >= 64 + 2; begin += 64) {
    const __m128i a = zero_at_code(begin);
    const __m128i b = zero_at_code(begin + 16);
    const __m128i c = zero_at_code(begin + 32);
    const __m128i d = zero_at_code(begin + 48);
    if (zero_mask(_mm_min_epu8(_mm_min_epu8(a, b), _mm_min_epu8(c, d))) == 0) continue;
    const std::uint64_t low = zero_mask(a) | (zero_mask(b) << 16);
    const std::uint64_t high = zero_mask(c) | (zero_mask(d) << 16);
    return begin + std::countr_zero(low | (high << 32));
  }
  for (; end - begin >= 16 + 2; begin += 16) {
    const unsigned mask = zero_mask(zero_at_code(begin));
    if (mask != 0) return begin + std::countr_zero(mask);
  }
  return scalar(begin, end);
}

}  // namespace mediacore::h264::scan

#endif
