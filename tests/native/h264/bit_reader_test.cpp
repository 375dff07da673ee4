#include "core/h264/bit_reader.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "bitstream.hpp"

namespace mediacore::h264 {
namespace {

using testing::Buffer;

TEST(BitReader, DropsEmulationPrevention) {
  const Buffer nal{0, 0, 3, 1, 0, 0, 3};
  BitReader in(nal);
  EXPECT_EQ(in.bits(24), 1U);
  EXPECT_EQ(in.bits(16), 0U);
  EXPECT_TRUE(in.ok());
  in.flag();
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.error().code, ErrorCode::truncated);
  EXPECT_EQ(in.error().byte_offset, nal.size());
}

TEST(BitReader, ReadsWhatTheWriterWrote) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::uint32_t> codes(random() % 40);
    BitWriter out;
    for (auto& code : codes) {
      code = static_cast<std::uint32_t>(random()) >> (random() % 32);
      if (code == 0xFFFFFFFF) --code;
      out.ue(code);
      out.bits(code, 32);
    }
    Buffer nal;
    append_escaped(out.bytes(), nal);
    BitReader in(nal);
    for (const auto code : codes) {
      EXPECT_EQ(in.ue(), code);
      EXPECT_EQ(in.bits(32), code);
    }
    EXPECT_TRUE(in.ok());
  }
}

TEST(BitReader, SignedCodesAlternate) {
  BitWriter out;
  for (std::uint32_t code = 0; code < 5; ++code) out.ue(code);
  out.ue(0xFFFFFFFE);
  BitReader in(out.bytes());
  for (const int value : {0, 1, -1, 2, -2}) EXPECT_EQ(in.se(), value);
  EXPECT_EQ(in.se(), -2147483647);
}

TEST(BitReader, TellsATooLongCodeFromTooFewBytes) {
  const Buffer zeros{0};
  BitReader few(zeros);
  few.ue();
  EXPECT_EQ(few.error().code, ErrorCode::truncated);

  const Buffer long_code{0, 0, 3, 0, 0, 3, 0x80, 0, 0, 3, 0, 0};
  BitReader in(long_code);
  in.ue();
  EXPECT_EQ(in.error().code, ErrorCode::exp_golomb_too_long);
}

TEST(BitReader, GivesZeroAfterAFailure) {
  const Buffer one{0xFF};
  BitReader in(one);
  EXPECT_EQ(in.bits(9), 0U);
  EXPECT_EQ(in.bits(1), 0U);
  EXPECT_EQ(in.ue(), 0U);
  EXPECT_FALSE(in.ok());
}

TEST(BitReader, PositionsCountTheRbsp) {
  const Buffer nal{0, 0, 3, 0x80};
  BitReader in(nal);
  in.bits(16);
  EXPECT_EQ(in.bit_position(), 16U);
  in.flag();
  EXPECT_EQ(in.bit_position(), 17U);
}

}  // namespace
}  // namespace mediacore::h264
