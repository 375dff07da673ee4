#include "io/poller.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>

#include "io/clock.hpp"

namespace mediacore::io {
namespace {

void control(const Descriptor& set, int operation, int descriptor, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  if (epoll_ctl(set.get(), operation, descriptor, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

}  // namespace

Poller::Poller() : urgent_(epoll_create1(EPOLL_CLOEXEC)), sources_(epoll_create1(EPOLL_CLOEXEC)) {
  if (!urgent_ || !sources_) throw std::system_error(errno, std::generic_category(), "epoll");
}

void Poller::add(int descriptor, std::uint64_t tag) {
  control(urgent_, EPOLL_CTL_ADD, descriptor, EPOLLIN, tag);
}

void Poller::add_signal(int descriptor, std::uint64_t tag) {
  control(urgent_, EPOLL_CTL_ADD, descriptor, EPOLLIN | EPOLLET, tag);
}

void Poller::add_source(int descriptor, std::uint64_t tag) {
  control(sources_, EPOLL_CTL_ADD, descriptor, EPOLLIN, tag);
}

void Poller::set_writable(int descriptor, std::uint64_t tag, bool on) noexcept {
  epoll_event event{};
  event.events = EPOLLIN | (on ? std::uint32_t{EPOLLOUT} : 0U);
  event.data.u64 = tag;
  static_cast<void>(epoll_ctl(urgent_.get(), EPOLL_CTL_MOD, descriptor, &event));
}

void Poller::remove(int descriptor) noexcept {
  static_cast<void>(epoll_ctl(urgent_.get(), EPOLL_CTL_DEL, descriptor, nullptr));
}

void Poller::remove_source(int descriptor) noexcept {
  static_cast<void>(epoll_ctl(sources_.get(), EPOLL_CTL_DEL, descriptor, nullptr));
}

void Poller::harvest(const Descriptor& from) noexcept {
  const int count = epoll_wait(from.get(), &events_[count_], static_cast<int>(kMostEvents), 0);
  if (count > 0) count_ += static_cast<std::size_t>(count);
}

std::span<const epoll_event> Poller::wait(std::int64_t deadline_us, std::int64_t sources_from_us) noexcept {
  constexpr std::int64_t kSecond = 1'000'000;
  const std::int64_t now_us = monotonic_us();  // the kernel waits for a length of time: it has to begin here
  held_back_ = now_us < sources_from_us;
  const std::int64_t until_us = held_back_ ? std::min(deadline_us, sources_from_us) : deadline_us;
  const std::int64_t left_us = std::max<std::int64_t>(until_us - now_us, 0);
  const timespec timeout{.tv_sec = left_us / kSecond, .tv_nsec = left_us % kSecond * 1000};
  std::array<pollfd, 2> sets{{{urgent_.get(), POLLIN, 0}, {sources_.get(), POLLIN, 0}}};
  count_ = 0;
  if (ppoll(sets.data(), held_back_ ? 1 : 2, until_us == kNever ? nullptr : &timeout, nullptr) < 0) return {};
  if (sets[0].revents != 0) harvest(urgent_);
  if (held_back_ || sets[1].revents != 0) harvest(sources_);
  return {events_.data(), count_};
}

}  // namespace mediacore::io
