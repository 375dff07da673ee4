#include "io/arrival.hpp"

#include <cstring>

namespace mediacore::io {

void stamp_arrivals(int descriptor) noexcept {
  const int on = 1;
  static_cast<void>(setsockopt(descriptor, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on));
}

std::int64_t arrival_us(msghdr& header, std::int64_t now_us, std::uint64_t realtime_ns,
                        std::int64_t oldest_us) noexcept {
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp{};
    std::memcpy(&stamp, CMSG_DATA(control), sizeof stamp);
    const std::int64_t stamp_ns = std::int64_t{stamp.tv_sec} * 1'000'000'000 + stamp.tv_nsec;
    const std::int64_t age_us = (static_cast<std::int64_t>(realtime_ns) - stamp_ns) / 1000;
    return age_us >= 0 && age_us <= oldest_us ? now_us - age_us : now_us;
  }
  return now_us;
}

}  // namespace mediacore::io
