// When to flush a stream that has no frame boundaries: the end of a burst ends the access unit.
// Sans-IO: the time is an argument.
//
// What it guarantees: a deadline `idle_us()` after the last bytes. That time starts with the most that is allowed,
//   for the first kCautiousUnits units (a wrong flush of the first key frame would be the dearest), then falls to
//   the configured one. It is kept at kMargin times the longest pause seen inside access units: a longer pause
//   counts at once, and is forgotten by a quarter per kMemoryUnits units. A static screen forgets nothing.
// What tells a pause inside a unit: the bytes after it do not begin with a start code, or begin a slice that is not
//   the first of its picture. If it was flushed, that flush was wrong: it is counted.
// What it does not: hold or judge the stream itself. AccessUnitParser finds out by itself that a flush was wrong,
//   also in the cases that need parameter sets to tell, and drops what must not be shown.
// Use: `observe` at each read; when the deadline passes without one, read once more without waiting; if nothing came,
//   flush the parser, and call `flushed` if that gave a unit.
// Policy: a clock that runs backwards counts as no time passed. Nothing is allocated.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/h264/nal_unit.hpp"

namespace mediacore::h264 {

class BurstFlush {
 public:
  static constexpr std::int64_t kDefaultIdleUs = 2'000;
  static constexpr std::int64_t kDefaultMaxIdleUs = 50'000;  // above, waiting for the next unit is hardly slower
  static constexpr std::uint64_t kCautiousUnits = 4;
  static constexpr std::uint64_t kMemoryUnits = 128;   // 4 s at 30 fps
  static constexpr std::int64_t kMarginNumerator = 3;  // kMargin = 3 / 2
  static constexpr std::int64_t kMarginDenominator = 2;

  // `max_idle_us` below `idle_us` is raised to it.
  explicit BurstFlush(std::int64_t idle_us = kDefaultIdleUs, std::int64_t max_idle_us = kDefaultMaxIdleUs) noexcept;

  // Bytes that were read at `now_us`. Returns when to flush; none if nothing has come since the last flush.
  std::optional<std::int64_t> observe(std::int64_t now_us, std::span<const std::uint8_t> data) noexcept;

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

  std::int64_t configured_us_;
  std::int64_t most_us_;
  std::int64_t last_us_ = 0;    // of the last bytes
  std::int64_t gap_us_ = 0;     // the pause before the bytes being looked at
  std::int64_t recent_us_ = 0;  // longest pause inside a unit, in this period of kMemoryUnits
  std::int64_t held_us_ = 0;    // and before, fading
  std::uint64_t units_ = 0;     // pauses that ended with the beginning of a unit
  std::uint64_t wrong_flushes_ = 0;
  std::size_t zeros_ = 0;  // at the end of the bytes so far
  Seen seen_ = Seen::everything;
  bool begun_ = false;        // bytes have come
  bool pending_ = false;      // bytes have come since the last flush
  bool after_flush_ = false;  // the pause before the bytes being looked at was flushed
};

}  // namespace mediacore::h264
