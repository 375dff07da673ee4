// Inflating by pieces against libdeflate: whatever is asked for at once and by whichever inner loop, the same bytes; and
// streams that are none, made bit by bit.
#include "core/picture/inflate_stream.hpp"

#include <gtest/gtest.h>
#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace mediacore::picture {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Loop {
  std::string name;
  inflate_loop::Function run;
};

std::vector<Loop> loops() {
  std::vector<Loop> all{{"scalar", inflate_loop::scalar}, {"fastest", inflate_loop::fastest()}};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi2") != 0) {
    all.push_back({"avx2", inflate_loop::avx2});
  }
#endif
  return all;
}

Bytes deflated(const Bytes& data, int level) {
  const std::unique_ptr<libdeflate_compressor, void (*)(libdeflate_compressor*)> compressor(
      libdeflate_alloc_compressor(level), libdeflate_free_compressor);
  Bytes out(libdeflate_deflate_compress_bound(compressor.get(), data.size()));
  out.resize(libdeflate_deflate_compress(compressor.get(), data.data(), data.size(), out.data(), out.size()));
  return out;
}

// What a stream gives, and how much of `data` it took; nothing if it is none.
struct Inflated {
  Bytes bytes;
  std::size_t taken;
};

std::optional<Inflated> inflated(InflateStream& stream, const Bytes& data, std::size_t at_once, std::size_t most) {
  // In a block of just this size, so that a sanitizer sees a byte read behind it.
  const auto block = std::make_unique<std::uint8_t[]>(data.size());
  std::copy(data.begin(), data.end(), block.get());
  stream.begin({block.get(), data.size()}, at_once, 64);
  Inflated all{{}, 0};
  while (all.bytes.size() <= most) {
    if (!stream.make(at_once)) return std::nullopt;
    const auto unread = stream.unread();
    if (unread.empty()) {
      EXPECT_TRUE(stream.ended());
      all.taken = stream.taken();
      return all;
    }
    // Some of it stays, as a row that is not whole yet does.
    const std::size_t read = unread.size() < at_once ? unread.size() : unread.size() - unread.size() % at_once;
    all.bytes.insert(all.bytes.end(), unread.begin(), unread.begin() + static_cast<std::ptrdiff_t>(read));
    stream.read(read);
  }
  return all;
}

std::optional<Inflated> by_libdeflate(const Bytes& data, std::size_t most) {
  const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> decompressor(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  Inflated all{Bytes(most), 0};
  std::size_t made = 0;
  if (libdeflate_deflate_decompress_ex(decompressor.get(), data.data(), data.size(), all.bytes.data(), most, &all.taken,
                                       &made) != LIBDEFLATE_SUCCESS) {
    return std::nullopt;
  }
  all.bytes.resize(made);
  return all;
}

// Of the kinds that there are: incompressible, text-like, runs with every short distance, long repeats, and nothing.
std::vector<Bytes> samples() {
  std::minstd_rand random(11);
  const auto number = [&random](std::size_t below) { return static_cast<std::size_t>(random() >> 4) % below; };
  std::vector<Bytes> all{{}, {7}, Bytes(300000, 0)};
  Bytes noise(150000);
  std::generate(noise.begin(), noise.end(), [&] { return static_cast<std::uint8_t>(number(256)); });
  Bytes text(200000);
  std::generate(text.begin(), text.end(), [&] { return static_cast<std::uint8_t>('a' + number(5) * number(5)); });
  Bytes mixed;
  while (mixed.size() < 400000) {
    const std::size_t distance = number(3) == 0 && mixed.size() > 40000 ? 1 + number(32768) : 1 + number(70);
    if (mixed.size() < distance || number(4) == 0) {
      for (std::size_t i = number(40); i > 0; --i) mixed.push_back(static_cast<std::uint8_t>(number(256)));
    } else {
      for (std::size_t i = 3 + number(300); i > 0; --i) mixed.push_back(mixed[mixed.size() - distance]);
    }
  }
  all.push_back(noise);
  all.push_back(text);
  all.push_back(mixed);
  return all;
}

class InflateStreamTest : public ::testing::TestWithParam<Loop> {};

TEST_P(InflateStreamTest, GivesBackWhatWasCompressed) {
  InflateStream stream(GetParam().run);
  for (const Bytes& sample : samples()) {
    for (const int level : {0, 1, 6, 9, 12}) {
      const Bytes data = deflated(sample, level);
      for (const std::size_t at_once : {1U, 4321U, 65536U, 200000U}) {
        if (at_once == 1 && level != 6) continue;  // slow
        const auto got = inflated(stream, data, at_once, sample.size());
        ASSERT_TRUE(got.has_value()) << "level " << level;
        ASSERT_EQ(got->taken, data.size());
        ASSERT_TRUE(got->bytes == sample) << "level " << level << ", " << at_once << " at once";
      }
    }
  }
}

TEST_P(InflateStreamTest, LooksAtNothingBehindTheEnd) {
  InflateStream stream(GetParam().run);
  const Bytes sample(1000, 'x');
  Bytes data = deflated(sample, 6);
  const std::size_t bytes = data.size();
  data.insert(data.end(), 40, 0xFF);
  const auto got = inflated(stream, data, 100, sample.size());
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->taken, bytes);
  EXPECT_EQ(got->bytes, sample);
}

