// Cuts a frame into parts with a head before each: what the payload formats of VP8 and VP9 are, but for the head.
// Threads: pure function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "core/rtp/payload_buffer.hpp"
#include "core/rtp/payload_limits.hpp"

namespace mediacore::rtp {

inline constexpr std::size_t kLeastCutPayloadBytes = 64;  // room for any head, reductions, and data

// `head_bytes` stand before each part, and `first_extra` more before the first one. write_head(to, first, last) writes
// them.
template <class WriteHead>
void cut_frame(std::span<const std::uint8_t> frame, const PayloadLimits& limits, std::size_t head_bytes,
               std::size_t first_extra, PayloadBuffer& out, WriteHead&& write_head) {
  const auto put = [&](std::size_t from, std::size_t size, bool first, bool last) {
    const std::size_t head = head_bytes + (first ? first_extra : 0);
    std::uint8_t* const payload = out.add(head + size);
    write_head(payload, first, last);
    std::memcpy(payload + head, frame.data() + from, size);
  };
  if (frame.empty()) return;
  if (head_bytes + first_extra + frame.size() <= limits.room(true, true)) {
    put(0, frame.size(), true, true);
    return;
  }
  FragmentSizes sizes(frame.size(), limits.payload_bytes - head_bytes, limits.first_reduction + first_extra,
                      limits.last_reduction, 2, limits.split);
  std::size_t at = 0;
  while (!sizes.done()) {
    const std::size_t size = sizes.next();
    put(at, size, at == 0, sizes.done());
    at += size;
  }
}

}  // namespace mediacore::rtp
