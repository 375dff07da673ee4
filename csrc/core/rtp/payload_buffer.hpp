// The payloads that a packetizer made of one frame, in one block that is used again for the next frame.
//
// Policy: grows by doubling, never shrinks; no allocation per frame after warm-up. Throws std::bad_alloc.
// Memory: spans are valid until the next `add` or `clear`.
// Threads: one owner.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

namespace mediacore::rtp {

class PayloadBuffer {
 public:
  // `headroom`: bytes left free before each payload, where an RTP header can be written without a copy.
  explicit PayloadBuffer(std::size_t headroom = 0) noexcept : headroom_(headroom) {}

  std::size_t size() const noexcept { return slices_.size(); }
  bool empty() const noexcept { return slices_.empty(); }

  std::span<const std::uint8_t> operator[](std::size_t index) const noexcept {
    const Slice slice = slices_[index];
    return {block_.get() + slice.offset, slice.size};
  }

  // The headroom and the payload after it.
  std::span<std::uint8_t> packet(std::size_t index) noexcept {
    const Slice slice = slices_[index];
    return {block_.get() + slice.offset - headroom_, headroom_ + slice.size};
  }

  void clear() noexcept {
    slices_.clear();
    used_ = 0;
  }

  std::size_t capacity() const noexcept { return capacity_; }

  // Room for so many bytes in all, headroom included, without growing; for a buffer that is filled once.
  void reserve(std::size_t bytes) {
    if (bytes > capacity_) resize(bytes);
  }

  // Room for a payload of `size` bytes, for the caller to fill.
  std::uint8_t* add(std::size_t size) {
    const std::size_t wanted = used_ + headroom_ + size;
    if (wanted > capacity_) grow(wanted);
    const std::size_t offset = used_ + headroom_;
    slices_.push_back({offset, size});
    used_ = wanted;
    return block_.get() + offset;
  }

 private:
  struct Slice {
    std::size_t offset;
    std::size_t size;
  };

  static constexpr std::size_t kSmallest = std::size_t{64} << 10;

  void grow(std::size_t wanted) { resize(std::max({wanted, 2 * capacity_, kSmallest})); }

  void resize(std::size_t capacity) {
    std::unique_ptr<std::uint8_t[]> grown(new std::uint8_t[capacity]);  // NOLINT: an array that is not set to zero
    if (used_ != 0) std::memcpy(grown.get(), block_.get(), used_);
    block_ = std::move(grown);
    capacity_ = capacity;
  }

  std::size_t headroom_;
  std::unique_ptr<std::uint8_t[]> block_;  // NOLINT(*-avoid-c-arrays)
  std::size_t used_ = 0;
  std::size_t capacity_ = 0;
  std::vector<Slice> slices_;
};

}  // namespace mediacore::rtp
