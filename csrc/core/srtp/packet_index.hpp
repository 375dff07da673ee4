// The 48-bit index of an RTP packet from the 16 bits that it carries (RFC 3711 3.3.1 and appendix A).
//
// Threads: pure functions.
#pragma once

#include <cstdint>

namespace mediacore::srtp {

inline constexpr std::uint64_t kRtpIndexes = std::uint64_t{1} << 48;  // then the keys are used up
inline constexpr std::uint64_t kRtcpIndexes = std::uint64_t{1} << 31;

// The index with these low 16 bits that is nearest to `highest`, the highest one authenticated so far; of two equally
// near ones that in the same round. There is no round before the first and none after the last of 2^32.
constexpr std::uint64_t estimate_index(std::uint64_t highest, std::uint16_t sequence_number) noexcept {
  constexpr std::uint64_t kRound = 0x1'0000;
  constexpr std::uint64_t kHalf = kRound / 2;
  const std::uint64_t last = highest % kRound;
  const std::uint64_t same_round = highest - last + sequence_number;
  if (last < kHalf) return sequence_number > last + kHalf && same_round >= kRound ? same_round - kRound : same_round;
  return sequence_number < last - kHalf && same_round + kRound < kRtpIndexes ? same_round + kRound : same_round;
}

}  // namespace mediacore::srtp
