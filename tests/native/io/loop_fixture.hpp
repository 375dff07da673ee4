// A media loop on the loopback interface, and its events as they come.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "io/media_loop.hpp"
#include "loopback.hpp"

namespace mediacore::io::testing {

inline constexpr std::size_t kReplayBytes = 1 << 20;
inline constexpr std::size_t kGopBytes = 16 << 20;
inline constexpr int kPatienceMs = 5000;  // under sanitizers on a busy machine

// One end is the loop's, the other writes as a device does.
class Device {
 public:
  Device() {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      throw std::system_error(errno, std::generic_category());
    }
    ours_ = Descriptor(ends[0]);
    theirs_ = Descriptor(ends[1]);
  }

  // Belongs to whom it is given to.
  int give() { return theirs_.release(); }
  void write(std::span<const std::uint8_t> data) {
    while (!data.empty()) {
      const ssize_t count = ::send(ours_.get(), data.data(), data.size(), MSG_NOSIGNAL);
      ASSERT_GT(count, 0);
      data = data.subspan(static_cast<std::size_t>(count));
    }
  }
  void close() { ours_.close(); }
  // True when the other end is closed.
  bool is_left() const {
    pollfd wait{ours_.get(), POLLIN, 0};
    std::uint8_t byte = 0;
    return poll(&wait, 1, kPatienceMs) == 1 && recv(ours_.get(), &byte, 1, MSG_DONTWAIT) <= 0;
  }

 private:
  Descriptor ours_;
  Descriptor theirs_;
};

class LoopTest : public ::testing::Test {
 protected:
  LoopTest() : LoopTest(MediaLoop::Settings{.addresses = {"127.0.0.1"}}) {}
  explicit LoopTest(const MediaLoop::Settings& settings) : loop(settings) {}

  // The next event of this kind that fits; others are kept. None: it did not come.
  template <class E>
  std::optional<E> wait_for(const std::function<bool(const E&)>& fits = [](const E&) { return true; }) {
    const std::int64_t end_us = testing::monotonic_us() + std::int64_t{kPatienceMs} * 1000;
    while (true) {
      for (auto at = events_.begin(); at != events_.end(); ++at) {
        auto* const event = std::get_if<E>(&*at);
        if (event == nullptr || !fits(*event)) continue;
        E found = std::move(*event);
        events_.erase(at);
        return found;
      }
      const auto left_ms = static_cast<int>((end_us - testing::monotonic_us()) / 1000);
      pollfd wait{loop.event_descriptor(), POLLIN, 0};
      if (left_ms <= 0 || poll(&wait, 1, left_ms) != 1) return std::nullopt;
      take_events();
    }
  }

  // Of the events that have come; what is to come is not waited for.
  template <class E>
  std::size_t count() {
    take_events();
    return static_cast<std::size_t>(
        std::ranges::count_if(events_, [](const Event& event) { return std::holds_alternative<E>(event); }));
  }

  // The same, and those that were counted are gone.
  template <class E>
  std::size_t count_and_forget() {
    take_events();
    return std::erase_if(events_, [](const Event& event) { return std::holds_alternative<E>(event); });
  }

  // Removes, and waits until nothing is left: everything before it has been carried out then.
  void remove(Id id) {
    const std::uint64_t token = ++token_;
    loop.remove(id, token);
    ASSERT_TRUE(wait_for<Done>([token](const Done& done) { return done.token == token; }));
  }
  // All commands of one thread have been carried out.
  void settle() { remove(kNobody); }

  // Calls until it is true; for figures, which no event tells of.
  ::testing::AssertionResult eventually(const std::function<bool()>& is_true) {
    for (int i = 0; i < kPatienceMs; ++i) {
      if (is_true()) return ::testing::AssertionSuccess();
      usleep(1000);
    }
    return ::testing::AssertionFailure() << "it did not become true";
  }

  Id add_rendition(std::size_t replay_bytes = kReplayBytes, Codec codec = Codec::h264) {
    return loop.add_rendition(codec, replay_bytes, kGopBytes, 0);
  }
  Id add_source(Id rendition, Device& device, std::int64_t idle_us = 2000, Id learnt_from = 0) {
    return loop.add_source(rendition, device.give(), idle_us, learnt_from);
  }
  bool push(Id rendition, std::vector<std::uint8_t> data, bool is_key, std::int64_t pts_us, std::int64_t due_us = 0) {
    Unit unit;
    unit.data = std::move(data);
    unit.is_key = is_key;
    unit.pts_us = pts_us;
    return loop.push(rendition, std::move(unit), due_us);
  }
  // So many units of a tap; fewer if they do not come.
  std::vector<UnitRef> take(Id tap, std::size_t count) {
    std::vector<UnitRef> all;
    while (all.size() < count) {
      auto taken = loop.take_packets(tap, count - all.size());
      if (!taken) break;
      if (taken->empty() && !wait_for<TapReady>([tap](const TapReady& event) { return event.tap == tap; })) break;
      std::ranges::move(*taken, std::back_inserter(all));
    }
    return all;
  }

  static constexpr Id kNobody = ~Id{0};
  MediaLoop loop;

 private:
  void take_events() {
    for (Event& event : loop.take_events()) events_.push_back(std::move(event));
  }

  std::deque<Event> events_;
  std::uint64_t token_ = 1000;
};

}  // namespace mediacore::io::testing
