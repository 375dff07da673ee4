#include "io/doorbell.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>

#include "io/clock.hpp"

namespace mediacore::io {

Doorbell::Doorbell() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!descriptor_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void Doorbell::drain() const noexcept {
  eventfd_t count = 0;
  // Empty is what it should be.
  static_cast<void>(eventfd_read(descriptor_.get(), &count));
}

void Doorbell::wake() const noexcept {
  // Fails only when the counter is full, and then it is readable.
  static_cast<void>(eventfd_write(descriptor_.get(), 1));
}

Doorbell::Woken Doorbell::wait(std::int64_t deadline_us) noexcept {
  constexpr std::int64_t kSecond = 1'000'000;
  const std::int64_t left_us = std::max<std::int64_t>(0, deadline_us - monotonic_us());
  const timespec timeout{.tv_sec = left_us / kSecond, .tv_nsec = left_us % kSecond * 1000};
  pollfd polled{.fd = descriptor_.get(), .events = POLLIN, .revents = 0};
  const int ready = ppoll(&polled, 1, &timeout, nullptr);
  disarm();
  drain();
  if (ready > 0) return Woken::rung;
  return ready == 0 ? Woken::late : Woken::interrupted;
}

}  // namespace mediacore::io
