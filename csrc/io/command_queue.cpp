#include "io/command_queue.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace mediacore::io {

CommandQueue::CommandQueue() : signal_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!signal_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

bool CommandQueue::push(Command& command, bool can_wait) {
  const bool counts = !std::holds_alternative<Push>(command);
  bool wakes = false;
  {
    const std::scoped_lock lock(mutex_);
    if (counts && counted_ >= kCapacity) return false;
    commands_.push_back(std::move(command));
    if (counts) ++counted_;
    wakes = !can_wait && !std::exchange(woken_, true);
  }
  if (wakes) wake();
  return true;
}

void CommandQueue::wake() noexcept {
  // It can fail only when the counter is full, and then the thread has a reason to wake up already.
  static_cast<void>(eventfd_write(signal_.get(), 1));
}

void CommandQueue::take(std::vector<Command>& out) {
  out.clear();
  const std::scoped_lock lock(mutex_);
  out.swap(commands_);
  counted_ = 0;
  woken_ = false;
}

std::size_t CommandQueue::size() const {
  const std::scoped_lock lock(mutex_);
  return commands_.size();
}

}  // namespace mediacore::io
