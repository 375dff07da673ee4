#include "core/picture/huffman_table.hpp"

#include <algorithm>
#include <bit>

namespace mediacore::picture::huffman {
namespace {

constexpr unsigned kEndSymbol = 256;
constexpr std::size_t kMostSymbols = 288;

constexpr std::array<std::uint16_t, 29> kLengths{3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                                 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
constexpr std::array<std::uint8_t, 29> kLengthBits{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                                   2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
constexpr std::array<std::uint16_t, 30> kDistances{1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                                   33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                                   1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
constexpr std::array<std::uint8_t, 30> kDistanceBits{0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                                     6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

// How many codes there are of each length, and the symbols in the order of their codes.
struct Codes {
  std::array<std::uint16_t, kMostCodeBits + 1> count{};
  std::array<std::uint16_t, kMostSymbols> symbols{};
  std::size_t used = 0;
};

Codes sorted(std::span<const std::uint8_t> lengths) noexcept {
  Codes codes;
  for (const std::uint8_t length : lengths) ++codes.count[length];
  std::array<std::uint16_t, kMostCodeBits + 2> first{};
  codes.count[0] = 0;
  for (std::size_t length = 1; length <= kMostCodeBits; ++length) {
    first[length + 1] = static_cast<std::uint16_t>(first[length] + codes.count[length]);
  }
  codes.used = first[kMostCodeBits + 1];
  for (std::size_t symbol = 0; symbol < lengths.size(); ++symbol) {
    if (lengths[symbol] != 0) codes.symbols[first[lengths[symbol]]++] = static_cast<std::uint16_t>(symbol);
  }
  return codes;
}

// What is left of the space of all codes, in units of one of the longest; negative if they do not fit.
int space_left(const Codes& codes) noexcept {
  int left = 1 << kMostCodeBits;
  for (unsigned length = 1; length <= kMostCodeBits; ++length) left -= codes.count[length] << (kMostCodeBits - length);
  return left;
}

// The next code of the same length, both with their first bit lowest.
unsigned next_code(unsigned code, unsigned length) noexcept {
  const unsigned all = (1U << length) - 1;
  if (code == all) return 0;
  const unsigned bit = std::bit_floor(code ^ all);
  return (code & (bit - 1)) | bit;
}

// `value`, of which the code is followed by extra bits.
constexpr std::uint32_t entry(unsigned value, unsigned code_bits, unsigned extra_bits) noexcept {
  return (value << kValueShift) | (code_bits << kCodeShift) | (code_bits + extra_bits);
}

// Bits of the second table that begins with a code of this length: as many as make it complete.
unsigned second_bits(const std::array<std::uint16_t, kMostCodeBits + 1>& left, unsigned length,
                     unsigned bits) noexcept {
  unsigned second = length - bits;
  unsigned space = left[length];
  while (space < (1U << second) && length < kMostCodeBits) {
    ++second;
    ++length;
    space = 2 * space + left[length];
  }
  return second;
}

}  // namespace

std::uint32_t literal_or_length(unsigned symbol, unsigned code_bits) noexcept {
  if (symbol < kEndSymbol) return kLiteral | (symbol << kLiteralShift) | code_bits;
  if (symbol == kEndSymbol) return kSpecial | kEnd | code_bits;
  const unsigned index = symbol - kEndSymbol - 1;
  if (index >= kLengths.size()) return kInvalid;
  return entry(kLengths[index], code_bits, kLengthBits[index]);
}

std::uint32_t distance(unsigned symbol, unsigned code_bits) noexcept {
  if (symbol >= kDistances.size()) return kInvalid;
  return entry(kDistances[symbol], code_bits, kDistanceBits[symbol]);
}

std::uint32_t code_length(unsigned symbol, unsigned code_bits) noexcept {
  return entry(symbol, code_bits, 0);
}

bool build(std::span<const std::uint8_t> lengths, unsigned bits, Incomplete incomplete, EntryOf entry_of,
           std::span<std::uint32_t> table) noexcept {
  const Codes codes = sorted(lengths);
  const int space = space_left(codes);
  if (space < 0) return false;
  if (space > 0) {
    const bool allowed = incomplete == Incomplete::one_or_none && codes.used == codes.count[1] && codes.used <= 1;
    if (!allowed) return false;
    std::fill_n(table.begin(), std::size_t{1} << bits, kInvalid);
    if (codes.used == 0) return true;
    const std::uint32_t only = entry_of(codes.symbols[0], 1);
    for (std::size_t i = 0; i < (std::size_t{1} << bits); i += 2) table[i] = only;
    return true;
  }
  // Short codes: a table for one bit more is twice the former one.
  std::size_t at = 0;
  unsigned code = 0;
  std::size_t size = 1;
  unsigned length = 1;
  table[0] = kInvalid;
  for (; length <= bits; ++length) {
    std::copy_n(table.begin(), size, table.begin() + static_cast<std::ptrdiff_t>(size));
    size *= 2;
    for (unsigned i = 0; i < codes.count[length]; ++i, ++at) {
      table[code] = entry_of(codes.symbols[at], length);
      code = next_code(code, length);
    }
  }
  // Long ones: a second table for each beginning.
  auto left = codes.count;
  std::size_t end = size;
  std::size_t begin = 0;
  unsigned second = 0;
  unsigned prefix = ~0U;
  for (; length <= kMostCodeBits; ++length) {
    for (; left[length] > 0; --left[length], ++at) {
      if ((code & (size - 1)) != prefix) {
        prefix = code & static_cast<unsigned>(size - 1);
        second = second_bits(left, length, bits);
        begin = end;
        end += std::size_t{1} << second;
        if (end > table.size()) return false;  // the sizes are enough for every complete code
        table[prefix] =
            kSpecial | kSecond | (static_cast<std::uint32_t>(begin) << kValueShift) | (second << kCodeShift) | bits;
      }
      const std::uint32_t found = entry_of(codes.symbols[at], length - bits);
      for (std::size_t i = code >> bits; i < (std::size_t{1} << second); i += std::size_t{1} << (length - bits)) {
        table[begin + i] = found;
      }
      code = next_code(code, length);
    }
  }
  return true;
}

}  // namespace mediacore::picture::huffman
