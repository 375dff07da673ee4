#include "core/h264/bit_writer.hpp"

#include <gtest/gtest.h>

#include "bitstream.hpp"

namespace mediacore::h264 {
namespace {

using testing::Buffer;
using testing::from_hex;

struct Escape {
  const char* name;
  const char* rbsp;
  const char* nal;
};

class EscapeTest : public ::testing::TestWithParam<Escape> {};

TEST_P(EscapeTest, BothWays) {
  Buffer nal;
  append_escaped(from_hex(GetParam().rbsp), nal);
  EXPECT_EQ(nal, from_hex(GetParam().nal));
  Buffer rbsp;
  append_unescaped(nal, rbsp);
  EXPECT_EQ(rbsp, from_hex(GetParam().rbsp));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, EscapeTest,
    ::testing::Values(Escape{"Base", "000000000001000002000003", "00000300000300010000030200000303"},
                      Escape{"Double", "0000000000", "00000300000300"}, Escape{"AtTheEnd", "0000", "000003"},
                      Escape{"Four", "000004", "000004"}, Escape{"Nothing", "", ""}),
    [](const auto& test) { return test.param.name; });

TEST(Unescape, TakesWhatOnlyOthersWrite) {
  Buffer rbsp;
  append_unescaped(from_hex("00000300000003010000030200000303"), rbsp);
  EXPECT_EQ(rbsp, from_hex("000000000001000002000003"));
}

TEST(BitWriter, WritesFromTheTopBit) {
  BitWriter out;
  out.bits(0b101, 3);
  out.ue(3);  // 00100
  out.flag(true);
  EXPECT_EQ(Buffer(out.bytes().begin(), out.bytes().end()), (Buffer{0b10100100, 0b10000000}));
}

TEST(BitWriter, CopiesBitsOfAnySource) {
  BitWriter out;
  out.copy(Buffer{0x0F, 0xF0}, 4, 12);
  EXPECT_EQ(Buffer(out.bytes().begin(), out.bytes().end()), Buffer{0xFF});
}

}  // namespace
}  // namespace mediacore::h264
