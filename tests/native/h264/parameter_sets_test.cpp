#include "core/h264/parameter_sets.hpp"

#include <gtest/gtest.h>

#include "bitstream.hpp"
#include "core/h264/access_unit_parser.hpp"

namespace mediacore::h264 {
namespace {

using testing::annex_b;
using testing::Buffer;
using testing::pps_nal;
using testing::slice_nal;
using testing::sps_nal;

const Buffer kDelimiter{0x09, 0xF0};
const Buffer kIdr = slice_nal({.idr = true});

class ParameterSetsTest : public ::testing::Test {
 protected:
  void observe(const Buffer& unit) {
    AccessUnitParser().push(unit, true,
                            [&](const AccessUnitView& view) { sets_.observe(view.data, view.nal_offsets); });
  }

  // The completed unit, or the unit itself.
  Buffer complete(const Buffer& unit) const {
    Buffer out = unit;
    AccessUnitParser().push(unit, true,
                            [&](const AccessUnitView& view) { sets_.complete(view.data, view.nal_offsets, out); });
    return out;
  }

  ParameterSets sets_;
};

TEST_F(ParameterSetsTest, AllOfThemComeSpsFirst) {
  observe(annex_b({sps_nal({.id = 2}), pps_nal({.id = 5, .sps_id = 2}), sps_nal(), pps_nal(), kIdr}));
  EXPECT_EQ(complete(annex_b({kIdr})),
            annex_b({sps_nal(), sps_nal({.id = 2}), pps_nal(), pps_nal({.id = 5, .sps_id = 2}), kIdr}));
}

TEST_F(ParameterSetsTest, TheDelimiterStaysFirst) {
  observe(annex_b({sps_nal(), pps_nal(), kIdr}));
  EXPECT_EQ(complete(annex_b({kDelimiter, kIdr})), annex_b({kDelimiter, sps_nal(), pps_nal(), kIdr}));
}

TEST_F(ParameterSetsTest, AUnitWithAllOfThemIsLeftAlone) {
  const Buffer unit = annex_b({sps_nal(), pps_nal(), kIdr});
  observe(unit);
  EXPECT_EQ(complete(unit), unit);
}

TEST_F(ParameterSetsTest, OnlyTheMissingOnesAreInserted) {
  observe(annex_b({sps_nal(), pps_nal(), pps_nal({.id = 1}), kIdr}));
  EXPECT_EQ(complete(annex_b({kDelimiter, sps_nal(), kIdr})),
            annex_b({kDelimiter, sps_nal(), pps_nal(), pps_nal({.id = 1}), kIdr}));
  EXPECT_EQ(complete(annex_b({pps_nal(), kIdr})), annex_b({sps_nal(), pps_nal({.id = 1}), pps_nal(), kIdr}));
}

TEST_F(ParameterSetsTest, TheLatestOfAnIdCounts) {
  observe(annex_b({sps_nal(), pps_nal(), kIdr}));
  observe(annex_b({sps_nal({.width_in_mbs = 40}), kIdr}));
  EXPECT_EQ(complete(annex_b({kIdr})), annex_b({sps_nal({.width_in_mbs = 40}), pps_nal(), kIdr}));
}

TEST_F(ParameterSetsTest, WithoutAnyNothingIsInserted) {
  EXPECT_EQ(complete(annex_b({kIdr})), annex_b({kIdr}));
}

}  // namespace
}  // namespace mediacore::h264
