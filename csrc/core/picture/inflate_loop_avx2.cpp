// BMI2 takes bits without looking at flags, and matches are copied 32 bytes at a time, those of short distances as
// a pattern: residuals of screens repeat every pixel, and most of a screen's bytes come from long matches.
#if defined(__x86_64__)

#include <immintrin.h>

#include <array>
#include <cstring>

#include "core/picture/huffman_table.hpp"
#include "core/picture/inflate_loop.hpp"

#define MEDIACORE_AVX2 [[gnu::target("avx2,bmi,bmi2")]]

namespace mediacore::picture::inflate_loop {
namespace {

constexpr std::size_t kVector = 32;
constexpr std::size_t kHalf = 16;

// For each short distance: how its bytes are repeated over half a vector.
struct Patterns {
  alignas(kHalf) std::array<std::array<std::uint8_t, kHalf>, kHalf> bytes{};
  std::array<std::uint8_t, kHalf> step{};  // the whole repeats in it
};
constexpr Patterns kPatterns = [] {
  Patterns patterns;
  for (std::size_t distance = 1; distance < kHalf; ++distance) {
    patterns.step[distance] = static_cast<std::uint8_t>(kHalf - kHalf % distance);
    for (std::size_t i = 0; i < kHalf; ++i) patterns.bytes[distance][i] = static_cast<std::uint8_t>(i % distance);
  }
  return patterns;
}();

MEDIACORE_AVX2 inline void copy(std::uint8_t* out, std::size_t distance, std::size_t length) noexcept {
  const std::uint8_t* from = out - distance;
  const std::uint8_t* const end = out + length;
  if (distance >= kVector) {
    // Two at a time: how often a loop is gone through is hard to foresee.
    do {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + kVector),
                          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + kVector)));
      from += 2 * kVector;
      out += 2 * kVector;
    } while (out < end);
    return;
  }
  __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  if (distance >= kHalf) {
    while (true) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
      out += kHalf;
      from += kHalf;
      if (out >= end) return;
      bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    }
  }
  bytes = _mm_shuffle_epi8(bytes, _mm_load_si128(reinterpret_cast<const __m128i*>(kPatterns.bytes[distance].data())));
  if ((distance & (distance - 1)) == 0) {  // a power of two: the pattern goes on from one vector to the next
    const __m256i both = _mm256_broadcastsi128_si256(bytes);
    do {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), both);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + kVector), both);
      out += 2 * kVector;
    } while (out < end);
    return;
  }
  const std::size_t step = kPatterns.step[distance];
  do {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
    out += step;
  } while (out < end);
}

}  // namespace

#define MEDIACORE_LOOP MEDIACORE_AVX2 Outcome avx2(State& state) noexcept
#define MEDIACORE_LOW_BITS(value, count) _bzhi_u64(value, count)
#define MEDIACORE_COPY(out, distance, length) copy(out, distance, length)
#include "core/picture/inflate_loop.inc"
#undef MEDIACORE_LOOP
#undef MEDIACORE_LOW_BITS
#undef MEDIACORE_COPY

}  // namespace mediacore::picture::inflate_loop

#undef MEDIACORE_AVX2

#endif
