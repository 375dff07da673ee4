// Whether somebody sleeps who has to be woken: one flag, and the rule that no wake-up is lost.
//
// The one that sleeps: `arm`, then look again at what is waited for, and sleep only if there is still nothing; `disarm`
//   after a sleep that nobody has ended.
// The others: change what is waited for, then `wakes`: true for one of them, which has to wake the sleeper.
// Guarantee: if the sleeper has found nothing after `arm`, a later change's `wakes` is true. So a wake-up, which costs some
//   0.3 to 15 µs, is made only when it is needed, and once. There can be one too many, after `disarm` came too late.
// How one wakes and sleeps is not said here: an eventfd, in csrc/io.
//
// Memory: none. Threads: one sleeper at a time, any number of others.
#pragma once

#include <cstdint>

#include "core/memory/atomics.hpp"

namespace mediacore::memory {

template <class A>
class BasicSleeper {
 public:
  void arm() { static_cast<void>(asleep_.exchange(1, A::kArm)); }
  void disarm() { asleep_.store(0, A::kPlain); }
  bool wakes() { return asleep_.exchange(0, A::kLook) != 0; }

 private:
  alignas(kCacheLine) typename A::template Atomic<std::uint32_t> asleep_{0};
};

using Sleeper = BasicSleeper<Atomics>;

}  // namespace mediacore::memory
