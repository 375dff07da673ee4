// What a loop thread waits on: descriptors, and a time with the resolution of the clock.
//
// Two kinds of descriptors: those that are urgent (viewers' sockets, commands) end every wait; sources are patient, they
//   end a wait from the time on that the caller names. Awake for something else, the thread sees them at once.
// Policy: level-triggered, but for the descriptors of `add_signal`, which are edge-triggered and so need not be read.
// Cost: one system call to wait, and one for each kind that has something.
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
  // Throws std::system_error, as do `add`, `add_signal` and `add_source`.
  Poller();

  // `tag` comes back with each event.
  void add(int descriptor, std::uint64_t tag);
  void add_signal(int descriptor, std::uint64_t tag);
  void add_source(int descriptor, std::uint64_t tag);
  // Whether to wait for room to write as well, at one of `add`.
  void set_writable(int descriptor, std::uint64_t tag, bool on) noexcept;
  void remove(int descriptor) noexcept;
  void remove_source(int descriptor) noexcept;

  // Waits until something urgent is ready, or a source from `sources_from_us` on, or that time or the deadline has come
  // (kNever: none has), by monotonic_us(). The events are valid until the next call.
  std::span<const epoll_event> wait(std::int64_t deadline_us, std::int64_t sources_from_us) noexcept;
  // Whether no source could end the last wait: what they have may have come at any time since the wait before.
  bool held_back() const noexcept { return held_back_; }

 private:
  static constexpr std::size_t kMostEvents = 64;  // of each kind; more come with the next wait

  void harvest(const Descriptor& from) noexcept;

  Descriptor urgent_;
  Descriptor sources_;
  std::array<epoll_event, 2 * kMostEvents> events_{};
  std::size_t count_ = 0;
  bool held_back_ = false;
};

}  // namespace mediacore::io
