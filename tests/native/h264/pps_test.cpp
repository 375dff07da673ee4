#include "core/h264/pps.hpp"

#include <gtest/gtest.h>

#include "bitstream.hpp"

namespace mediacore::h264 {
namespace {

using testing::Buffer;
using testing::nal_of;
using testing::pps_nal;

TEST(Pps, ReadsWhatSlicesNeed) {
  const auto pps = parse_pps(pps_nal({255, 31, true, true}));
  ASSERT_TRUE(pps);
  EXPECT_EQ(*pps, (Pps{255, 31, true, true}));
}

TEST(Pps, BoundsItsIds) {
  EXPECT_EQ(parse_pps(pps_nal({256, 0})).error().code, ErrorCode::id_out_of_range);
  EXPECT_EQ(parse_pps(pps_nal({0, 32})).error().code, ErrorCode::id_out_of_range);
}

// A PPS up to its slice groups, then what `rest` writes.
template <class Rest>
Buffer with_slice_groups(std::uint32_t groups, std::uint32_t type, Rest rest) {
  BitWriter out;
  out.ue(3);
  out.ue(0);
  out.bits(0, 2);
  out.ue(groups - 1);
  out.ue(type);
  rest(out);
  out.ue(0);
  out.ue(0);
  out.bits(0, 3);
  for (int i = 0; i < 3; ++i) out.ue(0);
  out.bits(0b001, 3);
  return nal_of(0x68, out);
}

TEST(Pps, SkipsEveryKindOfSliceGroupMap) {
  const auto counts = [](int count) {
    return [count](BitWriter& out) {
      for (int i = 0; i < count; ++i) out.ue(5);
    };
  };
  const auto change = [](BitWriter& out) {
    out.flag(true);
    out.ue(7);
  };
  const auto explicit_map = [](BitWriter& out) {
    out.ue(98);
    for (int i = 0; i < 99; ++i) out.bits(2, 2);
  };
  for (const Buffer& nal :
       {with_slice_groups(3, 0, counts(3)), with_slice_groups(3, 1, counts(0)), with_slice_groups(3, 2, counts(4)),
        with_slice_groups(2, 3, change), with_slice_groups(2, 4, change), with_slice_groups(2, 5, change),
        with_slice_groups(3, 6, explicit_map)}) {
    const auto pps = parse_pps(nal);
    ASSERT_TRUE(pps);
    EXPECT_TRUE(pps->redundant_pic_cnt_present_flag);
  }
}

TEST(Pps, RefusesHostileCounts) {
  const auto nothing = [](BitWriter&) {};
  EXPECT_EQ(parse_pps(with_slice_groups(9, 0, nothing)).error().code, ErrorCode::value_out_of_range);
  EXPECT_EQ(parse_pps(with_slice_groups(2, 7, nothing)).error().code, ErrorCode::value_out_of_range);
  const auto huge = [](BitWriter& out) { out.ue(0xFFFFFFFE); };
  EXPECT_EQ(parse_pps(with_slice_groups(2, 6, huge)).error().code, ErrorCode::value_out_of_range);
}

TEST(Pps, EveryPrefixIsTruncated) {
  const Buffer whole = pps_nal({1, 1});
  EXPECT_EQ(parse_pps({}).error().code, ErrorCode::empty);
  for (std::size_t size = 1; size < whole.size(); ++size) {
    EXPECT_EQ(parse_pps(std::span(whole).first(size)).error().code, ErrorCode::truncated);
  }
}

}  // namespace
}  // namespace mediacore::h264
