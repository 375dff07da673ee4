#include "core/picture/inflate_loop.hpp"

#include <cstring>

#include "core/picture/huffman_table.hpp"

namespace mediacore::picture::inflate_loop {
namespace {

std::uint64_t low_bits(std::uint64_t value, unsigned count) noexcept {
  return value & ((std::uint64_t{1} << (count & 63U)) - 1);
}

void copy(std::uint8_t* out, std::size_t distance, std::size_t length) noexcept {
  const std::uint8_t* from = out - distance;
  if (distance >= sizeof(std::uint64_t)) {
    std::uint8_t* const end = out + length;
    for (; out < end; out += sizeof(std::uint64_t), from += sizeof(std::uint64_t)) {
      std::memcpy(out, from, sizeof(std::uint64_t));
    }
    return;
  }
  for (std::size_t i = 0; i < length; ++i) out[i] = from[i];
}

bool has_avx2() noexcept {
#if defined(__x86_64__)
  static const bool has = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi2") != 0;
  return has;
#else
  return false;
#endif
}

}  // namespace

#define MEDIACORE_LOOP Outcome scalar(State& state) noexcept
#define MEDIACORE_LOW_BITS(value, count) low_bits(value, count)
#define MEDIACORE_COPY(out, distance, length) copy(out, distance, length)
#include "core/picture/inflate_loop.inc"
#undef MEDIACORE_LOOP
#undef MEDIACORE_LOW_BITS
#undef MEDIACORE_COPY

Function fastest() noexcept {
#if defined(__x86_64__)
  if (has_avx2()) return avx2;
#endif
  return scalar;
}

}  // namespace mediacore::picture::inflate_loop
