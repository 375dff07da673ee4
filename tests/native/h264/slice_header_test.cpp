#include "core/h264/slice_header.hpp"

#include <gtest/gtest.h>

#include "bitstream.hpp"

namespace mediacore::h264 {
namespace {

using testing::Buffer;
using testing::pps_nal;
using testing::PpsFields;
using testing::slice_nal;
using testing::SliceFields;
using testing::sps_nal;
using testing::SpsFields;

class SliceHeaderTest : public ::testing::Test {
 protected:
  void know(const SpsFields& sps, const PpsFields& pps) {
    sets_.sps[sps.id] = std::make_shared<const Sps>(*parse_sps(sps_nal(sps)));
    sets_.pps[pps.id] = *parse_pps(pps_nal(pps));
  }

  SliceHeader header(const SliceFields& fields) { return *parse_slice_header(slice_nal(fields), sets_); }

  // True if `second` begins another picture than `first`.
  bool differ(const SliceFields& first, const SliceFields& second) {
    PictureSlices picture;
    picture.begin(header(first));
    return picture.ends_before(header(second));
  }

  ParameterSetTable sets_;
};

TEST_F(SliceHeaderTest, ReadsItsFields) {
  know({.poc_type = 0}, {.redundant = true});
  const auto slice = header(
      {.idr = true, .ref_idc = 2, .first_mb = 9, .frame_num = 5, .idr_pic_id = 700, .poc_lsb = 11, .redundant_pic = 3});
  EXPECT_TRUE(slice.complete);
  EXPECT_EQ(slice.first_mb_in_slice, 9U);
  EXPECT_EQ(slice.frame_num, 5);
  EXPECT_EQ(slice.idr_pic_id, 700);
  EXPECT_EQ(slice.pic_order_cnt_lsb, 11);
  EXPECT_EQ(slice.redundant_pic_cnt, 3);
  EXPECT_EQ(slice.nal.ref_idc, 2);
}

TEST_F(SliceHeaderTest, EveryPrefixIsTruncatedOrTheSame) {
  know({.poc_type = 0}, {});
  const Buffer whole = slice_nal({.idr = true, .first_mb = 100, .idr_pic_id = 65535, .poc_lsb = 3});
  bool decided = false;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const auto slice = parse_slice_header(std::span(whole).first(size), sets_);
    EXPECT_FALSE(decided && !slice);
    decided = decided || static_cast<bool>(slice);
    if (slice) {
      EXPECT_EQ(slice->idr_pic_id, 65535);
    } else {
      EXPECT_EQ(slice.error().code, ErrorCode::truncated);
    }
  }
  EXPECT_TRUE(decided);
}

TEST_F(SliceHeaderTest, RefusesValuesOutOfRange) {
  know({}, {});
  BitWriter type;
  type.ue(0);
  type.ue(10);
  EXPECT_EQ(parse_slice_header(testing::nal_of(0x61, type), sets_).error().code, ErrorCode::value_out_of_range);
  EXPECT_EQ(parse_slice_header(slice_nal({.pps_id = 256}), sets_).error().code, ErrorCode::id_out_of_range);
  EXPECT_EQ(parse_slice_header(slice_nal({.idr = true, .idr_pic_id = 65536}), sets_).error().code,
            ErrorCode::value_out_of_range);
}

TEST_F(SliceHeaderTest, EachFieldOf7_4_1_2_4TellsAnotherPicture) {
  know({.poc_type = 0}, {});
  know({.poc_type = 0}, {.id = 1});
  const SliceFields base{.first_mb = 10, .frame_num = 3, .poc_lsb = 6};
  const auto with = [&](auto change) {
    SliceFields fields = base;
    fields.first_mb = 20;
    change(fields);
    return differ(base, fields);
  };
  EXPECT_FALSE(with([](SliceFields&) {}));
  EXPECT_TRUE(with([](SliceFields& f) { f.frame_num = 4; }));
  EXPECT_TRUE(with([](SliceFields& f) { f.pps_id = 1; }));
  EXPECT_TRUE(with([](SliceFields& f) { f.ref_idc = 0; }));
  EXPECT_FALSE(with([](SliceFields& f) { f.ref_idc = 1; })) << "both are references";
  EXPECT_TRUE(with([](SliceFields& f) { f.poc_lsb = 7; }));
  EXPECT_TRUE(with([](SliceFields& f) { f.idr = true; }));
}

TEST_F(SliceHeaderTest, EqualIdrPicturesAreToldApartByTheirFirstMacroblock) {
  know({}, {});
  const SliceFields idr{.idr = true};
  EXPECT_TRUE(differ(idr, idr));
  EXPECT_TRUE(differ(idr, {.idr = true, .first_mb = 5, .idr_pic_id = 1}));
  EXPECT_FALSE(differ(idr, {.idr = true, .first_mb = 5}));
}

TEST_F(SliceHeaderTest, SlicesMayComeInAnyOrder) {
  know({}, {});
  EXPECT_FALSE(differ({.first_mb = 30}, {.first_mb = 10}));
  EXPECT_FALSE(differ({.first_mb = 30}, {.first_mb = 0}));
}

TEST_F(SliceHeaderTest, ARedundantPictureBeginsNothing) {
  know({}, {.redundant = true});
  know({}, {.id = 1, .redundant = true});
  EXPECT_FALSE(differ({.redundant_pic = 0}, {.pps_id = 1, .redundant_pic = 1}));
  EXPECT_TRUE(differ({.redundant_pic = 0}, {.pps_id = 1, .redundant_pic = 0}));
}

TEST_F(SliceHeaderTest, WithoutParameterSetsTheFirstMacroblockDecides) {
  EXPECT_FALSE(header({}).complete);
  EXPECT_FALSE(differ({}, {.first_mb = 10}));
  EXPECT_TRUE(differ({.first_mb = 10}, {}));
  EXPECT_TRUE(differ({}, {.idr = true, .first_mb = 10}));
}

}  // namespace
}  // namespace mediacore::h264
