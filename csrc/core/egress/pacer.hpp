// When packets may leave: a token bucket whose rate follows the rendition's.
//
// Rate: until the first feedback, start_factor * max(rendition's rate, start rate): a late viewer should have its first
//   picture soon. After it, factor * the rendition's rate, but no less than the start rate: a screen that rests has next
//   to no rate, and the first picture after the rest must not crawl at it; what the path was trusted with unknown it
//   can be trusted with still.
// Before the first feedback nothing tells how wide the path is, so the advance over the plain rate
//   (max(rendition's, start)) is bounded too, by a second bucket of kStartAdvanceUs at that rate. A path of the start
//   rate with a queue of 300 ms then loses nothing, however large the first picture is.
// Guarantee: in any span of time no more than bucket + rate * time is taken.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/egress/token_bucket.hpp"

namespace mediacore::egress {

struct Pacing {
  bool enabled = true;
  std::size_t bucket_bytes = 32'768;
  std::uint64_t start_rate_bps = 10'000'000;
  double start_factor = 2.5;  // of max(rendition's rate, start rate), until the first feedback
  double factor = 1.5;        // of the rendition's rate, after it
  std::int64_t max_queue_us = 1'000'000;
};

// Below 300 ms, which is what routers queue at least; a replay of 300 ms at the start rate just passes undelayed by it.
inline constexpr std::int64_t kStartAdvanceUs = 250'000;
// A smaller rate is a slip of a setting: one packet would take longer than 100 ms.
inline constexpr std::uint64_t kLeastPacingBps = 100'000;
// What is waiting leaves in portions of this time at the rate: a wake-up for each packet would cost more than it gains.
inline constexpr std::int64_t kPortionUs = 1'000;

class Pacer {
 public:
  Pacer(const Pacing& pacing, std::int64_t now_us) noexcept;

  // These two take effect with the next `advance`, from its time on.
  void configure(const Pacing& pacing) noexcept;
  void set_rendition_rate(std::uint64_t bps) noexcept;
  void set_feedback_seen(std::int64_t now_us) noexcept;

  void advance(std::int64_t now_us) noexcept;
  bool allows(std::size_t bytes) const noexcept {
    return !enabled_ || (bucket_.has(bytes) && (feedback_seen_ || advance_.has(bytes)));
  }
  void take(std::size_t bytes) noexcept;
  // When the next portion may leave, if the next packet has `next` bytes and all that waits has `all`.
  std::int64_t ready_us(std::size_t next, std::size_t all) const noexcept;

  std::uint64_t rate_bps() const noexcept { return rate_bps_; }

 private:
  void update() noexcept;

  bool enabled_ = true;
  bool feedback_seen_ = false;
  bool changed_ = false;
  double start_factor_ = 1;
  double factor_ = 1;
  std::uint64_t start_rate_bps_ = 0;
  std::uint64_t rendition_bps_ = 0;
  std::size_t bucket_bytes_ = 0;
  std::uint64_t rate_bps_ = 0;  // of the settings above
  std::uint64_t base_bps_ = 0;
  std::size_t advance_bytes_ = 0;
  std::int64_t now_us_;
  TokenBucket bucket_{0, 1};
  TokenBucket advance_{0, 1};  // over the plain rate, until the first feedback
};

}  // namespace mediacore::egress
