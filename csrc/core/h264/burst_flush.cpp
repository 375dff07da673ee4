#include "core/h264/burst_flush.hpp"

#include <algorithm>

namespace mediacore::h264 {
namespace {

std::size_t count_trailing_zeros(std::span<const std::uint8_t> data) noexcept {
  const auto last = std::find_if(data.rbegin(), data.rend(), [](std::uint8_t byte) { return byte != 0; });
  return static_cast<std::size_t>(last - data.rbegin());
}

}  // namespace

BurstFlush::BurstFlush(std::int64_t idle_us, std::int64_t max_idle_us) noexcept
    : configured_us_(std::max<std::int64_t>(idle_us, 0)), most_us_(std::max(max_idle_us, configured_us_)) {}

std::optional<std::int64_t> BurstFlush::observe(std::int64_t now_us, std::span<const std::uint8_t> data) noexcept {
  if (!data.empty()) {
    const std::int64_t gap = begun_ ? std::max<std::int64_t>(now_us - last_us_, 0) : 0;
    if (seen_ == Seen::everything) {
      seen_ = Seen::zeros;
      gap_us_ = gap;
    } else {
      gap_us_ = std::max(gap_us_, gap);  // a pause before what was read told what it begins
    }
    look_at_beginning(data);
    const std::size_t zeros = count_trailing_zeros(data);
    zeros_ = zeros == data.size() ? zeros_ + zeros : zeros;
    last_us_ = now_us;
    begun_ = true;
    pending_ = true;
  }
  if (!pending_) return std::nullopt;
  return last_us_ + idle_us();
}

void BurstFlush::flushed(std::int64_t now_us) noexcept {
  if (pending_ && now_us >= last_us_ + idle_us()) after_flush_ = true;
  pending_ = false;
}

BurstFlush BurstFlush::for_new_stream() const noexcept {
  BurstFlush other(configured_us_, most_us_);
  other.recent_us_ = recent_us_;
  other.held_us_ = held_us_;
  other.units_ = units_;
  return other;
}

std::int64_t BurstFlush::idle_us() const noexcept {
  if (units_ < kCautiousUnits) return most_us_;
  const std::int64_t longest = std::max(recent_us_, held_us_);
  return std::clamp(longest * kMarginNumerator / kMarginDenominator, configured_us_, most_us_);
}

void BurstFlush::look_at_beginning(std::span<const std::uint8_t> data) noexcept {
  std::size_t run = zeros_;
  for (const std::uint8_t byte : data) {
    switch (seen_) {
      case Seen::everything: return;
      case Seen::zeros:
        if (byte == 0) {
          ++run;
        } else if (byte == 1 && run >= 2) {
          seen_ = Seen::start_code;
        } else {
          continues_unit();
        }
        break;
      case Seen::start_code: look_at_nal_header(byte); break;
      case Seen::slice_type:
        // first_mb_in_slice is ue(v): the one-bit code is 0.
        if ((byte & 0x80) != 0) {
          begins_unit();
        } else {
          continues_unit();
        }
        break;
    }
  }
}

void BurstFlush::look_at_nal_header(std::uint8_t byte) noexcept {
  const NalType type = parse_nal_header(byte).type;
  if (has_slice_header(type)) {
    seen_ = Seen::slice_type;
  } else if (is_picture_data(type)) {
    continues_unit();
  } else {
    begins_unit();
  }
}

void BurstFlush::begins_unit() noexcept {
  seen_ = Seen::everything;
  after_flush_ = false;
  ++units_;
  if (units_ % kMemoryUnits == 0) {
    held_us_ = std::max(recent_us_, held_us_ - held_us_ / 4);
    recent_us_ = 0;
  }
}

void BurstFlush::continues_unit() noexcept {
  seen_ = Seen::everything;
  if (!begun_) return;
  recent_us_ = std::max(recent_us_, std::min(gap_us_, most_us_));
  if (after_flush_) ++wrong_flushes_;
  after_flush_ = false;
}

}  // namespace mediacore::h264
