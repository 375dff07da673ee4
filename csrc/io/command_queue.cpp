#include "io/command_queue.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace mediacore::io {

CommandQueue::CommandQueue() : signal_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!signal_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

bool CommandQueue::push(Command& command) {
  const bool counts = !std::holds_alternative<Push>(command);
  bool was_empty = false;
  {
    const std::scoped_lock lock(mutex_);
    if (counts && counted_ >= kCapacity) return false;
    was_empty = commands_.empty();
    commands_.push_back(std::move(command));
    if (counts) ++counted_;
  }
  if (was_empty) wake();
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
}

std::size_t CommandQueue::size() const {
  const std::scoped_lock lock(mutex_);
  return commands_.size();
}

}  // namespace mediacore::io
