#include "core/egress/history.hpp"

#include <utility>

namespace mediacore::egress {

void History::add(SentPacket packet) {
  const std::int64_t now_us = packet.sent_us;
  while (size_ >= kLeastPackets && now_us - at(end_ - size_).sent_us > kLeastUs) drop_oldest();
  if (size_ == ring_.size()) {
    if (size_ < kMostPackets) {
      grow();
    } else {
      drop_oldest();
    }
  }
  end_ = packet.fields.index + 1;
  at(packet.fields.index) = std::move(packet);
  ++size_;
}

SentPacket* History::find(std::uint16_t sequence_number) noexcept {
  const std::uint64_t newest = end_ - 1;
  const auto back = static_cast<std::uint16_t>(newest - sequence_number);
  return back < size_ ? &at(newest - back) : nullptr;
}

SentPacket* History::find_index(std::uint64_t index) noexcept {
  return index < end_ && end_ - index <= size_ ? &at(index) : nullptr;
}

void History::drop_oldest() noexcept {
  at(end_ - size_).frame.reset();
  --size_;
}

void History::grow() {
  std::vector<SentPacket> larger(2 * ring_.size());
  for (std::uint64_t index = end_ - size_; index < end_; ++index) {
    larger[index & (larger.size() - 1)] = std::move(at(index));
  }
  ring_ = std::move(larger);
}

}  // namespace mediacore::egress
