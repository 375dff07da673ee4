// Big-endian numbers in packets.
//
// Policy: the caller has checked that the bytes are there.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mediacore::rtp {

template <std::size_t Bytes>
constexpr std::uint64_t load_be(const std::uint8_t* from) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < Bytes; ++i) value = (value << 8) | from[i];
  return value;
}

template <std::size_t Bytes>
constexpr void store_be(std::uint64_t value, std::uint8_t* to) noexcept {
  for (std::size_t i = 0; i < Bytes; ++i) to[i] = static_cast<std::uint8_t>(value >> (8 * (Bytes - 1 - i)));
}

}  // namespace mediacore::rtp
