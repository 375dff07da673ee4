#include "core/h264/burst_flush.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace mediacore::h264 {
namespace {

std::size_t count_trailing_zeros(std::span<const std::uint8_t> data) noexcept {
  const auto last = std::find_if(data.rbegin(), data.rend(), [](std::uint8_t byte) { return byte != 0; });
  return static_cast<std::size_t>(last - data.rbegin());
}

}  // namespace

BurstFlush::BurstFlush(std::int64_t idle_us, std::int64_t max_idle_us) noexcept
    : configured_us_(std::clamp<std::int64_t>(idle_us, 0, kLongestIdleUs)),
      most_us_(std::clamp(max_idle_us, configured_us_, kLongestIdleUs)) {}

std::optional<std::int64_t> BurstFlush::observe(std::int64_t now_us, std::span<const std::uint8_t> data,
                                                std::optional<std::int64_t> first_us) noexcept {
  if (data.empty()) {
    looked_ = looked_ || now_us >= last_us_ + idle_us();
  } else {
    const std::int64_t passed = begun_ ? std::max<std::int64_t>(now_us - last_us_, 0) : 0;
    fade_us_ += std::min(passed, kStillUs);
    std::int64_t gap = first_us ? std::clamp<std::int64_t>(*first_us - last_us_, 0, passed) : passed;
    if (!looked_ && gap > idle_us() + kPunctualUs) gap = 0;
    looked_ = false;
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
  looked_ = true;
}

BurstFlush BurstFlush::for_new_stream() const noexcept {
  BurstFlush other(configured_us_, most_us_);
  other.lengths_ = lengths_;
  other.cautious_units_ = cautious_units_;
  return other;
}

std::int64_t BurstFlush::idle_us() const noexcept {
  if (cautious_units_ > 0) return most_us_;
  return std::clamp(expected_us() * kMarginNumerator / kMarginDenominator, configured_us_, most_us_);
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
  if (cautious_units_ > 0) --cautious_units_;
  const double kept = std::exp(-static_cast<double>(fade_us_) / kFadeUs);
  for (Length& length : lengths_) length.units *= kept;
  fade_us_ = 0;
  counted_ = 0;
}

void BurstFlush::continues_unit() noexcept {
  seen_ = Seen::everything;
  if (!begun_) return;
  count(std::min(gap_us_, most_us_));
  if (after_flush_) {
    ++wrong_flushes_;
    cautious_units_ = kCautiousUnits;
  }
  after_flush_ = false;
}

// A pause inside a unit. However many of them a unit has, it counts as one unit with the longest of them.
void BurstFlush::count(std::int64_t pause_us) noexcept {
  if (pause_us <= 0) return;
  const auto at = std::lower_bound(kLengthsUs.begin(), std::prev(kLengthsUs.end()), pause_us) - kLengthsUs.begin();
  const auto index = static_cast<std::size_t>(at);
  Length& own = lengths_[index];
  own.longest_us = own.units < kExpected ? pause_us : std::max(own.longest_us, pause_us);
  for (; counted_ <= index; ++counted_) {
    Length& length = lengths_[counted_];
    length.units = std::min(length.units + 1, kMostUnits);
  }
}

// The longest pause that is to be expected. A length that no pause had has the count of the next longer one, so the one
// found here had some.
std::int64_t BurstFlush::expected_us() const noexcept {
  const auto expected = [](const Length& length) { return length.units >= kExpected; };
  const auto found = std::find_if(lengths_.rbegin(), lengths_.rend(), expected);
  return found == lengths_.rend() ? 0 : found->longest_us;
}

}  // namespace mediacore::h264
