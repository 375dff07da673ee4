// Bytes that grow at the end and are kept from use to use.
//
// Policy: grows by doubling with realloc, which moves pages of large blocks instead of copying them, so that growing
//   does not need the old and the new block at once. Does not know a limit; its user does. Throws std::bad_alloc.
// Threads: one owner.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>

namespace mediacore::h264 {

class ByteBuffer {
 public:
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  std::span<const std::uint8_t> view() const noexcept { return {block_.get(), size_}; }

  void clear() noexcept { size_ = 0; }

  // `most` caps the doubling: the block never grows past what will be used.
  void append(std::span<const std::uint8_t> bytes, std::size_t most) {
    if (bytes.empty()) return;
    reserve(size_ + bytes.size(), most);
    std::memcpy(block_.get() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }

  void append_zeros(std::size_t count, std::size_t most) {
    if (count == 0) return;
    reserve(size_ + count, most);
    std::memset(block_.get() + size_, 0, count);
    size_ += count;
  }

 private:
  struct Free {
    void operator()(std::uint8_t* block) const noexcept { std::free(block); }  // NOLINT(cppcoreguidelines-no-malloc)
  };

  static constexpr std::size_t kSmallest = 4096;

  void reserve(std::size_t wanted, std::size_t most) {
    if (wanted <= capacity_) return;
    const std::size_t capacity = std::max(wanted, std::min(std::max(2 * capacity_, kSmallest), most));
    void* const grown = std::realloc(block_.get(), capacity);  // NOLINT(cppcoreguidelines-no-malloc)
    if (grown == nullptr) throw std::bad_alloc();
    static_cast<void>(block_.release());
    block_.reset(static_cast<std::uint8_t*>(grown));
    capacity_ = capacity;
  }

  std::unique_ptr<std::uint8_t, Free> block_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace mediacore::h264
