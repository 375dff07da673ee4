// What a loop thread waits on: descriptors, and a time. epoll, and a timer with the resolution of the clock.
//
// Policy: level-triggered, but for the descriptors of `add_signal`, which are edge-triggered and so need not be read.
// Threads: one owner.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "io/descriptor.hpp"

namespace mediacore::io {

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

class Poller {
 public:
  // Throws std::system_error if there are no descriptors.
  Poller();

  // `tag` comes back when the descriptor is readable. Throws std::system_error.
  void add(int descriptor, std::uint64_t tag);
  // For an eventfd: comes back after each write.
  void add_signal(int descriptor, std::uint64_t tag);
  // Also when it is writable, or not any more.
  void set_writable(int descriptor, std::uint64_t tag, bool on) noexcept;
  void remove(int descriptor) noexcept;

  // Until something is ready or it is `deadline_us` of the monotonic clock. Valid until the next call.
  std::span<const epoll_event> wait(std::int64_t deadline_us, std::int64_t now_us) noexcept;

 private:
  static constexpr std::size_t kEvents = 64;

  void control(int operation, int descriptor, std::uint32_t events, std::uint64_t tag);
  void arm(std::int64_t deadline_us) noexcept;

  Descriptor epoll_;
  Descriptor timer_;
  std::int64_t armed_us_ = kNever;
  std::array<epoll_event, kEvents> events_{};
};

}  // namespace mediacore::io
