// Units and frames whose memory is used again: they are made and left all the time, a group of pictures at once, and the
// C library gives such memory back to the kernel each time.
//
// Policy: blocks come in four sizes to each power of two, so that a small unit does not hold a large one's block. What is
//   left is kept up to kIdleBytes, blocks of more than kLargestBytes never; the rest is freed. What is below
//   kSmallestBytes is made to measure and not used again: the C library keeps such memory itself, and a cache of thousands
//   of tiny units shall cost what they have.
// Memory: an object may outlive its recycler.
// Threads: one takes; objects may be left on any thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace mediacore::io {

// `T` has `capacity() const noexcept`, the bytes of its block; `reserve(bytes)`; and `reset() noexcept`, which makes it as
// new but for its block.
template <class T>
class Recycler {
 public:
  static constexpr std::size_t kIdleBytes = std::size_t{2} << 20;  // two seconds at 8 Mb/s
  static constexpr std::size_t kSmallestBytes = std::size_t{4} << 10;
  static constexpr std::size_t kLargestBytes = std::size_t{1} << 20;

  // One with room for so many bytes. Throws std::bad_alloc.
  std::shared_ptr<T> take(std::size_t bytes) {
    if (bytes < kSmallestBytes) {
      auto object = std::make_shared<T>();
      object->reserve(bytes);
      return object;
    }
    const std::size_t size = rounded(bytes);
    std::unique_ptr<T> object = idle_->take(size);
    if (!object) {
      object = std::make_unique<T>();
      object->reserve(size);
    }
    return {object.release(), Leave{idle_}};
  }

 private:
  static constexpr std::size_t kQuarters = 4;

  // Between sizes, from the power of two below on.
  static constexpr std::size_t step_at(std::size_t bytes) noexcept {
    return std::max(std::bit_floor(bytes), kSmallestBytes) / kQuarters;
  }

  // Up to the next size.
  static constexpr std::size_t rounded(std::size_t bytes) noexcept {
    const std::size_t step = step_at(bytes);
    return (bytes + step - 1) / step * step;
  }

  // Of the largest size that is not above `bytes`.
  static constexpr std::size_t index_of(std::size_t bytes) noexcept {
    const std::size_t power = std::bit_floor(bytes);
    const auto octave = static_cast<std::size_t>(std::bit_width(power) - std::bit_width(kSmallestBytes));
    return octave * kQuarters + (bytes - power) / step_at(bytes);
  }

  class Idle {
   public:
    std::unique_ptr<T> take(std::size_t size) noexcept {
      if (size > kLargestBytes) return nullptr;
      const std::scoped_lock lock(mutex_);
      std::vector<std::unique_ptr<T>>& objects = objects_[index_of(size)];
      if (objects.empty()) return nullptr;
      std::unique_ptr<T> object = std::move(objects.back());
      objects.pop_back();
      bytes_ -= object->capacity();
      return object;
    }

    // What is not kept is freed without the lock.
    void leave(std::unique_ptr<T> object) noexcept {
      const std::size_t bytes = object->capacity();
      if (bytes < kSmallestBytes || bytes > kLargestBytes) return;
      object->reset();
      const std::scoped_lock lock(mutex_);
      if (bytes_ + bytes > kIdleBytes) return;
      try {
        objects_[index_of(bytes)].push_back(std::move(object));
        bytes_ += bytes;
      } catch (const std::exception&) {
        return;  // no memory: then it is not kept
      }
    }

   private:
    std::mutex mutex_;
    std::array<std::vector<std::unique_ptr<T>>, index_of(kLargestBytes) + 1> objects_;
    std::size_t bytes_ = 0;
  };

  struct Leave {
    std::shared_ptr<Idle> idle;
    void operator()(T* object) const noexcept { idle->leave(std::unique_ptr<T>(object)); }
  };

  std::shared_ptr<Idle> idle_ = std::make_shared<Idle>();
};

}  // namespace mediacore::io
