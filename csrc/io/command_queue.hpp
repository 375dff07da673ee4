// Commands on their way to one thread of the loop.
//
// Policy: when kCapacity wait, a further one is refused. Pushed units do not count here: they have a bound of their own
//   (PushLimits), and they stand in the same queue so that they keep their place among the commands.
// Wake-up: the descriptor is written when the queue was empty. The thread takes after it has been woken, or because it
//   is awake anyway: so no command is left unseen.
// Threads: any may push, one takes. The lock is held for the time of a push or a swap.
#pragma once

#include <cstddef>
#include <mutex>
#include <vector>

#include "io/command.hpp"
#include "io/descriptor.hpp"

namespace mediacore::io {

class CommandQueue {
 public:
  static constexpr std::size_t kCapacity = 4096;  // 1000 viewers that start at once; the thread empties it each wake-up

  // Throws std::system_error if there is no descriptor.
  CommandQueue();

  int descriptor() const noexcept { return signal_.get(); }
  // False: refused, and the command is as it was. One that can wait does not wake the thread: it is taken when the thread
  // wakes up for something else.
  bool push(Command& command, bool can_wait = false);
  // Wakes the thread without a command.
  void wake() noexcept;
  // All there are, in `out`, whose former content is lost.
  void take(std::vector<Command>& out);
  std::size_t size() const;

 private:
  Descriptor signal_;
  mutable std::mutex mutex_;
  std::vector<Command> commands_;
  bool woken_ = false;       // the thread will take what is here
  std::size_t counted_ = 0;  // those of commands_ that are no pushes
};

}  // namespace mediacore::io
