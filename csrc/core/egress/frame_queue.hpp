// Frames that wait to be sent, the first of them perhaps in part.
//
// Guarantees: bytes() is what waits as it will be on the wire, packet by packet.
// bytes_behind() leaves out the newest key frame (or replay): a key frame may be larger than any limit of the queue, and
//   would never be sent if it counted; so the limit is on what waits besides.
// Memory: references to frames in a ring that doubles; its user bounds it.
// Threads: one owner.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "core/egress/frame.hpp"

namespace mediacore::egress {

struct WaitingFrame {
  FrameRef frame;
  std::int64_t pts_us = 0;
  bool replayed = false;
  std::size_t next = 0;        // payload
  std::size_t left_bytes = 0;  // on the wire
  // From the first packet on.
  std::optional<std::uint32_t> timestamp;
  std::uint64_t capture_ntp = 0;  // 0: none
};

class FrameQueue {
 public:
  // `packet_overhead`: what is on the wire besides a payload.
  explicit FrameQueue(std::size_t packet_overhead) : overhead_(packet_overhead), ring_(kSmallest) {}

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  std::size_t bytes() const noexcept { return bytes_; }
  std::size_t bytes_behind() const noexcept { return bytes_ - key_bytes_; }

  void push(FrameRef frame, std::int64_t pts_us, bool replayed = false);
  WaitingFrame& front() noexcept { return at(begin_); }
  const WaitingFrame& front() const noexcept { return ring_[begin_ & (ring_.size() - 1)]; }
  // The front's next packet was sent. True if it was the last one: the frame is gone.
  bool advance() noexcept;
  // Drops the oldest frames until so many are left; returns how many were dropped.
  std::size_t keep(std::size_t frames) noexcept;

 private:
  static constexpr std::size_t kSmallest = 16;

  WaitingFrame& at(std::uint64_t place) noexcept { return ring_[place & (ring_.size() - 1)]; }
  bool is_newest_key(std::uint64_t place) const noexcept { return place >= key_begin_ && place < key_end_; }
  void subtract(std::size_t bytes) noexcept;
  void pop() noexcept;

  std::size_t overhead_;
  std::vector<WaitingFrame> ring_;  // a power of two
  std::uint64_t begin_ = 0;
  std::size_t size_ = 0;
  std::size_t bytes_ = 0;
  // The newest key frame, or a replay: its places, and how much of it waits.
  std::uint64_t key_begin_ = 0;
  std::uint64_t key_end_ = 0;
  std::size_t key_bytes_ = 0;
};

}  // namespace mediacore::egress
