// Pictures on their way from one thread to another, by token: what happens when the consumer is slower, and every count.
//
// Policies
//   drop_oldest  a full ring drops its oldest; so what is delivered is at most capacity + 1 pictures old
//   latest       one picture, the newest, whatever the capacity
//   block        a full ring takes nothing; waiting for room, until a deadline, is the caller's (io/frame_channel.hpp), as
//                there are no clocks here
// Guarantees
// - No call waits, allocates or drops a token silently: what is not taken, and what was dropped, comes back from `push`.
// - pushed = delivered + queued + dropped (by cause), exactly when both sides rest; while they run the four numbers are
//   of slightly different moments.
// - After `close` nothing is taken; what is queued is still delivered. A push that runs while `close` does may be taken:
//   who closes and then finds the ring empty looks once more when the producer has ended (`pop` until kNoToken).
// Memory: once, when it is made. It owns no tokens: before it goes, `pop` them.
// Threads: one producer (`push`, `count_dropped`), one consumer (`pop`); the rest from any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/memory/atomics.hpp"
#include "core/memory/mailbox.hpp"
#include "core/memory/token_ring.hpp"

namespace mediacore::memory {

enum class Policy : std::uint8_t { drop_oldest, latest, block };

// Why a picture was not delivered.
enum class Cause : std::uint8_t {
  overflow,        // a newer one took its place
  deadline,        // block: no room in time
  closed,          // pushed after the ring was closed
  pool_exhausted,  // there was no slot to put it in
};
inline constexpr std::size_t kCauses = 4;

inline constexpr std::size_t kMaxCapacity = std::size_t{1} << 16;  // some 18 minutes at 60 per second

struct RingCounts {
  std::uint64_t pushed = 0;
  std::uint64_t delivered = 0;
  std::uint64_t queued = 0;
  std::array<std::uint64_t, kCauses> dropped{};  // by Cause
};

template <class A>
// Each side has a cache line of its own.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
class BasicFrameRing {
 public:
  enum class Fate : std::uint8_t {
    taken,    // `back` is kNoToken, or what was dropped for it
    full,     // block: not taken and not counted yet; try again, or `count_dropped(deadline)`
    refused,  // closed: not taken, and counted
  };
  struct Pushed {
    Fate fate;
    Token back;  // the caller's
  };

  // `capacity` is 1 to kMaxCapacity.
  BasicFrameRing(std::size_t capacity, Policy policy)
      : policy_(policy), ring_(policy == Policy::latest ? 1 : capacity) {}

  Pushed push(Token token) {
    if (closed_.load(A::kSeeClosed) != 0) {
      count_dropped(Cause::closed);
      return {Fate::refused, token};
    }
    if (policy_ == Policy::block) {
      if (!ring_.try_push(token)) return {Fate::full, token};
      add(pushed_);
      return {Fate::taken, kNoToken};
    }
    const Token back = policy_ == Policy::latest ? mailbox_.push(token) : ring_.push(token);
    add(pushed_);
    if (back != kNoToken) add(dropped_[static_cast<std::size_t>(Cause::overflow)]);
    return {Fate::taken, back};
  }

  // The producer had a picture and could not push it.
  void count_dropped(Cause cause) {
    add(pushed_);
    add(dropped_[static_cast<std::size_t>(cause)]);
  }

  Token pop() {
    const Token token = policy_ == Policy::latest ? mailbox_.pop() : ring_.pop();
    if (token != kNoToken) add(delivered_);
    return token;
  }

  void close() { closed_.store(1, A::kClose); }
  bool closed() const { return closed_.load(A::kSeeClosed) != 0; }

  RingCounts counts() const {
    RingCounts counts;
    counts.pushed = pushed_.load(A::kPlain);
    counts.delivered = delivered_.load(A::kPlain);
    counts.queued = policy_ == Policy::latest ? mailbox_.size() : ring_.size();
    for (std::size_t cause = 0; cause < kCauses; ++cause) counts.dropped[cause] = dropped_[cause].load(A::kPlain);
    return counts;
  }

  Policy policy() const { return policy_; }
  std::size_t capacity() const { return ring_.capacity(); }

 private:
  using Count = typename A::template Atomic<std::uint64_t>;

  // One writer: no need for a locked addition.
  static void add(Count& count) { count.store(count.load(A::kPlain) + 1, A::kPlain); }

  const Policy policy_;
  BasicTokenRing<A> ring_;
  BasicMailbox<A> mailbox_;
  typename A::template Atomic<std::uint32_t> closed_{0};
  // The producer's line, and the consumer's.
  alignas(kCacheLine) Count pushed_{0};
  std::array<Count, kCauses> dropped_{};
  alignas(kCacheLine) Count delivered_{0};
};

using FrameRing = BasicFrameRing<Atomics>;

}  // namespace mediacore::memory
