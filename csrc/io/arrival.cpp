#include "io/arrival.hpp"

#include <cstring>

namespace mediacore::io {
namespace {

// An arrival that seems older than this, or in the future, was stamped before the clock was set: it counts as now.
constexpr std::int64_t kOldestArrivalUs = 5'000'000;

}  // namespace

void stamp_arrivals(int descriptor) noexcept {
  const int on = 1;
  static_cast<void>(setsockopt(descriptor, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on));
}

std::int64_t arrival_us(msghdr& header, std::int64_t now_us, std::uint64_t realtime_ns) noexcept {
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp{};
    std::memcpy(&stamp, CMSG_DATA(control), sizeof stamp);
    const std::int64_t stamp_ns = std::int64_t{stamp.tv_sec} * 1'000'000'000 + stamp.tv_nsec;
    const std::int64_t age_us = (static_cast<std::int64_t>(realtime_ns) - stamp_ns) / 1000;
    return age_us >= 0 && age_us <= kOldestArrivalUs ? now_us - age_us : now_us;
  }
  return now_us;
}

}  // namespace mediacore::io
