// A ring of tokens between one producer and one consumer, lock-free, that can make room by dropping its oldest token.
//
// Guarantees
// - No call waits, and each ends in a bounded number of steps but `pop`, which begins again for every token that the
//   producer drops under its hands (so some call always gets on).
// - Every token that was pushed comes out once: from `pop`, or as the one that a `push` dropped. Tokens come out in order.
// - What the producer wrote before a push is seen by whoever gets the token. (A dropped token comes back to the producer.)
// - Never more than `capacity` tokens are left when a call of the producer has returned.
// Not guaranteed: `size` while both sides run is a number that was true a moment ago.
//
// How: positions count up and never wrap (64 bits), so there is no ABA. Both sides move the read position by
// compare-and-swap only: who moves it has the token. One cell more than the capacity, as the producer writes before it drops.
// Memory: cells, once, when it is made; throws std::bad_alloc then only.
// Threads: one producer, one consumer; `size` from any. Who they are may change when the change is ordered otherwise.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/memory/atomics.hpp"

namespace mediacore::memory {

template <class A>
// Each side has a cache line of its own.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
class BasicTokenRing {
 public:
  // `capacity` is at least 1.
  explicit BasicTokenRing(std::size_t capacity)
      : capacity_(capacity),
        mask_(std::bit_ceil(capacity + 1) - 1),
        cells_(std::make_unique<typename A::Cell[]>(mask_ + 1)) {}

  // Takes the token, which is not kNoToken. What it returns was dropped to make room, kNoToken if nothing was.
  Token push(Token token) {
    put(token);
    if (written_ - known_read_ <= capacity_) return kNoToken;
    known_read_ = read_.load(A::kReuse);
    if (written_ - known_read_ <= capacity_) return kNoToken;
    const std::uint64_t oldest = known_read_;
    const Token evicted = cells_[oldest & mask_].load(A::kCell);
    // If this fails the consumer has taken one: there is room. Then the position that it finds is the consumer's.
    if (!read_.compare_exchange_strong(known_read_, oldest + 1, A::kEvict, A::kReuse)) return kNoToken;
    known_read_ = oldest + 1;
    return evicted;
  }

  // Takes the token if there is room for it.
  bool try_push(Token token) {
    if (written_ - known_read_ >= capacity_) {
      known_read_ = read_.load(A::kReuse);
      if (written_ - known_read_ >= capacity_) return false;
    }
    put(token);
    return true;
  }

  // The oldest token, kNoToken if there is none.
  Token pop() {
    std::uint64_t position = read_.load(A::kFollow);
    while (position != write_.load(A::kObserve)) {
      // Not the token of this position if the producer has gone round meanwhile; then the swap fails.
      const Token token = cells_[position & mask_].load(A::kCell);
      if (read_.compare_exchange_strong(position, position + 1, A::kTake, A::kFollow)) return token;
    }
    return kNoToken;
  }

  std::size_t size() const {
    const std::uint64_t read = read_.load(A::kFollow);
    // Not behind it, as it is loaded later.
    return static_cast<std::size_t>(write_.load(A::kObserve) - read);
  }

  std::size_t capacity() const { return capacity_; }

 private:
  void put(Token token) {
    cells_[written_ & mask_].store(token, A::kCell);
    ++written_;
    write_.store(written_, A::kPublish);
  }

  const std::size_t capacity_;
  const std::size_t mask_;
  const std::unique_ptr<typename A::Cell[]> cells_;
  // The producer's line: what it has written, and the read position as it last saw it, never ahead of the true one.
  alignas(kCacheLine) typename A::template Atomic<std::uint64_t> write_{0};
  std::uint64_t written_ = 0;
  std::uint64_t known_read_ = 0;
  // Both sides'.
  alignas(kCacheLine) typename A::ReadPosition read_{0};
};

using TokenRing = BasicTokenRing<Atomics>;

}  // namespace mediacore::memory
