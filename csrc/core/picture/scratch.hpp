// Bytes to work in, kept from one use to the next: written before they are read, so they begin as anything.
//
// Guarantees: none of the contents survives `take`. Memory grows to the most that was asked for, until `trim`.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace mediacore::picture {

class Scratch {
 public:
  // std::bad_alloc
  std::span<std::uint8_t> take(std::size_t bytes) {
    if (bytes > size_) {
      block_.reset();
      size_ = 0;
      block_ = std::make_unique_for_overwrite<std::uint8_t[]>(bytes);  // NOLINT(*-avoid-c-arrays)
      size_ = bytes;
    }
    return {block_.get(), bytes};
  }

  // Gives the memory back if it is more than `most`.
  void trim(std::size_t most) noexcept {
    if (size_ <= most) return;
    block_.reset();
    size_ = 0;
  }

 private:
  std::unique_ptr<std::uint8_t[]> block_;  // NOLINT(*-avoid-c-arrays): a vector would write zeros first
  std::size_t size_ = 0;
};

}  // namespace mediacore::picture
