// Packets for the tests of sending.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "io/send_batch.hpp"

namespace mediacore::io::testing {

// A packet whose bytes tell its number.
inline std::vector<std::uint8_t> packet(std::size_t size, std::uint8_t number) {
  std::vector<std::uint8_t> bytes(size, number);
  for (std::size_t i = 0; i < size; i += 7) bytes[i] = static_cast<std::uint8_t>(i);
  bytes[0] = number;
  return bytes;
}

inline void put(SendBatch& batch, const std::vector<std::uint8_t>& bytes) {
  std::copy(bytes.begin(), bytes.end(), batch.reserve(bytes.size() + 30));
  batch.commit(bytes.size());
}

}  // namespace mediacore::io::testing
