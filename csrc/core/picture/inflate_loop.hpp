// The inner loop of inflating: codes to bytes, within one block of DEFLATE, as far as input and room go.
//
// Guarantees: reads at most kReadAhead bytes from where `in` stands when it is below `in_end`; writes at most kOverrun
//   bytes past `out_end`. A distance that reaches before `history` is bad. Every instruction set gives the same bytes.
// Threads: pure functions. The instruction set is chosen once, at the first use.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mediacore::picture::inflate_loop {

inline constexpr unsigned kLiteralBits = 11;   // by which literals and lengths are looked up
inline constexpr unsigned kDistanceBits = 8;   // by which distances are
inline constexpr std::size_t kReadAhead = 24;  // three times eight bytes, each up to seven bytes further on
// The longest match, two literals before it, and two vectors that were begun.
inline constexpr std::size_t kOverrun = 258 + 2 + 64;

struct State {
  const std::uint8_t* in;
  const std::uint8_t* in_end;  // no iteration begins here or later
  std::uint64_t bits;  // the lowest `count` are those that come next; above them may be some of the following ones
  unsigned count;
  std::uint8_t* out;
  std::uint8_t* out_end;  // no iteration begins here or later
  const std::uint8_t* history;
  const std::uint32_t* literals;
  const std::uint32_t* distances;
};

enum class Outcome : std::uint8_t { at_an_end, block_ended, bad };

using Function = Outcome (*)(State& state) noexcept;

Outcome scalar(State& state) noexcept;
#if defined(__x86_64__)
Outcome avx2(State& state) noexcept;  // needs AVX2 and BMI2
#endif
Function fastest() noexcept;

}  // namespace mediacore::picture::inflate_loop
