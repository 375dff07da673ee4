// The atomics that the lock-free parts of this folder are made of, and every memory order that they rely on, with the
// reason why it is enough. The parts are templates over this type, so that tests can put a simulated memory in its place
// and weaken one order at a time (tests/native/memory): each of them is needed, and together they are enough.
//
// Memory: nothing. Threads: only constants.
#pragma once

#include <atomic>
#include <cstdint>

namespace mediacore::memory {

// What rings carry: the handle of a pool's slot, or whatever else its owner means by it. Never looked into.
using Token = std::uint64_t;

// No token: an empty ring, a push that gave nothing back.
inline constexpr Token kNoToken = 0;

// Whoever writes into one cache line takes it from the others.
inline constexpr std::size_t kCacheLine = 64;

struct Atomics {
  template <class T>
  using Atomic = std::atomic<T>;
  // A ring's place for a token, and its read position.
  using Cell = std::atomic<Token>;
  using ReadPosition = std::atomic<std::uint64_t>;

  // Tokens in cells. Relaxed: positions publish them. Atomic all the same, as a side that is about to lose the race for the
  // read position may read a cell while the other one writes it.
  static constexpr std::memory_order kCell = std::memory_order_relaxed;
  // Producer stores the write position. Release: who sees it sees the token, and what the token stands for.
  static constexpr std::memory_order kPublish = std::memory_order_release;
  // Consumer loads the write position. Acquire: the other half of kPublish.
  static constexpr std::memory_order kObserve = std::memory_order_acquire;
  // Producer loads the read position. Acquire: a cell is written again only after the read of it that took its token.
  static constexpr std::memory_order kReuse = std::memory_order_acquire;
  // Consumer loads the read position. Acquire: when an eviction has moved it, the write position that comes with the
  // eviction is seen as well. Otherwise an older one might be, behind the read position: an empty ring that looks full.
  static constexpr std::memory_order kFollow = std::memory_order_acquire;
  // Consumer moves the read position. Release: the other half of kReuse.
  static constexpr std::memory_order kTake = std::memory_order_release;
  // Producer moves the read position. Release: the other half of kFollow.
  static constexpr std::memory_order kEvict = std::memory_order_release;

  // A mailbox's one exchange. Both halves: it hands a token over, and takes one.
  static constexpr std::memory_order kSwap = std::memory_order_acq_rel;

  // A slot's reference count goes down. Release: what was done with the slot comes before its next use. Whoever finds itself
  // to be the last acquires what all the others have released, and passes it on with kPutFree.
  static constexpr std::memory_order kRelease = std::memory_order_release;
  static constexpr std::memory_order kSeeLast = std::memory_order_acquire;
  // A free slot goes into the chain, and the chain to who acquires: a slot's next user comes after its last one.
  static constexpr std::memory_order kPutFree = std::memory_order_release;
  static constexpr std::memory_order kTakeFree = std::memory_order_acquire;

  // Somebody is about to sleep, and somebody looks whether anyone does. Both are read-modify-write of one flag, so one of
  // them comes first: either the sleeper sees what was done before the look, or the look sees the sleeper.
  static constexpr std::memory_order kArm = std::memory_order_acq_rel;
  static constexpr std::memory_order kLook = std::memory_order_acq_rel;

  // Closing. Release and acquire: who sees a closed ring sees all that was pushed before.
  static constexpr std::memory_order kClose = std::memory_order_release;
  static constexpr std::memory_order kSeeClosed = std::memory_order_acquire;

  // Counts, each with one writer, and values that their reader checks by other means.
  static constexpr std::memory_order kPlain = std::memory_order_relaxed;
};

}  // namespace mediacore::memory
