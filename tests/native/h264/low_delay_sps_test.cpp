#include "core/h264/low_delay_sps.hpp"

#include <gtest/gtest.h>

#include "bitstream.hpp"
#include "core/h264/sps.hpp"

namespace mediacore::h264 {
namespace {

using testing::Buffer;
using testing::from_hex;
using testing::present;
using testing::sps_nal;

TEST(LowDelaySps, AddsAVuiAsLibwebrtcDoes) {
  EXPECT_EQ(*low_delay_sps(from_hex("6700000303f40503c7c0")), from_hex("6700000303f40503c7e01b41108d00"));
}

TEST(LowDelaySps, LeavesAGoodOneAlone) {
  const Buffer good = from_hex("6700000303f40503c7e01b41108d00");
  EXPECT_EQ(*low_delay_sps(good), good);
}

TEST(LowDelaySps, ChangesTwoFieldsOfARealOneAndIsAFixedPoint) {
  const Buffer nal = from_hex("6764001facd9405005bb016c80000003008000001e078c18cb");
  const auto rewritten = low_delay_sps(nal);
  ASSERT_TRUE(rewritten);
  EXPECT_EQ(*low_delay_sps(*rewritten), *rewritten);
  auto wanted = *parse_sps(nal);
  Vui vui = present(wanted.vui);
  BitstreamRestriction restriction = present(vui.bitstream_restriction);
  restriction.max_num_reorder_frames = 0;
  vui.bitstream_restriction = restriction;
  wanted.vui = vui;
  const auto after = parse_sps(*rewritten);
  ASSERT_TRUE(after);
  EXPECT_EQ(*after, wanted);
}

TEST(LowDelaySps, KeepsTheStopBit) {
  const auto rewritten = low_delay_sps(sps_nal());
  ASSERT_TRUE(rewritten);
  EXPECT_NE(rewritten->back(), 0);
  const auto sps = parse_sps(*rewritten);
  ASSERT_TRUE(sps);
  EXPECT_EQ(present(present(sps->vui).bitstream_restriction).max_dec_frame_buffering, 1U);
}

TEST(LowDelaySps, WritesTheColourThatIsWanted) {
  const auto rewritten = low_delay_sps(sps_nal(), SpsColour{1, 1, 1, true});
  ASSERT_TRUE(rewritten);
  const auto sps = parse_sps(*rewritten);
  ASSERT_TRUE(sps);
  EXPECT_TRUE(present(sps->vui).video_full_range_flag);
  EXPECT_EQ(present(sps->vui).colour_primaries, 1);
  EXPECT_EQ(present(sps->vui).matrix_coefficients, 1);
  const auto back = low_delay_sps(*rewritten, SpsColour{});
  ASSERT_TRUE(back);
  const auto plain = parse_sps(*back);
  ASSERT_TRUE(plain);
  EXPECT_FALSE(present(plain->vui).video_signal_type_present_flag);
}

// What stood after the first bit of it was lost.
TEST(LowDelaySps, KeepsTheExtensionOfASubsetSps) {
  SpsLayout layout;
  const Buffer plain = sps_nal();
  ASSERT_TRUE(parse_sps(plain, &layout));
  Buffer rbsp;
  append_unescaped(plain, rbsp);
  BitWriter fields;
  fields.copy(rbsp, 8, layout.end);
  fields.bits(0b10110, 5);
  const auto rewritten = low_delay_sps(testing::nal_of(0x6f, fields));
  ASSERT_TRUE(rewritten);
  ASSERT_TRUE(parse_sps(*rewritten, &layout));
  rbsp.clear();
  append_unescaped(*rewritten, rbsp);
  BitWriter rest;
  rest.copy(rbsp, layout.end, layout.end + 6);
  EXPECT_EQ(rest.bytes()[0], 0b10110100);
}

TEST(LowDelaySps, RefusesACutVui) {
  const Buffer whole = from_hex("6764001facd9405005bb016c80000003008000001e078c18cb");
  for (std::size_t size = 0; size + 2 < whole.size(); ++size) {
    EXPECT_FALSE(low_delay_sps(std::span(whole).first(size)));
  }
}

}  // namespace
}  // namespace mediacore::h264
