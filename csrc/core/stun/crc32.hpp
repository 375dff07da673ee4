// CRC-32 of ITU-T V.42, as in FINGERPRINT (RFC 8489 14.7), Ethernet and PNG: reflected, polynomial 0x04c11db7.
//
// Threads: pure function.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mediacore::stun {

inline constexpr std::array<std::uint32_t, 256> kCrc32Table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320U : 0U);
    table[byte] = crc;
  }
  return table;
}();

constexpr std::uint32_t crc32(std::span<const std::uint8_t> bytes) noexcept {
  std::uint32_t crc = 0xffffffff;
  for (const std::uint8_t byte : bytes) crc = (crc >> 8) ^ kCrc32Table[(crc ^ byte) & 0xff];
  return ~crc;
}

}  // namespace mediacore::stun
