// So many of something in each second; more is refused.
//
// Policy: a second begins with the first of it. Time may stand still, and goes forward.
// Threads: one owner.
#pragma once

#include <cstdint>

namespace mediacore::egress {

class Allowance {
 public:
  explicit constexpr Allowance(std::uint32_t per_second) noexcept : per_second_(per_second) {}

  bool take(std::int64_t now_us) noexcept {
    constexpr std::int64_t kSecondUs = 1'000'000;
    if (now_us >= end_us_) {
      end_us_ = now_us + kSecondUs;
      taken_ = 0;
    }
    if (taken_ == per_second_) return false;
    ++taken_;
    return true;
  }

 private:
  std::uint32_t per_second_;
  std::uint32_t taken_ = 0;
  std::int64_t end_us_ = 0;
};

}  // namespace mediacore::egress
