// One access unit or audio packet, cut into RTP payloads once, and shared by all who send it.
//
// Memory: immutable once shared; the last reference frees it.
// Threads: a reference may be held by any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/rtp/payload_buffer.hpp"

namespace mediacore::egress {

// The time of one call: both clocks, read together by the caller.
struct Now {
  std::int64_t us = 0;    // monotonic
  std::uint64_t ntp = 0;  // UQ32.32, seconds since 1900
};

struct Frame {
  rtp::PayloadBuffer payloads;
  std::int64_t pts_us = 0;       // monotonic for live sources
  std::int64_t received_us = 0;  // when its first byte arrived
  std::int64_t complete_us = 0;  // when it was known to be whole
  bool is_key = false;
  std::size_t bytes = 0;  // of the payloads, summed

  // For those that are used again.
  std::size_t capacity() const noexcept { return payloads.capacity(); }
  void reserve(std::size_t room) { payloads.reserve(room); }
  void reset() noexcept {
    payloads.clear();
    pts_us = received_us = complete_us = 0;
    is_key = false;
    bytes = 0;
  }
};

using FrameRef = std::shared_ptr<const Frame>;

}  // namespace mediacore::egress
