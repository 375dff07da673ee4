// Bytes for the tests of RTP: written in hex, cut from payloads.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/rtp/payload_buffer.hpp"

namespace mediacore::rtp::testing {

using Buffer = std::vector<std::uint8_t>;

// Blanks between digits are allowed.
inline Buffer from_hex(std::string_view hex) {
  const auto digit = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
  Buffer bytes;
  unsigned high = 16;
  for (const char c : hex) {
    if (c == ' ') continue;
    if (high == 16) {
      high = digit(c);
    } else {
      bytes.push_back(static_cast<std::uint8_t>(high * 16 + digit(c)));
      high = 16;
    }
  }
  return bytes;
}

inline Buffer to_buffer(std::span<const std::uint8_t> bytes) {
  return {bytes.begin(), bytes.end()};
}

inline std::vector<Buffer> to_buffers(const PayloadBuffer& payloads) {
  std::vector<Buffer> buffers;
  for (std::size_t i = 0; i < payloads.size(); ++i) buffers.push_back(to_buffer(payloads[i]));
  return buffers;
}

inline Buffer operator+(Buffer left, const Buffer& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

}  // namespace mediacore::rtp::testing
