// When to flush a stream that has no frame boundaries: the end of a burst ends the access unit.
// Sans-IO: the time is an argument.
//
// What it guarantees: a deadline `idle_us()` after the last bytes. That time is kMargin times the longest pause that is to
//   be expected inside an access unit, between the configured time and the most that is allowed.
// What is to be expected: of each length of pause it is counted how many units had one as long, and the counts fade with
//   a time constant of kFadeUs. A length counts while its count is above kExpected. So a longer pause counts at once; one
//   that stays alone is an accident and is forgotten after 3 s; one that comes back within 20 s is a habit, which is kept
//   as long as it does, and for 36 s at most when it no longer does. A static screen forgets nothing.
// The most that is allowed is waited for the first kCautiousUnits units, and for as many after a flush that came too
//   early: the link is not known then, and it costs nothing, as what follows a cut unit is not shown before the next key
//   frame. Where that is longer than a frame, a unit is given when the next one begins: one frame late, not cut.
// What tells a pause inside a unit: the bytes after it do not begin with a start code, or begin a slice that is not
//   the first of its picture. If it was flushed, that flush was wrong: it is counted.
// What tells none: bytes that a busy caller reads long after a deadline at which it did not look. They may have come at
//   any time, so nothing is learnt from them.
// What it does not: hold or judge the stream itself. AccessUnitParser finds out by itself that a flush was wrong,
//   also in the cases that need parameter sets to tell, and drops what must not be shown.
// Use: `observe` at each read; when the deadline passes without one, read once more without waiting; if nothing came,
//   say so by `observe` without bytes, flush the parser, and call `flushed` if that gave a unit.
// Policy: a clock that runs backwards counts as no time passed. Nothing is allocated.
// Threads: one owner.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/h264/nal_unit.hpp"

namespace mediacore::h264 {

class BurstFlush {
 public:
  static constexpr std::int64_t kDefaultIdleUs = 2'000;
  static constexpr std::int64_t kLongestIdleUs = 60'000'000;  // a minute is no pause; times stay far from overflow
  static constexpr std::int64_t kDefaultMaxIdleUs = 50'000;   // above, waiting for the next unit is hardly slower
  static constexpr unsigned kCautiousUnits = 8;  // of pauses of 0 to n, the longest of 8 is 8/9 n on average
  static constexpr double kFadeUs = 30e6;
  static constexpr double kExpected = 0.9;             // below 1: a pause counts when it is seen
  static constexpr double kMostUnits = 3;              // a count goes no higher, so that a habit can end
  static constexpr std::int64_t kStillUs = 250'000;    // longer without bytes is a static screen, and fades as this
  static constexpr std::int64_t kPunctualUs = 2'000;   // timers of an event loop have a resolution of 1 ms
  static constexpr std::int64_t kMarginNumerator = 3;  // kMargin = 3 / 2
  static constexpr std::int64_t kMarginDenominator = 2;

  // Both are taken as 0 to kLongestIdleUs, and `max_idle_us` below `idle_us` as that.
  explicit BurstFlush(std::int64_t idle_us = kDefaultIdleUs, std::int64_t max_idle_us = kDefaultMaxIdleUs) noexcept;

  // Bytes that were read at `now_us`; no bytes: there were none to read. Returns when to flush; none if nothing has come
  // since the last flush. `first_us`: the earliest time at which the first of them can have come, if they waited to be
  // read; a pause is learnt no longer than up to there.
  std::optional<std::int64_t> observe(std::int64_t now_us, std::span<const std::uint8_t> data,
                                      std::optional<std::int64_t> first_us = std::nullopt) noexcept;

  // The parser gave a unit by a flush at `now_us`. A flush before the deadline was the caller's own decision: if it
  // turns out to be wrong, it is not counted here.
  void flushed(std::int64_t now_us) noexcept;

  // For another stream over the same link: what was learnt of its pauses, and nothing of this stream.
  BurstFlush for_new_stream() const noexcept;

  // Time without bytes that now ends a unit.
  std::int64_t idle_us() const noexcept;

  // Flushes that came too early.
  std::uint64_t wrong_flushes() const noexcept { return wrong_flushes_; }

 private:
  // What has been read of the bytes that follow a pause.
  enum class Seen : std::uint8_t { everything, zeros, start_code, slice_type };

  void look_at_beginning(std::span<const std::uint8_t> data) noexcept;
  void look_at_nal_header(std::uint8_t byte) noexcept;
  void begins_unit() noexcept;
  void continues_unit() noexcept;
  void count(std::int64_t pause_us) noexcept;
  std::int64_t expected_us() const noexcept;

  // Lengths of pauses by which they are counted: each up to so many us, the last without limit.
  static constexpr std::array<std::int64_t, 25> kLengthsUs{
      200,   250,   320,   400,   500,    630,    800,    1'000,  1'250,  1'600,  2'000,  2'500, 3'200,
      4'000, 5'000, 6'300, 8'000, 10'000, 12'500, 16'000, 20'000, 25'000, 32'000, 40'000, 50'000};

  // Pauses inside units, by length.
  struct Length {
    double units = 0;             // that had one as long or longer, fading
    std::int64_t longest_us = 0;  // of this length
  };

  std::int64_t configured_us_;
  std::int64_t most_us_;
  std::int64_t last_us_ = 0;  // of the last bytes
  std::int64_t gap_us_ = 0;   // the pause before the bytes being looked at
  std::int64_t fade_us_ = 0;  // time that has passed since the counts were faded
  std::array<Length, kLengthsUs.size()> lengths_;
  std::size_t counted_ = 0;  // the first so many lengths have been counted for the unit being received
  unsigned cautious_units_ = kCautiousUnits;
  std::uint64_t wrong_flushes_ = 0;
  std::size_t zeros_ = 0;  // at the end of the bytes so far
  Seen seen_ = Seen::everything;
  bool begun_ = false;        // bytes have come
  bool pending_ = false;      // bytes have come since the last flush
  bool looked_ = false;       // at or after the deadline, and nothing had come
  bool after_flush_ = false;  // the pause before the bytes being looked at was flushed
};

}  // namespace mediacore::h264
