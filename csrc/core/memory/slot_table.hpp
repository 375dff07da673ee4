// Who holds which slot of a pool: reference counts, generations, and the chain of the free ones. Lock-free.
//
// Guarantees
// - A slot that somebody holds is not given out again; whoever acquires a slot comes after everything that its last holders
//   did with it.
// - No call waits. `acquire` on an empty table says so at once.
// - A handle carries the slot's generation: a handle whose slot was given back is refused by every call, and nothing
//   happens. (Not while: a reference that two threads give back at the same moment is not caught. And a generation comes again after 2^32 uses of one slot: two years at 60 per second, if it were always the same
//   one.)
// Policy: a reference is added by a holder only, so a count never rises from 0.
// How: the chain is taken whole, with one exchange, by the one that acquires: no ABA.
// Memory: once, when it is made. Threads: one acquires at a time; everything else from any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/memory/atomics.hpp"

namespace mediacore::memory {

// A slot as the outside knows it: generation << 32 | index + 1. Never kNoToken, and bit 31 is never set.
using Handle = Token;

inline constexpr std::size_t kMaxSlots = 4096;  // of 1080p pictures these are 12 GB

template <class A>
// Each side has a cache line of its own.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
class BasicSlotTable {
 public:
  // `slots` is 1 to kMaxSlots.
  explicit BasicSlotTable(std::size_t slots) : count_(slots), slots_(std::make_unique<Slot[]>(slots)) {
    for (std::size_t index = slots; index-- > 0;) chain_front(index);
  }

  static std::size_t index_of(Handle handle) { return static_cast<std::uint32_t>(handle) - std::size_t{1}; }

  // A free slot, held once; kNoToken if there is none.
  Handle acquire() {
    if (mine_ == 0) mine_ = free_.exchange(0, A::kTakeFree);
    if (mine_ == 0) return kNoToken;
    const std::uint32_t number = mine_;
    Slot& slot = slots_[number - 1];
    mine_ = slot.next.load(A::kPlain);
    // Nobody else changes the state of a free slot.
    const std::uint64_t generation = slot.state.load(A::kPlain) & kGeneration;
    slot.state.store(generation | 1, A::kPlain);
    return generation | number;
  }

  // One more reference, by somebody who holds one. False: the handle is stale.
  bool retain(Handle handle) {
    if (!valid(handle)) return false;
    auto& state = slots_[index_of(handle)].state;
    std::uint64_t seen = state.load(A::kPlain);
    while (held(seen, handle)) {
      if (state.compare_exchange_weak(seen, seen + 1, A::kPlain, A::kPlain)) return true;
    }
    return false;
  }

  // Gives one reference back; with the last one the slot is free. False: the handle is stale.
  bool release(Handle handle) {
    if (!valid(handle)) return false;
    Slot& slot = slots_[index_of(handle)];
    std::uint64_t seen = slot.state.load(A::kSeeLast);
    while (held(seen, handle)) {
      if ((seen & kReferences) == 1) {
        // The only reference: nobody else may change the count.
        slot.state.store((seen & kGeneration) + kNextGeneration, A::kPlain);
        put_free(static_cast<std::uint32_t>(handle), slot);
        return true;
      }
      if (slot.state.compare_exchange_weak(seen, seen - 1, A::kRelease, A::kSeeLast)) return true;
    }
    return false;
  }

  // Whether the handle's slot is held, by whomever. True for a moment ago.
  bool live(Handle handle) const {
    return valid(handle) && held(slots_[index_of(handle)].state.load(A::kPlain), handle);
  }

  // Slots that are held, looked at one after the other.
  std::size_t in_use() const {
    std::size_t held_slots = 0;
    for (std::size_t index = 0; index < count_; ++index) {
      held_slots += (slots_[index].state.load(A::kPlain) & kReferences) == 0 ? 0 : 1;
    }
    return held_slots;
  }

  std::size_t size() const { return count_; }

 private:
  static constexpr std::uint64_t kReferences = 0xffff'ffff;
  static constexpr std::uint64_t kGeneration = ~kReferences;
  static constexpr std::uint64_t kNextGeneration = kReferences + 1;

  // generation << 32 | references
  struct alignas(kCacheLine) Slot {
    typename A::template Atomic<std::uint64_t> state{0};
    typename A::template Atomic<std::uint32_t> next{0};
  };

  bool valid(Handle handle) const { return index_of(handle) < count_; }
  static bool held(std::uint64_t state, Handle handle) {
    return (state & kReferences) != 0 && ((state ^ handle) & kGeneration) == 0;
  }

  void chain_front(std::size_t index) {
    slots_[index].next.store(mine_, A::kPlain);
    mine_ = static_cast<std::uint32_t>(index + 1);
  }

  void put_free(std::uint32_t number, Slot& slot) {
    std::uint32_t head = free_.load(A::kPlain);
    do {
      slot.next.store(head, A::kPlain);
    } while (!free_.compare_exchange_weak(head, number, A::kPutFree, A::kPlain));
  }

  const std::size_t count_;
  const std::unique_ptr<Slot[]> slots_;
  std::uint32_t mine_ = 0;  // the chain of the one that acquires
  alignas(kCacheLine) typename A::template Atomic<std::uint32_t> free_{0};
};

using SlotTable = BasicSlotTable<Atomics>;

}  // namespace mediacore::memory
