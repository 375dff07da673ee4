#include "core/h264/sps.hpp"

#include <gtest/gtest.h>

#include "bitstream.hpp"

namespace mediacore::h264 {
namespace {

using testing::Buffer;
using testing::from_hex;
using testing::nal_of;
using testing::present;
using testing::sps_nal;
using testing::SpsFields;

// 1280x720 with VUI, timing and restriction (an SPS of a public test suite).
constexpr const char* kHigh720 = "6764001facd9405005bb016c80000003008000001e078c18cb";

TEST(Sps, ReadsEveryPartOfARealOne) {
  const auto sps = parse_sps(from_hex(kHigh720));
  ASSERT_TRUE(sps);
  EXPECT_EQ(sps->width, 1280U);
  EXPECT_EQ(sps->height, 720U);
  EXPECT_EQ(sps->profile_level_id(), "64001f");
  EXPECT_EQ(sps->max_num_ref_frames, 4);
  EXPECT_EQ(sps->log2_max_pic_order_cnt_lsb, 6);
  EXPECT_EQ(sps->fps(), 30.0);
  const Vui& vui = present(sps->vui);
  EXPECT_TRUE(vui.video_full_range_flag);
  const BitstreamRestriction& restriction = present(vui.bitstream_restriction);
  EXPECT_EQ(restriction.max_num_reorder_frames, 2U);
  EXPECT_EQ(restriction.max_dec_frame_buffering, 4U);
  EXPECT_FALSE(sps->vui_truncated);
}

TEST(Sps, EveryPrefixIsRefusedOrKeepsTheGeometry) {
  const Buffer whole = from_hex(kHigh720);
  std::size_t accepted = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto sps = parse_sps(std::span(whole).first(size));
    if (!sps) {
      EXPECT_LE(sps.error().byte_offset, size);
      continue;
    }
    EXPECT_EQ(sps->width, 1280U);
    EXPECT_EQ(sps->height, 720U);
    EXPECT_TRUE(sps->vui_truncated || size + 1 == whole.size()) << size;
    ++accepted;
  }
  EXPECT_GT(accepted, 5U);
}

TEST(Sps, CropsInUnitsOfTheChromaFormat) {
  SpsFields fields;
  fields.crop = {1, 2, 3, 4};
  auto sps = parse_sps(sps_nal(fields));
  ASSERT_TRUE(sps);
  EXPECT_EQ(sps->width, 320U - 2 * 3);
  EXPECT_EQ(sps->height, 240U - 2 * 7);
  fields.frame_mbs_only = false;
  sps = parse_sps(sps_nal(fields));
  ASSERT_TRUE(sps);
  EXPECT_EQ(sps->height, 480U - 4 * 7);
}

TEST(Sps, RefusesCroppingThatLeavesNothing) {
  for (const auto crop : {std::array<std::uint32_t, 4>{80, 80, 0, 0},
                          {0, 0, 60, 60},
                          {0xFFFFFFFE, 2, 0, 0},
                          {0, 0, 0x80000000, 0x80000000}}) {
    BitWriter out;
    out.bits(77, 8);
    out.bits(0, 8);
    out.bits(31, 8);
    for (const std::uint32_t value : {0U, 0U, 2U, 1U}) out.ue(value);
    out.flag(false);
    out.ue(19);
    out.ue(14);
    out.bits(0b111, 3);
    for (const std::uint32_t offset : crop) out.ue(offset);
    out.flag(false);
    const auto sps = parse_sps(nal_of(0x67, out));
    ASSERT_FALSE(sps);
    EXPECT_EQ(sps.error().code, ErrorCode::crop_too_large);
  }
}

TEST(Sps, BoundsItsFields) {
  SpsFields fields;
  fields.id = 31;
  EXPECT_TRUE(parse_sps(sps_nal(fields)));
  fields.id = 32;
  EXPECT_EQ(parse_sps(sps_nal(fields)).error().code, ErrorCode::id_out_of_range);
  fields = {};
  fields.width_in_mbs = 1055;
  EXPECT_TRUE(parse_sps(sps_nal(fields)));
  fields.width_in_mbs = 1056;
  EXPECT_EQ(parse_sps(sps_nal(fields)).error().code, ErrorCode::picture_too_large);
  fields = {};
  fields.height_in_map_units = 600;
  EXPECT_TRUE(parse_sps(sps_nal(fields)));
  fields.frame_mbs_only = false;
  EXPECT_EQ(parse_sps(sps_nal(fields)).error().code, ErrorCode::picture_too_large);
  fields = {};
  fields.ref_frames = 17;
  EXPECT_EQ(parse_sps(sps_nal(fields)).error().code, ErrorCode::value_out_of_range);
  fields = {};
  fields.poc_type = 3;
  EXPECT_EQ(parse_sps(sps_nal(fields)).error().code, ErrorCode::value_out_of_range);
}

TEST(Sps, RefusesWhatIsNoSps) {
  EXPECT_EQ(parse_sps({}).error().code, ErrorCode::empty);
  EXPECT_EQ(parse_sps(Buffer{0x68, 1}).error().code, ErrorCode::wrong_type);
  EXPECT_EQ(parse_sps(Buffer{0xE7, 1}).error().code, ErrorCode::forbidden_bit);
  EXPECT_EQ(parse_sps(Buffer{0x67}).error().code, ErrorCode::truncated);
}

TEST(Sps, ACycleCountBeyondTheDataIsTruncated) {
  BitWriter out;
  out.bits(66, 8);
  out.bits(0, 8);
  out.bits(10, 8);
  for (const std::uint32_t value : {0U, 0U, 1U}) out.ue(value);
  out.flag(false);
  out.ue(0);
  out.ue(0);
  out.ue(255);
  EXPECT_EQ(parse_sps(nal_of(0x67, out)).error().code, ErrorCode::truncated);
}

}  // namespace
}  // namespace mediacore::h264
