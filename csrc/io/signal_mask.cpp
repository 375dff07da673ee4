#include "io/signal_mask.hpp"

#include <initializer_list>

namespace mediacore::io {

SignalMask::SignalMask() noexcept : former_() {
  sigset_t blocked;
  sigfillset(&blocked);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&blocked, fault);
  pthread_sigmask(SIG_SETMASK, &blocked, &former_);
}

SignalMask::~SignalMask() {
  pthread_sigmask(SIG_SETMASK, &former_, nullptr);
}

}  // namespace mediacore::io
