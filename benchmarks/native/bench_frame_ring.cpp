// What does a picture's way from thread to thread cost, next to a mutex with a deque, and how old are pictures when the
// consumer is too slow?
//
// One thread: push and pop of a token, and the whole path with a lease (acquire a slot, push, pop, give it back). Two
// threads: how fast a producer can push when the consumer is always behind; how long a picture takes; the age of what a
// consumer gets that is three times too slow. Times of two threads on a busy machine tell of its scheduler.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <deque>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "core/memory/frame_pool.hpp"
#include "core/memory/frame_ring.hpp"
#include "race.hpp"

#if __has_include(<boost/lockfree/spsc_queue.hpp>)
#include <boost/lockfree/spsc_queue.hpp>
#define MEDIACORE_HAVE_BOOST
#endif

namespace {

using namespace mediacore::memory;  // NOLINT(google-build-using-namespace)
using mediacore::benchmarks::Contestant;
using mediacore::benchmarks::print;
using mediacore::benchmarks::race;
using mediacore::benchmarks::Report;

constexpr std::size_t kCapacity = 8;
constexpr int kRounds = 1000;

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// What one would write without this ring.
template <class T>
class LockedQueue {
 public:
  T push(T item) {
    const std::scoped_lock lock(mutex_);
    T dropped{};
    if (items_.size() == kCapacity) {
      dropped = std::move(items_.front());
      items_.pop_front();
    }
    items_.push_back(std::move(item));
    return dropped;
  }
  T pop() {
    const std::scoped_lock lock(mutex_);
    if (items_.empty()) return {};
    T item = std::move(items_.front());
    items_.pop_front();
    return item;
  }

