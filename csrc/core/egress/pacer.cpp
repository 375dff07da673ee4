#include "core/egress/pacer.hpp"

#include <algorithm>
#include <limits>

namespace mediacore::egress {
namespace {

std::uint64_t times(double factor, std::uint64_t bps) noexcept {
  const double product = factor * static_cast<double>(bps);
  if (!(product > static_cast<double>(kLeastPacingBps))) return kLeastPacingBps;  // not a number, too
  return static_cast<std::uint64_t>(std::min(product, static_cast<double>(TokenBucket::kMostBps)));
}

constexpr std::size_t bytes_in(std::int64_t us, std::uint64_t bps) noexcept {
  return static_cast<std::size_t>(bps / 8 * static_cast<std::uint64_t>(us) / 1'000'000);
}

}  // namespace

Pacer::Pacer(const Pacing& pacing, std::int64_t now_us) noexcept : now_us_(now_us) {
  configure(pacing);
  bucket_ = TokenBucket(rate_bps_, bucket_bytes_);
  advance_ = TokenBucket(base_bps_, advance_bytes_);
  changed_ = false;
}

void Pacer::configure(const Pacing& pacing) noexcept {
  enabled_ = pacing.enabled;
  start_factor_ = pacing.start_factor;
  factor_ = pacing.factor;
  start_rate_bps_ = pacing.start_rate_bps;
  bucket_bytes_ = pacing.bucket_bytes;
  update();
}

void Pacer::set_rendition_rate(std::uint64_t bps) noexcept {
  rendition_bps_ = bps;
  update();
}

void Pacer::set_feedback_seen(std::int64_t now_us) noexcept {
  if (feedback_seen_) return;
  advance(now_us);
  feedback_seen_ = true;
  update();
  advance(now_us);
}

void Pacer::update() noexcept {
  base_bps_ = std::clamp(std::max(rendition_bps_, start_rate_bps_), kLeastPacingBps, TokenBucket::kMostBps);
  rate_bps_ = feedback_seen_ ? std::max(times(factor_, rendition_bps_), std::max(start_rate_bps_, kLeastPacingBps))
                             : times(start_factor_, base_bps_);
  // No smaller than the bucket: an ordinary frame still leaves at once.
  advance_bytes_ = std::max(bytes_in(kStartAdvanceUs, base_bps_), bucket_bytes_);
  changed_ = true;
}

void Pacer::advance(std::int64_t now_us) noexcept {
  if (now_us > now_us_) {
    bucket_.refill(now_us - now_us_);
    advance_.refill(now_us - now_us_);
    now_us_ = now_us;
  }
  if (!changed_) return;
  changed_ = false;
  bucket_.set(rate_bps_, bucket_bytes_);
  advance_.set(base_bps_, advance_bytes_);
}

void Pacer::take(std::size_t bytes) noexcept {
  if (!enabled_) return;
  bucket_.take(bytes);
  advance_.take(bytes);
}

std::int64_t Pacer::ready_us(std::size_t next, std::size_t all) const noexcept {
  if (!enabled_) return now_us_;
  const std::size_t portion = std::clamp(bytes_in(kPortionUs, rate_bps_), next, std::max(next, all));
  std::int64_t wait = bucket_.wait_us(portion);
  if (!feedback_seen_) wait = std::max(wait, advance_.wait_us(portion));
  return wait > std::numeric_limits<std::int64_t>::max() - std::max<std::int64_t>(now_us_, 0)
             ? std::numeric_limits<std::int64_t>::max()
             : now_us_ + wait;
}

}  // namespace mediacore::egress
