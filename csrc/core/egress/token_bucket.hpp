// Bytes that may leave now, filled again at a rate, in virtual time.
//
// Guarantee: in any span of time, no more is taken than capacity + rate * time, if `has` is asked before `take`; what is
//   larger than the capacity may leave when the bucket is full.
// Policy: arithmetic is exact (whole numbers of bits x µs/s); a rate or capacity outside of the limits is moved to the
//   nearest one.
// Threads: one owner.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace mediacore::egress {

class TokenBucket {
 public:
  // 1 Gbyte and 1 Tbit/s: far above use, and no product of them with the scale passes 63 bits.
  static constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;
  static constexpr std::uint64_t kMostBps = 1'000'000'000'000;

  TokenBucket(std::uint64_t rate_bps, std::size_t capacity_bytes) noexcept {
    set(rate_bps, capacity_bytes);
    level_ = capacity_;
  }

  void set(std::uint64_t rate_bps, std::size_t capacity_bytes) noexcept {
    rate_ = static_cast<std::int64_t>(std::min(rate_bps, kMostBps));
    capacity_ = static_cast<std::int64_t>(std::clamp<std::uint64_t>(capacity_bytes, 1, kMostBytes)) * kScale;
    level_ = std::min(level_, capacity_);
  }

  void refill(std::int64_t elapsed_us) noexcept {
    if (elapsed_us <= 0 || rate_ == 0) return;
    const std::int64_t missing = capacity_ - level_;
    level_ = elapsed_us > missing / rate_ ? capacity_ : level_ + rate_ * elapsed_us;
  }

  bool has(std::size_t bytes) const noexcept { return level_ >= needed(bytes); }

  void take(std::size_t bytes) noexcept { level_ -= needed(bytes); }

  // Until `has(bytes)`; the largest number if never.
  std::int64_t wait_us(std::size_t bytes) const noexcept {
    const std::int64_t missing = needed(bytes) - level_;
    if (missing <= 0) return 0;
    if (rate_ == 0) return std::numeric_limits<std::int64_t>::max();
    return (missing + rate_ - 1) / rate_;
  }

 private:
  static constexpr std::int64_t kScale = 8'000'000;  // a byte, in bits x µs/s

  std::int64_t needed(std::size_t bytes) const noexcept {
    return std::min(static_cast<std::int64_t>(std::min<std::uint64_t>(bytes, kMostBytes)) * kScale, capacity_);
  }

  std::int64_t level_ = 0;
  std::int64_t capacity_ = 0;
  std::int64_t rate_ = 0;
};

}  // namespace mediacore::egress