TEST_P(InflateStreamTest, RefusesEveryCut) {
  InflateStream stream(GetParam().run);
  Bytes sample(3000);
  std::minstd_rand random(3);
  std::generate(sample.begin(), sample.end(), [&] { return static_cast<std::uint8_t>(random() % 7 * 9); });
  for (const int level : {0, 1, 6}) {
    const Bytes data = deflated(sample, level);
    for (std::size_t size = 0; size < data.size(); ++size) {
      ASSERT_FALSE(inflated(stream, {data.begin(), data.begin() + static_cast<std::ptrdiff_t>(size)}, 500, 4000))
          << size << " of " << data.size();
    }
  }
}

// Every stream with a bit changed: what is taken is what libdeflate takes, too, and gives the same bytes.
TEST_P(InflateStreamTest, AgreesWithLibdeflateOnDamage) {
  InflateStream stream(GetParam().run);
  std::minstd_rand random(5);
  Bytes sample(2000);
  std::generate(sample.begin(), sample.end(), [&] { return static_cast<std::uint8_t>(random() % 9 * 5); });
  constexpr std::size_t kMost = 1 << 20;
  std::size_t taken = 0;
  for (const int level : {0, 1, 6}) {
    const Bytes data = deflated(sample, level);
    for (std::size_t bit = 0; bit < data.size() * 8; ++bit) {
      Bytes damaged = data;
      damaged[bit / 8] = static_cast<std::uint8_t>(damaged[bit / 8] ^ (1U << (bit % 8)));
      const auto got = inflated(stream, damaged, 777, kMost);
      if (!got || got->bytes.size() > kMost) continue;
      const auto expected = by_libdeflate(damaged, kMost);
      ASSERT_TRUE(expected.has_value()) << "level " << level << " bit " << bit;
      ASSERT_EQ(got->taken, expected->taken);
      ASSERT_TRUE(got->bytes == expected->bytes);
      ++taken;
    }
  }
  EXPECT_GT(taken, 100U);
}

// Streams written bit by bit, the lowest bit of a byte first.
class Bits {
 public:
  Bits& add(unsigned value, unsigned count) {
    for (unsigned i = 0; i < count; ++i, ++used_) {
      if (used_ % 8 == 0) bytes_.push_back(0);
      bytes_.back() = static_cast<std::uint8_t>(bytes_.back() | (((i < 32 ? value >> i : 0U) & 1U) << (used_ % 8)));
    }
    return *this;
  }
  // A Huffman code: its first bit comes first.
  Bits& code(unsigned value, unsigned count) {
    for (unsigned i = count; i-- > 0;) add(value >> i, 1);
    return *this;
  }
  Bytes bytes() const { return bytes_; }

 private:
  Bytes bytes_;
  unsigned used_ = 0;
};

// A last block of dynamic codes up to the code lengths, which are told by codes of 0, 1 and 18 of two bits each and 17 of
// two: 0 = 00, 1 = 01, 17 = 10, 18 = 11.
Bits dynamic(unsigned literals, unsigned distances) {
  Bits bits;
  bits.add(1, 1).add(2, 2).add(literals - 257, 5).add(distances - 1, 5).add(18 - 4, 4);
  constexpr std::array<unsigned, 18> kOrder{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1};
  for (const unsigned symbol : kOrder) bits.add(symbol <= 1 || symbol >= 17 ? 2 : 0, 3);
  return bits;
}
void zeros(Bits& bits, unsigned count) {
  for (; count >= 11; count -= std::min(count, 138U)) {
    const unsigned now = std::min(count, 138U);
    bits.code(3, 2).add(now - 11, 7);
  }
  for (; count > 0; --count) bits.code(0, 2);
}

TEST_P(InflateStreamTest, TakesABlockWithoutAnyDistance) {
  // Literal 0 has the code 0, the end of the block 1, no distance has any.
  Bits bits = dynamic(257, 1);
  bits.code(1, 2);
  zeros(bits, 255);
  bits.code(1, 2).code(0, 2);
  bits.code(0, 1).code(0, 1).code(1, 1);
  InflateStream stream(GetParam().run);
  const auto got = inflated(stream, bits.bytes(), 10, 100);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->bytes, (Bytes{0, 0}));
}

