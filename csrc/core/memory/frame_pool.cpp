#include "core/memory/frame_pool.hpp"

#include <cstring>
#include <new>

namespace mediacore::memory {

bool FramePool::valid(std::size_t slots, std::size_t slot_bytes) {
  return slots >= 1 && slots <= kMaxSlots && slot_bytes >= 1 && slot_bytes <= kMaxBytes / slots;
}

void FramePool::Free::operator()(std::uint8_t* memory) const {
  ::operator delete(memory, std::align_val_t(kAlignment));
}

FramePool::FramePool(std::size_t slots, std::size_t slot_bytes)
    : slot_bytes_(slot_bytes), table_(slots), infos_(slots) {
  const std::size_t bytes = slot_bytes + kPadding;
  memory_.reserve(slots);
  for (std::size_t slot = 0; slot < slots; ++slot) {
    memory_.emplace_back(static_cast<std::uint8_t*>(::operator new(bytes, std::align_val_t(kAlignment))));
    // Written once: now its pages are there.
    std::memset(memory_.back().get(), 0, bytes);
  }
}

Lease FramePool::acquire() {
  const Handle handle = table_.acquire();
  if (handle == kNoToken) {
    exhausted_.fetch_add(1, std::memory_order_relaxed);
    return {};
  }
  return {*this, handle};
}

}  // namespace mediacore::memory
