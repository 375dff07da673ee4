// When the kernel got what is read: SO_TIMESTAMPNS, turned into the monotonic clock.
//
// Policy: a time that cannot be had, or not be true, is that of the reading. Of a stream socket it is the time of the
//   last byte that a read gave.
// Threads: pure functions.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>

namespace mediacore::io {

// Room for it in a message header.
struct alignas(cmsghdr) ArrivalControl {
  std::array<std::byte, CMSG_SPACE(sizeof(timespec))> bytes;
};

// From now on; a socket that cannot is left as it is.
void stamp_arrivals(int descriptor) noexcept;

// Of what was read into `header` at this time, by both clocks. What seems older than `oldest_us`, or in the future, was
// stamped before the clock was set: it counts as now. A smaller step of the clock makes it seem older than it is.
std::int64_t arrival_us(msghdr& header, std::int64_t now_us, std::uint64_t realtime_ns,
                        std::int64_t oldest_us) noexcept;

}  // namespace mediacore::io
