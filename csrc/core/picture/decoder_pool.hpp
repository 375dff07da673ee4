// Decoders, and whatever else keeps memory from one picture to the next, for whoever comes: each call gets one of its own,
// and a few are kept for the next ones.
//
// Guarantees: one is used by one lease at a time. Policy: never waits and never runs out; what comes back beyond
//   kKept is destroyed, so a burst of callers leaves no memory behind.
// Threads: any, under a lock that is held for some instructions. The pool must outlive its leases.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/picture/picture_decoder.hpp"

namespace mediacore::picture {

template <class Worker>
class IdlePool {
 public:
  // As many as work at the same time on a small machine; one holds the buffers of one picture.
  static constexpr std::size_t kKept = 4;

  class Lease {
   public:
    Lease(IdlePool& pool, std::unique_ptr<Worker> worker) noexcept : pool_(&pool), worker_(std::move(worker)) {}
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      if (worker_) pool_->give_back(std::move(worker_));
    }

    Worker& operator*() const noexcept { return *worker_; }
    Worker* operator->() const noexcept { return worker_.get(); }

   private:
    IdlePool* pool_;
    std::unique_ptr<Worker> worker_;
  };

  // The one that was given back last, whose memory is warm; std::bad_alloc.
  Lease take() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto worker = std::move(idle_.back());
        idle_.pop_back();
        return {*this, std::move(worker)};
      }
    }
    return {*this, std::make_unique<Worker>()};
  }

 private:
  void give_back(std::unique_ptr<Worker> worker) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kKept) idle_.push_back(std::move(worker));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<Worker>> idle_ = [] {
    std::vector<std::unique_ptr<Worker>> idle;
    idle.reserve(kKept);  // so that giving back never fails
    return idle;
  }();
};

using DecoderPool = IdlePool<PictureDecoder>;

}  // namespace mediacore::picture
