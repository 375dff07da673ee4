#include "io/poller.hpp"

#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace mediacore::io {
namespace {

constexpr std::uint64_t kTimerTag = std::numeric_limits<std::uint64_t>::max();

}  // namespace

Poller::Poller()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)), timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  if (!epoll_ || !timer_) throw std::system_error(errno, std::generic_category(), "epoll or timerfd");
  add_signal(timer_.get(), kTimerTag);
}

void Poller::control(int operation, int descriptor, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  if (epoll_ctl(epoll_.get(), operation, descriptor, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

void Poller::add(int descriptor, std::uint64_t tag) {
  control(EPOLL_CTL_ADD, descriptor, EPOLLIN, tag);
}

void Poller::add_signal(int descriptor, std::uint64_t tag) {
  control(EPOLL_CTL_ADD, descriptor, EPOLLIN | EPOLLET, tag);
}

void Poller::set_writable(int descriptor, std::uint64_t tag, bool on) noexcept {
  epoll_event event{};
  event.events = EPOLLIN | (on ? std::uint32_t{EPOLLOUT} : 0U);
  event.data.u64 = tag;
  static_cast<void>(epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, descriptor, &event));
}

void Poller::remove(int descriptor) noexcept {
  static_cast<void>(epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr));
}

void Poller::arm(std::int64_t deadline_us) noexcept {
  if (deadline_us == armed_us_) return;
  itimerspec time{};  // zeros: not at all
  if (deadline_us != kNever) {
    const std::int64_t at_us = std::max<std::int64_t>(deadline_us, 1);
    time.it_value.tv_sec = at_us / 1'000'000;
    time.it_value.tv_nsec = at_us % 1'000'000 * 1000;
  }
  static_cast<void>(timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &time, nullptr));
  armed_us_ = deadline_us;
}

std::span<const epoll_event> Poller::wait(std::int64_t deadline_us, std::int64_t now_us) noexcept {
  const bool due = deadline_us <= now_us;
  if (!due) arm(deadline_us);
  const int count = epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), due ? 0 : -1);
  if (count <= 0) return {};  // interrupted, or due
  const auto end = std::remove_if(events_.begin(), events_.begin() + count,
                                  [](const epoll_event& event) { return event.data.u64 == kTimerTag; });
  if (end != events_.begin() + count) armed_us_ = kNever;  // it went off
  return {events_.begin(), end};
}

}  // namespace mediacore::io
