// Writes the bits of one NAL unit; puts the 03 of emulation prevention in at the end (H.264 7.4.1.1).
//
// Policy: for parameter sets, which are small; grows as needed.
// Threads: one owner.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mediacore::h264 {

// Appends `rbsp` to `nal` with 03 after each 00 00 that a byte of 0 to 3 follows, and after 00 00 at the end.
inline void append_escaped(std::span<const std::uint8_t> rbsp, std::vector<std::uint8_t>& nal) {
  unsigned zeros = 0;
  for (const std::uint8_t byte : rbsp) {
    if (zeros == 2 && byte <= 3) {
      nal.push_back(3);
      zeros = 0;
    }
    nal.push_back(byte);
    zeros = byte == 0 ? zeros + 1 : 0;
  }
  if (zeros == 2) nal.push_back(3);
}

// Appends `nal` to `rbsp` without the 03 of each 00 00 03.
inline void append_unescaped(std::span<const std::uint8_t> nal, std::vector<std::uint8_t>& rbsp) {
  unsigned zeros = 0;
  for (const std::uint8_t byte : nal) {
    if (zeros >= 2 && byte == 3) {
      zeros = 0;
      continue;
    }
    rbsp.push_back(byte);
    zeros = byte == 0 ? zeros + 1 : 0;
  }
}

class BitWriter {
 public:
  // The lowest `count` bits of `value`, 0 to 32.
  void bits(std::uint32_t value, unsigned count) {
    for (unsigned i = count; i > 0; --i) flag(((value >> (i - 1)) & 1) != 0);
  }

  void flag(bool value) {
    if (free_ == 0) {
      bytes_.push_back(0);
      free_ = 8;
    }
    --free_;
    if (value) bytes_.back() = static_cast<std::uint8_t>(bytes_.back() | (1U << free_));
  }

  // Unsigned Exp-Golomb, up to 2^32 - 2.
  void ue(std::uint32_t value) {
    const std::uint64_t code = std::uint64_t{value} + 1;
    const auto length = static_cast<unsigned>(std::bit_width(code));
    bits(0, length - 1);
    flag(true);
    bits(static_cast<std::uint32_t>(code), length - 1);
  }

  // The bits [from, to) of `source`.
  void copy(std::span<const std::uint8_t> source, std::size_t from, std::size_t to) {
    for (std::size_t bit = from; bit < to; ++bit) flag(((source[bit / 8] >> (7 - bit % 8)) & 1) != 0);
  }

  // What was written, zero bits up to the full byte.
  std::span<const std::uint8_t> bytes() const noexcept { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
  unsigned free_ = 0;  // bits not yet used in the last byte
};

}  // namespace mediacore::h264
