#include "core/egress/frame_queue.hpp"

namespace mediacore::egress {

void FrameQueue::push(FrameRef frame, std::int64_t pts_us, bool replayed) {
  if (size_ == ring_.size()) {
    std::vector<WaitingFrame> larger(2 * ring_.size());
    for (std::uint64_t place = begin_; place < begin_ + size_; ++place) {
      larger[place & (larger.size() - 1)] = std::move(at(place));
    }
    ring_ = std::move(larger);
  }
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < frame->payloads.size(); ++i) bytes += frame->payloads[i].size() + overhead_;
  const std::uint64_t place = begin_ + size_;
  if (frame->is_key) {
    key_begin_ = place;
    key_end_ = place;
    key_bytes_ = 0;
  }
  if (frame->is_key || (replayed && key_end_ == place)) {
    key_end_ = place + 1;
    key_bytes_ += bytes;
  }
  at(place) = WaitingFrame{std::move(frame), pts_us, replayed, 0, bytes, std::nullopt, 0};
  ++size_;
  bytes_ += bytes;
}

bool FrameQueue::advance() noexcept {
  WaitingFrame& waiting = front();
  subtract(waiting.frame->payloads[waiting.next].size() + overhead_);
  if (++waiting.next < waiting.frame->payloads.size()) return false;
  pop();
  return true;
}

std::size_t FrameQueue::keep(std::size_t frames) noexcept {
  const std::size_t dropped = size_ - std::min(frames, size_);
  for (std::size_t i = 0; i < dropped; ++i) {
    subtract(front().left_bytes);
    pop();
  }
  return dropped;
}

void FrameQueue::subtract(std::size_t bytes) noexcept {
  front().left_bytes -= bytes;
  bytes_ -= bytes;
  if (is_newest_key(begin_)) key_bytes_ -= bytes;
}

void FrameQueue::pop() noexcept {
  front() = WaitingFrame{};
  ++begin_;
  --size_;
}

}  // namespace mediacore::egress
