// Decoders for whoever comes: each call gets one of its own, and a few are kept for the next ones.
//
// Guarantees: a decoder is used by one lease at a time. Policy: never waits and never runs out; what comes back beyond
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

class DecoderPool {
 public:
  // As many as decode at the same time on a small machine; one holds the buffers of one picture.
  static constexpr std::size_t kKept = 4;

  class Lease {
   public:
    Lease(DecoderPool& pool, std::unique_ptr<PictureDecoder> decoder) noexcept
        : pool_(&pool), decoder_(std::move(decoder)) {}
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      if (decoder_) pool_->give_back(std::move(decoder_));
    }

    PictureDecoder& operator*() const noexcept { return *decoder_; }
    PictureDecoder* operator->() const noexcept { return decoder_.get(); }

   private:
    DecoderPool* pool_;
    std::unique_ptr<PictureDecoder> decoder_;
  };

  // The one that was given back last, whose memory is warm; std::bad_alloc.
  Lease take() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto decoder = std::move(idle_.back());
        idle_.pop_back();
        return {*this, std::move(decoder)};
      }
    }
    return {*this, std::make_unique<PictureDecoder>()};
  }

 private:
  void give_back(std::unique_ptr<PictureDecoder> decoder) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kKept) idle_.push_back(std::move(decoder));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<PictureDecoder>> idle_ = [] {
    std::vector<std::unique_ptr<PictureDecoder>> idle;
    idle.reserve(kKept);  // so that giving back never fails
    return idle;
  }();
};

}  // namespace mediacore::picture
