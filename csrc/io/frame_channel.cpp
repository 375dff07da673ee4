#include "io/frame_channel.hpp"

namespace mediacore::io {

using memory::Cause;
using memory::kNoToken;
using memory::Lease;

FrameChannel::FrameChannel(std::size_t capacity, memory::Policy policy, std::shared_ptr<memory::FramePool> pool)
    : pool_(std::move(pool)), ring_(capacity, policy) {}

FrameChannel::~FrameChannel() {
  if (!pool_) return;
  for (Token token = ring_.pop(); token != kNoToken; token = ring_.pop()) pool_->release(token);
}

FrameChannel::Ring::Pushed FrameChannel::push(Token token) noexcept {
  const Ring::Pushed pushed = ring_.push(token);
  if (pushed.fate == Ring::Fate::taken) tokens_.ring();
  return pushed;
}

FrameChannel::Token FrameChannel::pop() noexcept {
  const Token token = ring_.pop();
  if (token != kNoToken && ring_.policy() == memory::Policy::block) room_.ring();
  return token;
}

Doorbell::Woken FrameChannel::wait_for_room(std::int64_t deadline_us) noexcept {
  room_.arm();
  // Looked at again, now that it is armed.
  if (ring_.counts().queued < ring_.capacity() || ring_.closed()) {
    room_.disarm();
    return Doorbell::Woken::rung;
  }
  return room_.wait(deadline_us);
}

Doorbell::Woken FrameChannel::wait_for_token(std::int64_t deadline_us) noexcept {
  tokens_.arm();
  if (ready()) {
    tokens_.disarm();
    return Doorbell::Woken::rung;
  }
  return tokens_.wait(deadline_us);
}

Lease FrameChannel::acquire() noexcept {
  Lease frame = pool_->acquire();
  if (!frame) ring_.count_dropped(Cause::pool_exhausted);
  return frame;
}

bool FrameChannel::push(Lease frame, std::int64_t deadline_us) noexcept {
  const Token token = frame.give();
  Ring::Pushed pushed = push(token);
  while (pushed.fate == Ring::Fate::full) {
    const bool late = wait_for_room(deadline_us) == Doorbell::Woken::late;
    pushed = push(token);
    if (pushed.fate == Ring::Fate::full && late) {
      ring_.count_dropped(Cause::deadline);
      break;
    }
  }
  if (pushed.back != kNoToken) pool_->release(pushed.back);
  return pushed.fate == Ring::Fate::taken;
}

Lease FrameChannel::pop_until(std::int64_t deadline_us) noexcept {
  for (;;) {
    // In this order: what was pushed before it was closed is found.
    const bool closed = ring_.closed();
    if (const Token token = pop(); token != kNoToken) return {*pool_, token};
    if (closed) return {};
    if (wait_for_token(deadline_us) == Doorbell::Woken::late) {
      const Token token = pop();
      return token == kNoToken ? Lease() : Lease(*pool_, token);
    }
  }
}

void FrameChannel::close() noexcept {
  ring_.close();
  tokens_.ring();
  room_.ring();
}

}  // namespace mediacore::io
