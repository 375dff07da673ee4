// Tables by which the codes of DEFLATE (RFC 1951, 3.2) are looked up: a whole code at a time, long ones in two steps.
//
// An entry is looked up by the next bits of the stream. It tells what they stand for and how many of them it takes:
//   bits 0-7   how many bits to take, extra bits included
//   bits 8-15  how many of them are the code; for a second table, how many bits it is looked up by; a literal
//   bits 16-30 the least length or distance; where a second table begins
// Guarantees: every index that bits can make has an entry; those that no code stands for have kInvalid.
// Threads: plain values, one owner.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mediacore::picture {

namespace huffman {

// Anything that is neither a literal nor a length or distance: a second table, the end of the block, or no code at all.
inline constexpr std::uint32_t kSpecial = 0x8000'0000;
// Only of entries that are no distances, as the following ones are only of special ones.
inline constexpr std::uint32_t kLiteral = 0x4000'0000;
inline constexpr unsigned kLiteralShift = 8;
inline constexpr std::uint32_t kSecond = 0x2000'0000;
inline constexpr std::uint32_t kEnd = 0x1000'0000;
inline constexpr std::uint32_t kInvalid = kSpecial;
inline constexpr unsigned kValueShift = 16;
inline constexpr unsigned kCodeShift = 8;
inline constexpr std::uint32_t kValueMask = 0x0FFF;  // of a second table's place

inline constexpr unsigned kMostCodeBits = 15;

// The entry of a symbol whose code has (or has left) so many bits.
using EntryOf = std::uint32_t (*)(unsigned symbol, unsigned code_bits) noexcept;
std::uint32_t literal_or_length(unsigned symbol, unsigned code_bits) noexcept;
std::uint32_t distance(unsigned symbol, unsigned code_bits) noexcept;
std::uint32_t code_length(unsigned symbol, unsigned code_bits) noexcept;

enum class Incomplete : std::uint8_t {
  refused,
  // One code of one bit, or none at all: what zlib takes, and what encoders write where there is one distance or none.
  one_or_none,
};

// Makes a table that is looked up by `bits` bits from the code lengths of symbols. False if they make no code.
bool build(std::span<const std::uint8_t> lengths, unsigned bits, Incomplete incomplete, EntryOf entry_of,
           std::span<std::uint32_t> table) noexcept;

}  // namespace huffman
}  // namespace mediacore::picture