TEST_P(InflateStreamTest, TakesFixedCodes) {
  Bits bits;
  bits.add(1, 1).add(1, 2);    // fixed codes
  bits.code(0x30 + 'a', 8);    // a
  bits.code(1, 7).code(0, 5);  // 3 bytes from distance 1
  bits.code(0, 7);             // the end
  InflateStream stream(GetParam().run);
  const auto got = inflated(stream, bits.bytes(), 10, 100);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->bytes, (Bytes{'a', 'a', 'a', 'a'}));
}

struct Bad {
  std::string name;
  Bytes data;
};

std::vector<Bad> bad_streams() {
  std::vector<Bad> all;
  all.push_back({"nothing", {}});
  all.push_back({"block type 3", Bits().add(1, 1).add(3, 2).bytes()});
  all.push_back({"stored length and complement differ", {0x01, 0x02, 0x00, 0xFE, 0xFF, 1, 2}});
  all.push_back({"stored bytes missing", {0x01, 0x03, 0x00, 0xFC, 0xFF, 1, 2}});
  all.push_back(
      {"distance before the first byte", Bits().add(1, 1).add(1, 2).code(1, 7).code(0, 5).code(0, 7).bytes()});
  all.push_back({"fixed length symbol 286",
                 Bits().add(1, 1).add(1, 2).code(0x30, 8).code(0xC6, 8).code(0, 5).code(0, 7).add(0, 16).bytes()});
  all.push_back(
      {"fixed distance symbol 30", Bits().add(1, 1).add(1, 2).code(0x30, 8).code(1, 7).code(30, 5).add(0, 30).bytes()});
  {
    Bits bits = dynamic(257, 1);  // no end of the block: literals 0 and 1
    bits.code(1, 2).code(1, 2);
    zeros(bits, 255);
    bits.code(0, 2);
    all.push_back({"no end of the block", bits.add(0, 32).bytes()});
  }
  {
    Bits bits = dynamic(257, 1);  // three codes of one bit
    bits.code(1, 2).code(1, 2);
    zeros(bits, 254);
    bits.code(1, 2).code(0, 2);
    all.push_back({"more codes than there are", bits.add(0, 32).bytes()});
  }
  {
    Bits bits = dynamic(287, 1);
    all.push_back({"287 literals", bits.add(0, 64).bytes()});
  }
  {
    Bits bits = dynamic(257, 31);
    all.push_back({"31 distances", bits.add(0, 64).bytes()});
  }
  {
    Bits bits;  // the first length is a repeat
    bits.add(1, 1).add(2, 2).add(0, 5).add(0, 5).add(0, 4);
    bits.add(1, 3).add(0, 3).add(0, 3).add(1, 3);  // 16 and 0 have one bit
    all.push_back({"a repeat of nothing", bits.code(1, 1).add(0, 64).bytes()});
  }
  {
    Bits bits = dynamic(257, 1);
    zeros(bits, 138);
    bits.code(3, 2).add(127, 7);
    all.push_back({"more lengths than symbols", bits.add(0, 64).bytes()});
  }
  {
    Bits bits;  // code lengths: one code of one bit only
    bits.add(1, 1).add(2, 2).add(0, 5).add(0, 5).add(0, 4);
    bits.add(0, 3).add(0, 3).add(0, 3).add(1, 3);
    all.push_back({"code lengths that make no code", bits.add(0, 300).bytes()});
  }
  {
    Bits bits = dynamic(257, 1);  // literal 0 and the end; then a second code of the only distance
    zeros(bits, 256);
    bits.code(1, 2).code(1, 2);
    all.push_back({"a code that nothing stands for", bits.code(1, 1).add(0, 64).bytes()});
  }
  return all;
}

TEST_P(InflateStreamTest, RefusesWhatIsNoDeflate) {
  InflateStream stream(GetParam().run);
  for (const Bad& bad : bad_streams()) EXPECT_FALSE(inflated(stream, bad.data, 10, 1000).has_value()) << bad.name;
}

TEST_P(InflateStreamTest, GoesOnAfterAnError) {
  InflateStream stream(GetParam().run);
  const Bytes sample(5000, 'y');
  const Bytes good = deflated(sample, 6);
  for (const Bad& bad : bad_streams()) {
    static_cast<void>(inflated(stream, bad.data, 10, 1000));
    const auto got = inflated(stream, good, 100, sample.size());
    ASSERT_TRUE(got.has_value()) << bad.name;
    EXPECT_EQ(got->bytes, sample);
  }
}

INSTANTIATE_TEST_SUITE_P(Loops, InflateStreamTest, ::testing::ValuesIn(loops()),
                         [](const auto& loop) { return loop.param.name; });

}  // namespace
}  // namespace mediacore::picture
