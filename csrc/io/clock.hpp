// The clocks of the media loop.
// Threads: pure functions.
#pragma once

#include <cstdint>

#include "core/egress/frame.hpp"

namespace mediacore::io {

// CLOCK_MONOTONIC, in µs: the clock of Python's time.monotonic().
std::int64_t monotonic_us() noexcept;

// CLOCK_REALTIME, in ns.
std::uint64_t realtime_ns() noexcept;

// The same as NTP time, UQ32.32 since 1900 (RFC 5905 6); wraps in 2036, as the format does.
constexpr std::uint64_t ntp_of(std::uint64_t realtime_ns) noexcept {
  constexpr std::uint64_t kUnixEpoch = 2'208'988'800;  // seconds from 1900 to 1970
  constexpr std::uint64_t kNanoseconds = 1'000'000'000;
  return ((realtime_ns / kNanoseconds + kUnixEpoch) << 32) + ((realtime_ns % kNanoseconds) << 32) / kNanoseconds;
}

// Both clocks, read one right after the other.
egress::Now now() noexcept;

}  // namespace mediacore::io
