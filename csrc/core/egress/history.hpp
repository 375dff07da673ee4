// The packets sent last, for who missed one: references to the frames' payloads and what their headers had, no copies.
//
// Guarantees: holds the last kLeastPackets packets, and all of the last kLeastUs, but no more than kMostPackets.
// Memory: a ring that doubles when the rate asks for it; no allocation per packet after that. What is beyond the guarantee
//   is let go of as packets come, so that a screen that rests keeps no more frames than it must.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/egress/frame.hpp"
#include "core/egress/header_template.hpp"

namespace mediacore::egress {

struct SentPacket {
  PacketFields fields;
  FrameRef frame;
  std::uint32_t payload = 0;  // its index in the frame
  bool resent = false;
  std::int64_t sent_us = 0;
  std::int64_t resent_us = 0;

  std::span<const std::uint8_t> bytes() const noexcept { return frame->payloads[payload]; }
};

class History {
 public:
  static constexpr std::size_t kLeastPackets = 1024;
  static constexpr std::int64_t kLeastUs = 1'000'000;
  // Half the circle of sequence numbers: so far back each of them names one packet. 300 Mb/s for a second.
  static constexpr std::size_t kMostPackets = std::size_t{1} << 15;

  History() : ring_(kLeastPackets) {}

  std::size_t size() const noexcept { return size_; }

  // Indices follow each other without a gap.
  void add(SentPacket packet);

  // None, if it is not held: too old, or never sent.
  SentPacket* find(std::uint16_t sequence_number) noexcept;
  SentPacket* find_index(std::uint64_t index) noexcept;

 private:
  SentPacket& at(std::uint64_t index) noexcept { return ring_[index & (ring_.size() - 1)]; }
  void drop_oldest() noexcept;
  void grow();

  std::vector<SentPacket> ring_;  // a power of two; a packet's place is its index modulo the size
  std::uint64_t end_ = 0;         // the index after the newest
  std::size_t size_ = 0;
};

}  // namespace mediacore::egress
