// Tells lost and late packets from the sequence numbers of one SSRC.
//
// Policy: does not reorder. A packet that comes after a later one is late, and the gap that it left was lost. A jump of
//   more than kMaxDropout ahead or kMaxMisorder back is a sender that started anew.
// Threads: one owner.
// Specification: RFC 3550 A.1, without its probation.
#pragma once

#include <cstdint>
#include <optional>

#include "core/rtp/sequence_number.hpp"

namespace mediacore::rtp {

inline constexpr int kMaxDropout = 3000;  // a minute of audio, some seconds of video
inline constexpr int kMaxMisorder = 100;

struct Arrival {
  bool late = false;       // late or twice: of no use any more
  std::uint32_t lost = 0;  // packets missing before this one; 1 if the sender started anew
};

class PacketOrder {
 public:
  Arrival observe(SequenceNumber number) noexcept {
    if (!last_) {
      last_ = number;
      return {};
    }
    const int ahead = distance(*last_, number);
    if (ahead <= 0 && ahead >= -kMaxMisorder) return {.late = true};
    last_ = number;
    const bool anew = ahead < 0 || ahead > kMaxDropout;
    return {.lost = anew ? 1U : static_cast<std::uint32_t>(ahead - 1)};
  }

 private:
  std::optional<SequenceNumber> last_;
};

}  // namespace mediacore::rtp
