// Reads the bits of one NAL unit; drops the 03 of 00 00 03 (emulation prevention) on the way.
//
// Policy: never reads past the end. The first failure is kept; from then on every read gives 0, so that a parser can
//   read a whole structure and ask once. What was read before the failure does not depend on bytes that come later.
// Threads: one owner.
// Specification: H.264 7.3.1 (emulation prevention), 9.1 (Exp-Golomb codes).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/h264/parse_result.hpp"

namespace mediacore::h264 {

class BitReader {
 public:
  explicit BitReader(std::span<const std::uint8_t> nal) noexcept : nal_(nal) {}

  // The next `count` bits, 0 to 32, as an unsigned number: u(n).
  std::uint32_t bits(unsigned count) noexcept {
    if (count == 0 || failed_) return 0;
    if (cached_ < count && !refill(count)) return fail(ErrorCode::truncated);
    const auto value = static_cast<std::uint32_t>(cache_ >> (64 - count));
    drop(count);
    return value;
  }

  bool flag() noexcept { return bits(1) != 0; }

  // Unsigned Exp-Golomb, ue(v): 0 to 2^32 - 2.
  std::uint32_t ue() noexcept {
    if (failed_) return 0;
    if (cached_ < kTooManyZeros) refill(kTooManyZeros);
    const auto zeros = static_cast<unsigned>(std::countl_zero(cache_));
    if (zeros >= kTooManyZeros && cached_ >= kTooManyZeros) return fail(ErrorCode::exp_golomb_too_long);
    if (zeros >= cached_) return fail(ErrorCode::truncated);
    drop(zeros + 1);
    const std::uint32_t suffix = bits(zeros);
    return failed_ ? 0 : ((std::uint32_t{1} << zeros) - 1) + suffix;
  }

  // Signed Exp-Golomb, se(v).
  std::int32_t se() noexcept {
    const std::uint32_t code = ue();
    const auto half = static_cast<std::int64_t>((static_cast<std::uint64_t>(code) + 1) / 2);
    return static_cast<std::int32_t>((code & 1) != 0 ? half : -half);
  }

  bool ok() const noexcept { return !failed_; }

  // The first failure; meaningful only if not `ok()`.
  ParseError error() const noexcept { return {code_, error_offset_}; }

  // Where the next bit stands: byte in the NAL unit (emulation prevention counted).
  std::size_t byte_offset() const noexcept {
    const std::size_t unread = cached_ / 8;
    return at_ > unread ? at_ - unread : 0;
  }

  // Bits read so far, emulation prevention not counted: a position in the RBSP that starts with the NAL header.
  std::size_t bit_position() const noexcept { return loaded_ * 8 - cached_; }

 private:
  static constexpr unsigned kTooManyZeros = 32;  // the longest code of a 32-bit value has 31 leading zeros

  // Fills the cache; false if fewer than `wanted` bits are there.
  bool refill(unsigned wanted) noexcept {
    while (cached_ <= 56 && at_ < nal_.size()) {
      std::uint8_t byte = nal_[at_];
      if (zeros_ >= 2 && byte == 3) {
        zeros_ = 0;
        ++at_;
        continue;
      }
      ++at_;
      zeros_ = byte == 0 ? zeros_ + 1 : 0;
      cache_ |= std::uint64_t{byte} << (56 - cached_);
      cached_ += 8;
      ++loaded_;
    }
    return cached_ >= wanted;
  }

  void drop(unsigned count) noexcept {
    cache_ = count >= 64 ? 0 : cache_ << count;
    cached_ -= count;
  }

  std::uint32_t fail(ErrorCode code) noexcept {
    failed_ = true;
    code_ = code;
    error_offset_ = code == ErrorCode::truncated ? nal_.size() : byte_offset();
    return 0;
  }

  std::span<const std::uint8_t> nal_;
  std::uint64_t cache_ = 0;  // the next bits, from the top
  std::size_t at_ = 0;       // next byte to load
  std::size_t loaded_ = 0;   // bytes loaded, emulation prevention not counted
  std::size_t error_offset_ = 0;
  unsigned cached_ = 0;
  unsigned zeros_ = 0;
  ErrorCode code_ = ErrorCode::truncated;
  bool failed_ = false;
};

}  // namespace mediacore::h264
