// A frame ring with what the core leaves out: waiting with a deadline, waking a sleeping consumer, and whose tokens they are.
//
//   decode thread:   Lease frame = channel.acquire();  …  channel.push(std::move(frame), deadline_us);
//   encoder thread:  while (Lease frame = channel.pop_until(deadline_us)) …
//
// With a pool, tokens are handles of its slots, each with one reference; what a push drops, and what is left when the channel
//   goes, returns to the pool. Without one, tokens are the caller's business, and it pops them before the channel goes.
// Guarantees: see core/memory/frame_ring.hpp. No lock, no allocation; a system call only to sleep, or to wake a sleeper.
// After `close`: nothing is taken, sleepers wake; what is queued is still delivered.
// Memory: shared, by std::shared_ptr, among the two sides and those who hold a SharedLease of its pool.
// Threads: one producer, one consumer; `close`, `counts` from any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "core/memory/frame_pool.hpp"
#include "core/memory/frame_ring.hpp"
#include "io/doorbell.hpp"

namespace mediacore::io {

class FrameChannel {
 public:
  using Ring = memory::FrameRing;
  using Token = memory::Token;
  static constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

  // Throws std::system_error, std::bad_alloc.
  FrameChannel(std::size_t capacity, memory::Policy policy, std::shared_ptr<memory::FramePool> pool);
  ~FrameChannel();
  FrameChannel(const FrameChannel&) = delete;
  FrameChannel& operator=(const FrameChannel&) = delete;

  // Tokens, without waiting. Policy block: after `full`, push again or give up with `count_dropped`.
  Ring::Pushed push(Token token) noexcept;
  void count_dropped(memory::Cause cause) noexcept { ring_.count_dropped(cause); }
  Token pop() noexcept;

  // Sleeps until there may be room, or something to pop, or the ring is closed.
  Doorbell::Woken wait_for_room(std::int64_t deadline_us) noexcept;
  Doorbell::Woken wait_for_token(std::int64_t deadline_us) noexcept;

  // The same with frames of the pool. Empty: none is free, which is counted as a frame that was dropped.
  memory::Lease acquire() noexcept;
  // Policy block: waits until the deadline. False: not taken, counted, and back in the pool.
  bool push(memory::Lease frame, std::int64_t deadline_us = 0) noexcept;
  // Empty: nothing came in time, or there will be nothing any more (`closed`).
  memory::Lease pop_until(std::int64_t deadline_us) noexcept;

  void close() noexcept;
  bool closed() const noexcept { return ring_.closed(); }
  // For the consumer, between `arm` and sleeping: whether there is no reason to sleep.
  bool ready() const noexcept { return ring_.counts().queued != 0 || ring_.closed(); }

  Doorbell& tokens() noexcept { return tokens_; }
  const Ring& ring() const noexcept { return ring_; }
  const std::shared_ptr<memory::FramePool>& pool() const noexcept { return pool_; }

 private:
  const std::shared_ptr<memory::FramePool> pool_;
  Ring ring_;
  Doorbell tokens_;  // the consumer sleeps
  Doorbell room_;    // the producer sleeps
};

}  // namespace mediacore::io
