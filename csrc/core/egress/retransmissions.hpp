// Which of the packets that a viewer asks for again are sent again, and those that wait for it.
//
// Limits, so that a viewer, or one who plays its NACKs again, cannot make a stream of its own:
// - a budget of bytes: a quarter of the pacing rate, with half a second of it at once. Repairs of 5 % loss need a fifth of
//   that; a path that loses a quarter wants a lower rate, not more packets;
// - one packet not twice within half a round trip, 5 ms at least: the repetition cannot have arrived yet;
// - kMostAskedPerSecond numbers are looked at.
// Memory: a ring of kMostWaiting.
// Threads: one owner.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/egress/history.hpp"
#include "core/egress/token_bucket.hpp"

namespace mediacore::egress {

class Retransmissions {
 public:
  static constexpr std::uint64_t kShare = 4;           // of the pacing rate: one part in four
  static constexpr std::uint64_t kLeastBps = 500'000;  // a lost packet a frame at 30 frames/s, on any path
  static constexpr std::size_t kLeastBytes = std::size_t{64} << 10;  // half of a large key frame at once
  static constexpr std::int64_t kLeastRepeatUs = 5'000;
  // All packets of a second at 80 Mb/s, asked for once.
  static constexpr std::uint32_t kMostAskedPerSecond = 8192;
  static constexpr std::size_t kMostWaiting = 1024;  // the history's least; a second of 10 Mb/s

  Retransmissions(std::uint64_t pacing_bps, std::int64_t now_us) noexcept
      : budget_(rate(pacing_bps), at_once(pacing_bps)), now_us_(now_us), second_end_us_(now_us) {}

  void advance(std::uint64_t pacing_bps, std::int64_t now_us) noexcept;
  // Whether one more number of a NACK is looked at.
  bool may_ask(std::int64_t now_us) noexcept;
  // Takes a packet of `wire_bytes` that was asked for, or not. `rtt_us` is negative if it is not known.
  bool take(SentPacket& packet, std::size_t wire_bytes, std::int64_t rtt_us, std::int64_t now_us) noexcept;

  bool empty() const noexcept { return size_ == 0; }
  std::uint64_t front() const noexcept { return waiting_[begin_]; }  // the packet's index
  void pop() noexcept {
    begin_ = (begin_ + 1) % kMostWaiting;
    --size_;
  }

 private:
  static std::uint64_t rate(std::uint64_t pacing_bps) noexcept { return std::max(pacing_bps / kShare, kLeastBps); }
  static std::size_t at_once(std::uint64_t pacing_bps) noexcept {
    return std::max(static_cast<std::size_t>(rate(pacing_bps) / 8 / 2), kLeastBytes);
  }

  TokenBucket budget_;
  std::int64_t now_us_;
  std::int64_t second_end_us_;
  std::uint32_t asked_ = 0;
  std::array<std::uint64_t, kMostWaiting> waiting_{};
  std::size_t begin_ = 0;
  std::size_t size_ = 0;
};

}  // namespace mediacore::egress
