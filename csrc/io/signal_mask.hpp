// For a while no signal is delivered to the calling thread, nor ever to the threads that it makes then: they inherit its
// mask. Except the signals of a thread's own faults.
// Threads: of who makes it.
#pragma once

#include <csignal>

namespace mediacore::io {

class SignalMask {
 public:
  SignalMask() noexcept;
  SignalMask(const SignalMask&) = delete;
  SignalMask& operator=(const SignalMask&) = delete;
  ~SignalMask();

 private:
  sigset_t former_;
};

}  // namespace mediacore::io
