#include "core/egress/timeline.hpp"

#include <algorithm>

namespace mediacore::egress {

// Whole seconds apart, so that no product passes 63 bits; rounded down, also before zero.
std::int64_t Timeline::ticks(std::int64_t us) const noexcept {
  constexpr std::int64_t kSecond = 1'000'000;
  std::int64_t seconds = us / kSecond;
  std::int64_t rest = us % kSecond;
  if (rest < 0) {
    rest += kSecond;
    --seconds;
  }
  return seconds * clock_hz_ + rest * clock_hz_ / kSecond;
}

void Timeline::observe(std::int64_t pts_us, std::int64_t received_us) noexcept {
  const std::int64_t delay = received_us - pts_us;
  if (!observed_ || delay - delay_us() > kClockStepUs || delay_us() - delay > kClockStepUs) {
    observed_ = true;
    former_us_ = current_us_ = delay;
    window_end_us_ = received_us + kWindowUs;
    return;
  }
  if (received_us >= window_end_us_) {
    former_us_ = current_us_;
    current_us_ = delay;
    window_end_us_ = received_us + kWindowUs;
  }
  current_us_ = std::min(current_us_, delay);
}

std::uint32_t Timeline::stamp(std::int64_t pts_us, bool replayed, std::int64_t now_us) noexcept {
  std::int64_t wanted = ticks(pts_us) + shift_ticks_;
  if (last_ticks_ && wanted <= *last_ticks_) {
    if (!replayed && *last_ticks_ - wanted > ticks(kClockStepUs)) {
      const std::int64_t next = *last_ticks_ + std::max<std::int64_t>(ticks(now_us - last_sent_us_), 1);
      shift_ticks_ += next - wanted;
      wanted = next;
    } else {
      wanted = *last_ticks_ + 1;
    }
  }
  last_ticks_ = wanted;
  last_sent_us_ = now_us;
  return timestamp(wanted);
}

std::uint32_t Timeline::at(std::int64_t now_us) const noexcept {
  return timestamp(ticks(now_us - delay_us()) + shift_ticks_);
}

}  // namespace mediacore::egress