 private:
  std::mutex mutex_;
  std::deque<T> items_;
};

volatile std::uint64_t sink = 0;

template <class Queue>
auto pairs(Queue& queue) {
  return [&queue] {
    std::uint64_t sum = 0;
    for (int i = 1; i <= kRounds; ++i) {
      static_cast<void>(queue.push(static_cast<Token>(i)));
      sum += queue.pop();
    }
    sink = sum;
  };
}

std::vector<Report> one_thread() {
  // The C library leaves out atomic operations while a process has one thread, which no process with a ring has.
  const std::jthread another([](const std::stop_token& stop) {
    while (!stop.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  });
  TokenRing tokens(kCapacity);
  FrameRing ring(kCapacity, Policy::drop_oldest);
  FrameRing latest(1, Policy::latest);
  LockedQueue<Token> locked;
  const auto with_counts = [](FrameRing& one) {
    return [&one] {
      std::uint64_t sum = 0;
      for (int i = 1; i <= kRounds; ++i) {
        static_cast<void>(one.push(static_cast<Token>(i)));
        sum += one.pop();
      }
      sink = sum;
    };
  };
  std::vector<Contestant> contestants{{"mutex + deque", pairs(locked), kRounds},
                                      {"one locked addition",
                                       [] {
                                         static std::atomic<std::uint64_t> count{0};
                                         for (int i = 0; i < kRounds; ++i)
                                           count.fetch_add(1, std::memory_order_relaxed);
                                       },
                                       kRounds},
                                      {"TokenRing", pairs(tokens), kRounds},
                                      {"FrameRing, drop-oldest (counted)", with_counts(ring), kRounds},
                                      {"FrameRing, latest (counted)", with_counts(latest), kRounds}};
#ifdef MEDIACORE_HAVE_BOOST
  boost::lockfree::spsc_queue<Token> boost_queue(kCapacity);
  contestants.push_back({"boost spsc_queue (drops nothing)",
                         [&boost_queue] {
                           std::uint64_t sum = 0;
                           for (int i = 1; i <= kRounds; ++i) {
                             Token token = 0;
                             boost_queue.push(static_cast<Token>(i));
                             boost_queue.pop(token);
                             sum += token;
                           }
                           sink = sum;
                         },
                         kRounds});
#endif
  std::vector<Report> reports{race("push and pop of a token, one thread", "pair", contestants)};

  FramePool pool(kCapacity + 4, 64);
  FrameRing leased(kCapacity, Policy::drop_oldest);
  LockedQueue<std::shared_ptr<std::uint64_t>> shared;
  reports.push_back(race("picture with its lease: acquire, push, pop, give back; one thread", "picture",
                         {{"mutex + deque of shared_ptr",
                           [&] {
                             for (int i = 1; i <= kRounds; ++i) {
                               shared.push(std::make_shared<std::uint64_t>(1));
                               sink = *shared.pop();
                             }
                           },
                           kRounds},
                          {"FrameRing and FramePool",
                           [&] {
                             for (int i = 1; i <= kRounds; ++i) {
                               static_cast<void>(leased.push(pool.acquire().give()));
                               const Lease lease(pool, leased.pop());
                               sink = lease.handle();
                             }
                           },
                           kRounds}}));
  return reports;
}

struct Ages {
  std::vector<std::int64_t> ns;
  std::int64_t percentile(double share) {
    if (ns.empty()) return 0;
    std::sort(ns.begin(), ns.end());
    return ns[static_cast<std::size_t>(share * static_cast<double>(ns.size() - 1))];
  }
};

// A consumer that takes three periods for each picture. The age is counted in pictures, so that the scheduler has no say:
// how many newer ones had been pushed when it was popped.
void overload(const char* name, Policy policy, std::size_t capacity) {
  constexpr std::uint64_t kFrames = 3000;
  constexpr std::int64_t kPeriodNs = 100'000;
  FrameRing ring(capacity, policy);
  std::atomic<std::uint64_t> pushed{0};
  std::atomic<bool> ended{false};
  Ages ages;
  std::jthread producer([&] {
    std::int64_t due_ns = now_ns();
    for (std::uint64_t frame = 1; frame <= kFrames; ++frame) {
      while (now_ns() < due_ns) std::this_thread::yield();
      due_ns += kPeriodNs;
      static_cast<void>(ring.push(frame));
      pushed.store(frame);
    }
    ended.store(true);
  });
  for (;;) {
    const bool last = ended.load();
    // What was pushed before this call: the frame is at most that much older than the newest.
    const std::uint64_t newest = pushed.load();
    const Token frame = ring.pop();
    if (frame != kNoToken) {
      ages.ns.push_back(newest > frame ? static_cast<std::int64_t>(newest - frame) : 0);
      const std::int64_t free_ns = now_ns() + 3 * kPeriodNs;
      while (now_ns() < free_ns) std::this_thread::yield();
    } else if (last) {
      break;
    }
  }
  producer.join();
  const RingCounts counts = ring.counts();
  const std::uint64_t dropped = counts.dropped[static_cast<std::size_t>(Cause::overflow)];
  const bool exact = counts.pushed == kFrames && counts.pushed == counts.delivered + counts.queued + dropped &&
                     counts.delivered == ages.ns.size();
  std::printf(
      "  %-24s age p50 %2ld, greatest %2ld pictures (limit %zu); %lu pushed = %lu delivered + %lu dropped: %s\n", name,
      static_cast<long>(ages.percentile(0.5)), static_cast<long>(ages.percentile(1)), ring.capacity() + 1,
      static_cast<unsigned long>(counts.pushed), static_cast<unsigned long>(counts.delivered),
      static_cast<unsigned long>(dropped), exact ? "exact" : "WRONG");
}

template <class Push, class Pop>
void hand_over(const char* name, const Push& push, const Pop& pop) {
  constexpr int kFrames = 20'000;
  constexpr std::int64_t kPauseNs = 3000;
  Ages ages;
  std::atomic<bool> ended{false};
  std::jthread producer([&] {
    for (int frame = 0; frame < kFrames; ++frame) {
      const std::int64_t due_ns = now_ns() + kPauseNs;
      while (now_ns() < due_ns) {
      }
      push(static_cast<Token>(now_ns()));
    }
    ended.store(true);
  });
  for (;;) {
    const bool last = ended.load();
    if (const Token pushed_ns = pop(); pushed_ns != kNoToken) {
      ages.ns.push_back(now_ns() - static_cast<std::int64_t>(pushed_ns));
    } else if (last) {
      break;
    }
  }
  std::printf("  %-24s p50 %7.2f us   p99 %9.2f us   p99.9 %9.2f us   (%zu of %d delivered)\n", name,
              static_cast<double>(ages.percentile(0.5)) / 1e3, static_cast<double>(ages.percentile(0.99)) / 1e3,
              static_cast<double>(ages.percentile(0.999)) / 1e3, ages.ns.size(), kFrames);
}

void two_threads() {
  std::printf("\nfrom thread to thread, a picture every 3 us, the consumer looks all the time\n");
  for (int repetition = 0; repetition < 3; ++repetition) {
    LockedQueue<Token> locked;
    hand_over("mutex + deque", [&](Token token) { locked.push(token); }, [&] { return locked.pop(); });
    FrameRing ring(kCapacity, Policy::drop_oldest);
    hand_over(
        "FrameRing, drop-oldest", [&](Token token) { static_cast<void>(ring.push(token)); },
        [&] { return ring.pop(); });
    FrameRing latest(1, Policy::latest);
    hand_over(
        "FrameRing, latest", [&](Token token) { static_cast<void>(latest.push(token)); }, [&] { return latest.pop(); });
  }
  std::printf("\nconsumer three times too slow\n");
  overload("drop-oldest, capacity 8", Policy::drop_oldest, 8);
  overload("drop-oldest, capacity 1", Policy::drop_oldest, 1);
  overload("latest", Policy::latest, 1);
}

}  // namespace

int main(int count, char** arguments) {
  const bool json = count > 1 && std::string_view(arguments[1]) == "--json";
  print(one_thread(), json);
  if (!json) two_threads();
}
