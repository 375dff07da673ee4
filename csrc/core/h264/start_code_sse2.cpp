// The baseline of x86-64: (p0 | p1 | (p2 ^ 1)) is 0 exactly where 00 00 01 begins. The minimum over four vectors
// leaves one branch per 64 bytes.
#if defined(__x86_64__)

#include <emmintrin.h>

#include <array>
#include <cstring>

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

// Where start codes begin in a block. Reads at[0] to at[65].
inline std::uint64_t codes_at(const std::uint8_t* at) noexcept {
  const __m128i a = zero_at_code(at);
  const __m128i b = zero_at_code(at + 16);
  const __m128i c = zero_at_code(at + 32);
  const __m128i d = zero_at_code(at + 48);
  if (zero_mask(_mm_min_epu8(_mm_min_epu8(a, b), _mm_min_epu8(c, d))) == 0) return 0;
  const std::uint64_t low = zero_mask(a) | (zero_mask(b) << 16);
  const std::uint64_t high = zero_mask(c) | (zero_mask(d) << 16);
  return low | (high << 32);
}

}  // namespace

const std::uint8_t* sse2(const std::uint8_t* begin, const std::uint8_t* end, std::uint64_t& codes) noexcept {
  constexpr std::size_t kReads = kBlockBytes + 2;
  for (; end - begin >= std::ptrdiff_t{kReads}; begin += kBlockBytes) {
    codes = codes_at(begin);
    if (codes != 0) return begin;
  }
  codes = 0;
  const auto rest = static_cast<std::size_t>(end - begin);
  if (rest < 3) return end;
  // The rest is looked at in a copy that goes on with bytes that are in no start code.
  std::array<std::uint8_t, kReads> padded;
  std::memset(padded.data(), 0xFF, padded.size());
  std::memcpy(padded.data(), begin, rest);
  codes = codes_at(padded.data());
  return codes != 0 ? begin : end;
}

}  // namespace mediacore::h264::scan

#endif
