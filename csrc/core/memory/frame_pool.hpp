// The memory of pictures: slots of one size that are used again and again, with leases that say who reads them.
//
// Guarantees
// - No page is touched for the first time when a slot is acquired: all were, when the pool was made. Nothing is allocated.
// - A slot with a lease is not written again, however long the lease lives and whatever became of the ring that it came from.
// - Nothing waits: with no slot free, `acquire` gives none and counts it; the producer drops its newest picture.
// How many slots: the capacities of all rings that carry them, and the leases that are out at a time, and two (the one being
//   written and the one just dropped). With that many, `acquire` always finds one.
// Policy: leases do not expire. Memory that somebody may read is never taken back; `in_use` tells of who keeps too much.
// Memory: the pool owns it. A Lease refers to its pool, which must outlive it; who hands leases out to where lives are not
//   known keeps the pool with them (SharedLease).
// Threads: one acquires at a time; leases from any thread, one lease from one at a time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/memory/slot_table.hpp"

namespace mediacore::memory {

// What is in a slot: I420, planes Y, U, V one after the other, chroma rows of half the stride. Written by the one that
// acquired the slot before it hands it on.
struct FrameInfo {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint32_t stride = 0;  // bytes of a row of luma; even
  bool bt601 = false;        // else BT.709
  std::int64_t pts_us = 0;

  // Of such a picture, all planes.
  constexpr std::size_t bytes() const {
    return std::size_t{stride} * height + std::size_t{stride / 2} * ((std::size_t{height} + 1) / 2) * 2;
  }
};

class FramePool;

// One reference to a slot, given back when it goes.
class Lease {
 public:
  Lease() = default;
  // Takes over a reference that somebody has given up with `give`.
  Lease(FramePool& pool, Handle handle) : pool_(&pool), handle_(handle) {}
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  Lease(Lease&& other) noexcept : pool_(other.pool_), handle_(std::exchange(other.handle_, kNoToken)) {}
  Lease& operator=(Lease&& other) noexcept {
    if (this != &other) {
      reset();
      pool_ = other.pool_;
      handle_ = std::exchange(other.handle_, kNoToken);
    }
    return *this;
  }
  ~Lease() { reset(); }

  explicit operator bool() const { return handle_ != kNoToken; }
  Handle handle() const { return handle_; }
  std::span<std::uint8_t> data() const;
  FrameInfo& info() const;

  // One more.
  Lease share() const;
  // The reference belongs to who takes the handle; this lease is empty.
  Handle give() { return std::exchange(handle_, kNoToken); }
  void reset();

 private:
  FramePool* pool_ = nullptr;
  Handle handle_ = kNoToken;
};

// Each side has a cache line of its own.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
class FramePool {
 public:
  static constexpr std::size_t kMaxBytes = std::size_t{4} << 30;  // of all slots: a mistake in a number, not a need
  static constexpr std::size_t kAlignment = 64;                   // a cache line, the widest vector register
  static constexpr std::size_t kPadding = 64;                     // behind a slot: vector code may read past its end

  // Whether there can be such a pool.
  static bool valid(std::size_t slots, std::size_t slot_bytes);

  // `valid` ones. Throws std::bad_alloc.
  FramePool(std::size_t slots, std::size_t slot_bytes);

  // Empty if no slot is free, which is counted.
  Lease acquire();

  std::size_t slots() const { return table_.size(); }
  std::size_t slot_bytes() const { return slot_bytes_; }
  std::size_t in_use() const { return table_.in_use(); }
  std::uint64_t exhausted() const { return exhausted_.load(std::memory_order_relaxed); }

  // By handle, for those that have no Lease. `release` and `retain` do nothing and return false for a stale one.
  bool live(Handle handle) const { return table_.live(handle); }
  bool retain(Handle handle) { return table_.retain(handle); }
  bool release(Handle handle) { return table_.release(handle); }
  std::span<std::uint8_t> data(Handle handle) { return {memory_[SlotTable::index_of(handle)].get(), slot_bytes_}; }
  FrameInfo& info(Handle handle) { return infos_[SlotTable::index_of(handle)]; }

 private:
  struct Free {
    void operator()(std::uint8_t* memory) const;
  };

  const std::size_t slot_bytes_;
  SlotTable table_;
  std::vector<std::unique_ptr<std::uint8_t, Free>> memory_;
  std::vector<FrameInfo> infos_;
  std::atomic<std::uint64_t> exhausted_{0};  // a count
};

inline std::span<std::uint8_t> Lease::data() const {
  return pool_->data(handle_);
}
inline FrameInfo& Lease::info() const {
  return pool_->info(handle_);
}
inline Lease Lease::share() const {
  return pool_->retain(handle_) ? Lease(*pool_, handle_) : Lease();
}
inline void Lease::reset() {
  if (const Handle handle = give(); handle != kNoToken) pool_->release(handle);
}

// A lease that keeps its pool alive.
class SharedLease {
 public:
  SharedLease(std::shared_ptr<FramePool> pool, Lease lease) : pool_(std::move(pool)), lease_(std::move(lease)) {}
  SharedLease(SharedLease&&) = default;
  SharedLease& operator=(SharedLease&& other) noexcept {
    // In this order: the lease that goes still has its pool.
    lease_ = std::move(other.lease_);
    pool_ = std::move(other.pool_);
    return *this;
  }
  SharedLease(const SharedLease&) = delete;
  SharedLease& operator=(const SharedLease&) = delete;
  ~SharedLease() = default;

  const Lease& operator*() const { return lease_; }
  const Lease* operator->() const { return &lease_; }

 private:
  std::shared_ptr<FramePool> pool_;  // goes last
  Lease lease_;
};

}  // namespace mediacore::memory
