// From the times of frames to RTP timestamps, and to the timestamp of a moment, which sender reports need.
//
// Guarantees: timestamps are origin + pts, in units of the RTP clock, whatever is sent; they never repeat and never go
//   back: a frame whose own timestamp would do so gets the one after the frame before.
// Policy: a pts that goes back by more than kClockStepUs is of another clock; its timestamps go on from the last one by
//   the time that has passed, and are linear in the new clock.
// The pts clock is compared with the monotonic one by the times at which frames were received: the least delay of the
// last seconds. For pts that are monotonic times of arrival that is none.
// Threads: one owner.
#pragma once

#include <cstdint>
#include <optional>

namespace mediacore::egress {

// A screen may rest for seconds, and what is replayed after the rest is as old; a clock that starts again goes back more.
inline constexpr std::int64_t kClockStepUs = 10'000'000;

class Timeline {
 public:
  Timeline(std::uint32_t clock_hz, std::uint32_t origin) noexcept : clock_hz_(clock_hz), origin_(origin) {}

  // A frame with this pts was received then.
  void observe(std::int64_t pts_us, std::int64_t received_us) noexcept;
  // The timestamp of the next frame to be sent. `replayed`: its pts is made up, and says nothing about the clock.
  std::uint32_t stamp(std::int64_t pts_us, bool replayed, std::int64_t now_us) noexcept;
  // The timestamp of a frame that would be received now.
  std::uint32_t at(std::int64_t now_us) const noexcept;

 private:
  // The least delay counts that was seen in this window or the one before it.
  static constexpr std::int64_t kWindowUs = 5'000'000;

  std::int64_t ticks(std::int64_t us) const noexcept;
  std::uint32_t timestamp(std::int64_t ticks) const noexcept { return origin_ + static_cast<std::uint32_t>(ticks); }
  std::int64_t delay_us() const noexcept { return former_us_ < current_us_ ? former_us_ : current_us_; }

  std::uint32_t clock_hz_;
  std::uint32_t origin_;
  std::int64_t shift_ticks_ = 0;
  std::optional<std::int64_t> last_ticks_;
  std::int64_t last_sent_us_ = 0;
  bool observed_ = false;
  std::int64_t former_us_ = 0;
  std::int64_t current_us_ = 0;
  std::int64_t window_end_us_ = 0;
};

}  // namespace mediacore::egress
