#include "io/clock.hpp"

#include <ctime>

namespace mediacore::io {

std::int64_t monotonic_us() noexcept {
  timespec time{};
  static_cast<void>(clock_gettime(CLOCK_MONOTONIC, &time));
  return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1000;
}

std::uint64_t realtime_ns() noexcept {
  timespec time{};
  static_cast<void>(clock_gettime(CLOCK_REALTIME, &time));
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

egress::Now now() noexcept {
  return {.us = monotonic_us(), .ntp = ntp_of(realtime_ns())};
}

}  // namespace mediacore::io
