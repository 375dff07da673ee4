// The last delays of one kind, for their median, 95th and 99th percentile.
//
// Policy: the newest kKept are kept; a delay is taken as 0 to 2^31 - 1 µs.
// Threads: one writer, any readers; a reader may see some delays of now and some of just before.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace mediacore::io {

class Delays {
 public:
  static constexpr std::size_t kKept = 256;  // 8 s of pictures at 30 per second

  struct Figures {
    std::int64_t p50_us = -1;  // -1: there was none
    std::int64_t p95_us = -1;
    std::int64_t p99_us = -1;
  };

  void add(std::int64_t us) noexcept {
    constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
    const std::uint64_t count = count_.load(std::memory_order_relaxed);  // only this thread changes it
    const auto value = static_cast<std::int32_t>(std::clamp<std::int64_t>(us, 0, kMost));
    values_[count % kKept].store(value, std::memory_order_relaxed);
    count_.store(count + 1, std::memory_order_release);  // with the acquire below: the value is there
  }

  Figures figures() const noexcept {
    const std::uint64_t count = std::min<std::uint64_t>(count_.load(std::memory_order_acquire), kKept);
    if (count == 0) return {};
    std::array<std::int32_t, kKept>
        values;  // NOLINT(cppcoreguidelines-pro-type-member-init): the first `count` are set
    for (std::size_t i = 0; i < count; ++i) values[i] = values_[i].load(std::memory_order_relaxed);
    const auto end = values.begin() + static_cast<std::ptrdiff_t>(count);
    const auto at = [&](std::size_t percent) {
      const auto nth = values.begin() + static_cast<std::ptrdiff_t>((count - 1) * percent / 100);
      std::nth_element(values.begin(), nth, end);
      return std::int64_t{*nth};
    };
    return {.p50_us = at(50), .p95_us = at(95), .p99_us = at(99)};
  }

 private:
  std::atomic<std::uint64_t> count_{0};
  std::array<std::atomic<std::int32_t>, kKept> values_{};
};

}  // namespace mediacore::io
