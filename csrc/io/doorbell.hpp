// Wakes one sleeping thread, or an asyncio loop: an eventfd beside the flag of core/memory/sleeper.hpp.
//
// Guarantees: no wake-up is lost when both sides keep to the sleeper's rule; `ring` makes a system call only when somebody
//   sleeps, and one for each sleep.
// The sleeper: `arm`, look again; still nothing: `wait`, or leave `descriptor` to a selector. After waking: `drain` first,
//   then look. A wake-up may come without a reason.
// Threads: one sleeper at a time; `ring` from any.
#pragma once

#include <cstdint>

#include "core/memory/sleeper.hpp"
#include "io/descriptor.hpp"

namespace mediacore::io {

class Doorbell {
 public:
  enum class Woken : std::uint8_t { rung, late, interrupted };

  // Throws std::system_error.
  Doorbell();

  int descriptor() const noexcept { return descriptor_.get(); }

  void arm() noexcept { sleeper_.arm(); }
  void disarm() noexcept { sleeper_.disarm(); }
  void drain() const noexcept;
  // Sleeps until it is rung, the deadline (of monotonic_us) has come, or a signal has. Disarms and drains.
  Woken wait(std::int64_t deadline_us) noexcept;

  // After a change that a sleeper may wait for.
  void ring() noexcept {
    if (sleeper_.wakes()) wake();
  }

 private:
  void wake() const noexcept;

  memory::Sleeper sleeper_;
  Descriptor descriptor_;
};

}  // namespace mediacore::io
