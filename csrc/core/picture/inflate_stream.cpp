#include "core/picture/inflate_stream.hpp"

#include <algorithm>
#include <cstring>

#include "core/picture/huffman_table.hpp"

namespace mediacore::picture {
namespace {

using inflate_loop::kDistanceBits;
using inflate_loop::kLiteralBits;

constexpr unsigned kLengthCodeBits = 7;
constexpr unsigned kMostLiterals = 286;
constexpr unsigned kMostDistances = 30;
constexpr std::size_t kEndSymbol = 256;

}  // namespace

void InflateStream::begin(std::span<const std::uint8_t> data, std::size_t most_at_once, std::size_t slack) {
  data_ = data;
  base_ = in_ = data.data();
  in_end_ = data.size() > inflate_loop::kReadAhead ? in_ + data.size() - inflate_loop::kReadAhead : in_;
  in_tail_ = false;
  origin_ = 0;
  bits_ = 0;
  count_ = 0;
  where_ = Where::header;
  is_last_ = false;
  const std::size_t piece = std::max(kPiece, 2 * most_at_once);
  begin_ = buffer_.take(kWindow + piece + inflate_loop::kOverrun + slack).data();
  limit_ = begin_ + kWindow + piece;
  read_ = written_ = begin_;
}

bool InflateStream::make(std::size_t wanted) {
  if (static_cast<std::size_t>(limit_ - read_) < wanted) make_room();
  while (unread().size() < wanted && where_ != Where::end) {
    if (written_ >= limit_) make_room();
    if (!step()) return false;
  }
  return true;
}

// Moves the window and what is unread to the beginning.
void InflateStream::make_room() {
  std::uint8_t* const kept = std::min(read_, std::max(begin_, written_ - kWindow));
  const auto bytes = static_cast<std::size_t>(written_ - kept);
  const auto moved = static_cast<std::size_t>(kept - begin_);
  std::memmove(begin_, kept, bytes);
  read_ -= moved;
  written_ -= moved;
}

bool InflateStream::step() {
  switch (where_) {
    case Where::header: return read_header();
    case Where::codes: return run_codes();
    case Where::stored: copy_stored(); return true;
    case Where::end: return true;
  }
  return false;
}

// --- Bits

std::size_t InflateStream::position() const noexcept {
  return origin_ + static_cast<std::size_t>(in_ - base_) - count_ / 8;
}

void InflateStream::enter_tail() {
  origin_ += static_cast<std::size_t>(in_ - base_);
  const std::size_t left = data_.size() - origin_;
  tail_.fill(0);
  std::copy_n(data_.data() + origin_, left, tail_.begin());
  base_ = in_ = tail_.data();
  // Bits are read ahead of what is taken: up to eight bytes behind the last one, then what was taken is too much.
  in_end_ = in_ + left + 9;
  in_tail_ = true;
}

// At least 56 bits, or false if there are no more.
bool InflateStream::refill() {
  if (in_ >= in_end_) {
    if (in_tail_) return false;
    enter_tail();
  }
  std::uint64_t following = 0;
  std::memcpy(&following, in_, sizeof following);
  bits_ |= following << count_;
  in_ += (63 - count_) >> 3;
  count_ |= 56;
  return true;
}

std::uint32_t InflateStream::take(unsigned bits) noexcept {
  const auto value = static_cast<std::uint32_t>(bits_ & ((std::uint64_t{1} << bits) - 1));
  bits_ >>= bits;
  count_ -= bits;
  return value;
}

// --- Blocks

bool InflateStream::read_header() {
  if (is_last_) {
    where_ = Where::end;
    return !is_past_end();
  }
  if (!refill()) return false;
  is_last_ = take(1) != 0;
  switch (take(2)) {
    case 0: return read_stored_header();
    case 1: where_ = Where::codes; return make_fixed_codes();
    case 2: where_ = Where::codes; return read_codes();
    default: return false;
  }
}

bool InflateStream::read_stored_header() {
  const std::size_t at = position();
  if (at > data_.size() || data_.size() - at < 4) return false;
  const std::uint8_t* const field = data_.data() + at;
  const unsigned length = field[0] | (unsigned{field[1]} << 8);
  const unsigned complement = field[2] | (unsigned{field[3]} << 8);
  if (length != (complement ^ 0xFFFFU) || length > data_.size() - at - 4) return false;
  // On from the data itself: the bits that were read ahead are read again behind the stored bytes.
  origin_ = 0;
  base_ = data_.data();
  in_ = field + 4;
  const std::uint8_t* const end = data_.data() + data_.size();
  in_end_ = data_.size() > inflate_loop::kReadAhead ? end - inflate_loop::kReadAhead : data_.data();
  in_tail_ = false;
  bits_ = 0;
  count_ = 0;
  stored_left_ = length;
  where_ = Where::stored;
  return true;
}

void InflateStream::copy_stored() {
  const std::size_t bytes = std::min(stored_left_, static_cast<std::size_t>(limit_ - written_));
  std::memcpy(written_, in_, bytes);
  written_ += bytes;
  in_ += bytes;
  stored_left_ -= bytes;
  if (stored_left_ == 0) where_ = Where::header;
}

bool InflateStream::make_fixed_codes() {
  if (has_fixed_codes_) return true;
  std::array<std::uint8_t, 288> lengths{};
  std::fill_n(lengths.begin(), 144, std::uint8_t{8});
  std::fill_n(lengths.begin() + 144, 112, std::uint8_t{9});
  std::fill_n(lengths.begin() + 256, 24, std::uint8_t{7});
  std::fill_n(lengths.begin() + 280, 8, std::uint8_t{8});
  std::array<std::uint8_t, 32> distances{};
  distances.fill(5);
  has_fixed_codes_ = true;
  return huffman::build(lengths, kLiteralBits, huffman::Incomplete::refused, huffman::literal_or_length, literals_) &&
         huffman::build(distances, kDistanceBits, huffman::Incomplete::refused, huffman::distance, distances_);
}

bool InflateStream::read_codes() {
  constexpr std::array<std::uint8_t, kLengthSymbols> kOrder{16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                            11, 4,  12, 3, 13, 2, 14, 1, 15};
  has_fixed_codes_ = false;
  const unsigned literals = take(5) + 257;
  const unsigned distances = take(5) + 1;
  const unsigned length_codes = take(4) + 4;
  if (literals > kMostLiterals || distances > kMostDistances) return false;
  std::array<std::uint8_t, kLengthSymbols> code_lengths{};
  for (unsigned i = 0; i < length_codes; ++i) {
    if (i % 8 == 0 && !refill()) return false;
    code_lengths[kOrder[i]] = static_cast<std::uint8_t>(take(3));
  }
  std::array<std::uint8_t, kMostLiterals + kMostDistances> lengths{};
  // Looked up in the table of the distances, which is made afterwards.
  if (!huffman::build(code_lengths, kLengthCodeBits, huffman::Incomplete::refused, huffman::code_length, distances_) ||
      !read_lengths(literals + distances, lengths)) {
    return false;
  }
  const std::span all(lengths);
  if (all[kEndSymbol] == 0) return false;
  return huffman::build(all.first(literals), kLiteralBits, huffman::Incomplete::one_or_none, huffman::literal_or_length,
                        literals_) &&
         huffman::build(all.subspan(literals, distances), kDistanceBits, huffman::Incomplete::one_or_none,
                        huffman::distance, distances_);
}

bool InflateStream::read_lengths(unsigned symbols, std::span<std::uint8_t> lengths) {
  for (unsigned i = 0; i < symbols;) {
    if (!refill()) return false;
    const std::uint32_t entry = distances_[bits_ & ((1U << kLengthCodeBits) - 1)];
    static_cast<void>(take(entry & 0xFFU));
    const unsigned symbol = entry >> huffman::kValueShift;
    if (symbol < 16) {
      lengths[i++] = static_cast<std::uint8_t>(symbol);
      continue;
    }
    std::uint8_t repeated = 0;
    unsigned times = 0;
    if (symbol == 16) {
      if (i == 0) return false;
      repeated = lengths[i - 1];
      times = 3 + take(2);
    } else {
      times = symbol == 17 ? 3 + take(3) : 11 + take(7);
    }
    if (times > symbols - i) return false;
    std::fill_n(lengths.begin() + i, times, repeated);
    i += times;
  }
  return true;
}

bool InflateStream::run_codes() {
  if (in_ >= in_end_) {
    if (in_tail_) return false;
    enter_tail();
  }
  inflate_loop::State state{in_, in_end_, bits_, count_, written_, limit_, begin_, literals_.data(), distances_.data()};
  const auto outcome = loop_(state);
  in_ = state.in;
  bits_ = state.bits;
  count_ = state.count;
  written_ = state.out;
  if (outcome == inflate_loop::Outcome::bad) return false;
  if (outcome == inflate_loop::Outcome::block_ended) {
    where_ = Where::header;
    return !is_past_end();
  }
  return !in_tail_ || in_ < in_end_ || written_ >= limit_;
}

}  // namespace mediacore::picture
