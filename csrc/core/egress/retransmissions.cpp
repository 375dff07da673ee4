#include "core/egress/retransmissions.hpp"

namespace mediacore::egress {

void Retransmissions::advance(std::uint64_t pacing_bps, std::int64_t now_us) noexcept {
  budget_.refill(now_us - now_us_);
  budget_.set(rate(pacing_bps), at_once(pacing_bps));
  now_us_ = std::max(now_us_, now_us);
}

bool Retransmissions::may_ask(std::int64_t now_us) noexcept {
  if (now_us >= second_end_us_) {
    second_end_us_ = now_us + 1'000'000;
    asked_ = 0;
  }
  if (asked_ == kMostAskedPerSecond) return false;
  ++asked_;
  return true;
}

bool Retransmissions::take(SentPacket& packet, std::size_t wire_bytes, std::int64_t rtt_us,
                           std::int64_t now_us) noexcept {
  const std::int64_t pause = std::max(rtt_us / 2, kLeastRepeatUs);
  if (packet.resent && now_us - packet.resent_us < pause) return false;
  if (size_ == kMostWaiting || !budget_.has(wire_bytes)) return false;
  budget_.take(wire_bytes);
  packet.resent = true;
  packet.resent_us = now_us;
  waiting_[(begin_ + size_) % kMostWaiting] = packet.fields.index;
  ++size_;
  return true;
}

}  // namespace mediacore::egress
