// When the next sender report of an SSRC is due: with its first packet, then every second.
//
// The interval is fixed: RFC 3550 6.2 wants it to vary so that the members of a session do not fall into step; here there
// are two. Each report measures a round trip.
// Threads: one owner.
#pragma once

#include <algorithm>
#include <cstdint>

namespace mediacore::egress {

inline constexpr std::int64_t kReportIntervalUs = 1'000'000;

class ReportSchedule {
 public:
  void start(std::int64_t now_us) noexcept {
    if (started_) return;
    started_ = true;
    next_us_ = now_us;
  }
  bool started() const noexcept { return started_; }
  bool due(std::int64_t now_us) const noexcept { return started_ && now_us >= next_us_; }
  // Keeps step, but makes nothing up for what was missed.
  void sent(std::int64_t now_us) noexcept {
    next_us_ += kReportIntervalUs;
    if (next_us_ <= now_us) next_us_ = now_us + kReportIntervalUs;
  }

 private:
  bool started_ = false;
  std::int64_t next_us_ = 0;
};

}  // namespace mediacore::egress
