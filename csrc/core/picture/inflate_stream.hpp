// DEFLATE (RFC 1951) a piece at a time: what is not read yet, and the 32 KiB that matches may reach back to, is all that
// is kept. So the bytes are read while they are in the near caches, and a picture's worth of them is never written to
// memory; that is why PNG does not go through libdeflate, which wants room for all of its output.
//
// Guarantees: takes what zlib takes, and no more: complete codes (or a single one of one bit), an end-of-block code, no
//   distance before the first byte. Bytes behind the stream's end are not looked at.
// Policy: the first thing that is wrong ends it. It makes as much as is asked for, so what a stream expands to is the
//   caller's to bound.
// Memory: one buffer of a window and what is asked for at once, kept for the next stream. Threads: one owner.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/picture/inflate_loop.hpp"
#include "core/picture/scratch.hpp"

namespace mediacore::picture {

class InflateStream {
 public:
  explicit InflateStream(inflate_loop::Function loop = inflate_loop::fastest()) noexcept : loop_(loop) {}

  // `data` must stay until the end. At most `most_at_once` bytes will be asked for at once, and `slack` bytes behind
  // the unread ones may be read (they are anything).
  void begin(std::span<const std::uint8_t> data, std::size_t most_at_once, std::size_t slack);

  // Makes bytes until at least `wanted` are unread, or the stream ends. False if it is no DEFLATE, or ends too early.
  bool make(std::size_t wanted);

  std::span<const std::uint8_t> unread() const noexcept { return {read_, static_cast<std::size_t>(written_ - read_)}; }
  void read(std::size_t bytes) noexcept { read_ += bytes; }

  // True when all of the stream has been made into bytes.
  bool ended() const noexcept { return where_ == Where::end; }
  // Bytes of `data` that the stream took, when it has ended.
  std::size_t taken() const noexcept { return position(); }

 private:
  enum class Where : std::uint8_t { header, codes, stored, end };

  static constexpr std::size_t kWindow = 32768;
  // Made at a time: with the window it fits into a second-level cache, and moving the window costs little.
  static constexpr std::size_t kPiece = 131072;
  static constexpr std::size_t kTailBytes = 64;
  static constexpr std::size_t kLengthSymbols = 19;

  bool step();
  bool read_header();
  bool read_stored_header();
  bool read_codes();
  bool read_lengths(unsigned symbols, std::span<std::uint8_t> lengths);
  bool make_fixed_codes();
  bool run_codes();
  void copy_stored();
  void make_room();

  // Bits of the stream outside of the inner loop.
  bool refill();
  std::uint32_t take(unsigned bits) noexcept;
  void enter_tail();
  std::size_t position() const noexcept;
  bool is_past_end() const noexcept { return position() > data_.size(); }

  inflate_loop::Function loop_;
  std::span<const std::uint8_t> data_;
  // The last bytes of the data with zeros behind them, so that the inner loop never has to ask how many are left.
  std::array<std::uint8_t, kTailBytes> tail_{};
  bool in_tail_ = false;
  std::size_t origin_ = 0;  // where in the data `base_` stands
  const std::uint8_t* base_ = nullptr;
  const std::uint8_t* in_ = nullptr;
  const std::uint8_t* in_end_ = nullptr;
  std::uint64_t bits_ = 0;
  unsigned count_ = 0;

  Where where_ = Where::end;
  bool is_last_ = false;
  std::size_t stored_left_ = 0;

  Scratch buffer_;
  std::uint8_t* begin_ = nullptr;  // of the buffer
  std::uint8_t* limit_ = nullptr;  // where pieces end
  std::uint8_t* read_ = nullptr;
  std::uint8_t* written_ = nullptr;

  // Enough for every complete code that is looked up by so many bits: 288 symbols by 11, 32 by 8.
  std::array<std::uint32_t, 2342> literals_{};
  std::array<std::uint32_t, 402> distances_{};
  bool has_fixed_codes_ = false;
};

}  // namespace mediacore::picture
