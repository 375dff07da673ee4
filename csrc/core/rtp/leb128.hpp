// leb128() of AV1 (AV1 specification 4.10.5): 7 bits a byte, the lowest first, at most 8 bytes, below 2^32.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace mediacore::rtp {

struct Leb128 {
  std::size_t value = 0;
  std::size_t bytes = 0;
};

// Nothing if the number is cut off, too long or too large.
constexpr std::optional<Leb128> read_leb128(std::span<const std::uint8_t> data) noexcept {
  constexpr std::size_t kMaxBytes = 8;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < data.size() && i < kMaxBytes; ++i) {
    value |= std::uint64_t{data[i] & 0x7fU} << (7 * i);
    if ((data[i] & 0x80) == 0) {
      if (value > 0xffffffff) return std::nullopt;
      return Leb128{static_cast<std::size_t>(value), i + 1};
    }
  }
  return std::nullopt;
}

constexpr std::size_t leb128_bytes(std::size_t value) noexcept {
  std::size_t bytes = 1;
  for (; value >= 0x80; value >>= 7) ++bytes;
  return bytes;
}

// Returns where the next byte goes.
constexpr std::uint8_t* write_leb128(std::size_t value, std::uint8_t* to) noexcept {
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<std::uint8_t>(value | 0x80);
  *to++ = static_cast<std::uint8_t>(value);
  return to;
}

}  // namespace mediacore::rtp
