// Finds Annex B start codes, 00 00 01 (H.264 B.1.1), by SIMD.
//
// Policy: never reads past the end (prefetching is no reading); speed does not depend on the content (zeros do not slow
//   it down), and hardly on how near to each other the start codes are.
// Threads: StartCodes has one owner, the functions are pure. The instruction set is chosen once, at the first use.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mediacore::h264 {
namespace scan {

inline constexpr std::size_t kBlockBytes = 64;

// The same search for each instruction set. Returns an address such that no start code begins between `begin` and it;
// bit i of `codes` tells that one begins i bytes after it. Without any start code: `end`, and `codes` is 0. The search
// goes on kBlockBytes after it.
// `scalar` is the reference and the portable way; the others need their instruction set.
using Function = const std::uint8_t* (*)(const std::uint8_t* begin, const std::uint8_t* end,
                                         std::uint64_t& codes) noexcept;

const std::uint8_t* scalar(const std::uint8_t* begin, const std::uint8_t* end, std::uint64_t& codes) noexcept;
#if defined(__x86_64__)
const std::uint8_t* sse2(const std::uint8_t* begin, const std::uint8_t* end, std::uint64_t& codes) noexcept;
const std::uint8_t* avx2(const std::uint8_t* begin, const std::uint8_t* end, std::uint64_t& codes) noexcept;
const std::uint8_t* avx512(const std::uint8_t* begin, const std::uint8_t* end, std::uint64_t& codes) noexcept;
bool has_avx2() noexcept;
bool has_avx512() noexcept;
#endif

}  // namespace scan

// The start codes of some bytes, one after the other. The bytes must outlive it.
class StartCodes {
 public:
  explicit StartCodes(std::span<const std::uint8_t> data, std::size_t from = 0) noexcept
      : begin_(data.data()), end_(begin_ + data.size()), block_(begin_), rest_(begin_ + std::min(from, data.size())) {}

  // Offset of the first byte of the next start code; the size of the data if there is none left.
  std::size_t next() noexcept {
    if (codes_ == 0 && !find_block()) return static_cast<std::size_t>(end_ - begin_);
    const auto offset = static_cast<std::size_t>(block_ - begin_) + static_cast<std::size_t>(std::countr_zero(codes_));
    codes_ &= codes_ - 1;
    return offset;
  }

 private:
  bool find_block() noexcept;

  const std::uint8_t* begin_;
  const std::uint8_t* end_;
  const std::uint8_t* block_;  // what `codes_` tells of
  const std::uint8_t* rest_;   // not yet searched
  std::uint64_t codes_ = 0;
};

// Offset of the first byte of the first start code at or after `from`; `data.size()` if there is none.
std::size_t find_start_code(std::span<const std::uint8_t> data, std::size_t from = 0) noexcept;

// Appends the offset of the first byte of every start code to `offsets`.
void find_start_codes(std::span<const std::uint8_t> data, std::vector<std::size_t>& offsets);

}  // namespace mediacore::h264
