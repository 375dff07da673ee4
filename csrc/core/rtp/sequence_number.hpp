// Sequence numbers and timestamps: they wrap, so "later" is less than half the circle ahead.
//
// Policy: no operator<, because such an order is not transitive; `distance` and `is_newer` say what is meant.
// Threads: plain values.
// Specification: RFC 3550 5.1, RFC 1982 (serial number arithmetic).
#pragma once

#include <cstdint>

namespace mediacore::rtp {

struct SequenceNumber {
  std::uint16_t value = 0;

  constexpr SequenceNumber next() const noexcept { return {static_cast<std::uint16_t>(value + 1)}; }
  friend constexpr bool operator==(SequenceNumber, SequenceNumber) noexcept = default;
};

struct Timestamp {
  std::uint32_t value = 0;

  constexpr Timestamp plus(std::uint32_t ticks) const noexcept { return {value + ticks}; }
  friend constexpr bool operator==(Timestamp, Timestamp) noexcept = default;
};

// How far `to` is ahead of `from`; negative if it is behind. Half the circle counts as behind.
constexpr int distance(SequenceNumber from, SequenceNumber to) noexcept {
  return static_cast<std::int16_t>(static_cast<std::uint16_t>(to.value - from.value));
}
constexpr std::int32_t distance(Timestamp from, Timestamp to) noexcept {
  return static_cast<std::int32_t>(to.value - from.value);
}

constexpr bool is_newer(SequenceNumber a, SequenceNumber than) noexcept {
  return distance(than, a) > 0;
}
constexpr bool is_newer(Timestamp a, Timestamp than) noexcept {
  return distance(than, a) > 0;
}

}  // namespace mediacore::rtp
