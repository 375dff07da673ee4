#include "core/srtp/packet_index.hpp"

#include <gtest/gtest.h>

namespace mediacore::srtp {
namespace {

TEST(PacketIndex, IsTheNearestToTheHighest) {
  for (const std::uint64_t round : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{0xffff'fffe}}) {
    for (const std::uint64_t low : {0x0, 0x1, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff}) {
      const std::uint64_t highest = (round << 16) + low;
      for (std::uint64_t index = highest - 0x7fff; index <= highest + 0x7fff; ++index) {
        ASSERT_EQ(estimate_index(highest, static_cast<std::uint16_t>(index)), index) << highest;
      }
    }
  }
}

TEST(PacketIndex, OfTwoEquallyNearIsInTheSameRound) {
  EXPECT_EQ(estimate_index(0x1'0000, 0x8000), 0x1'8000U);
  EXPECT_EQ(estimate_index(0x1'7fff, 0xffff), 0x1'ffffU);
  EXPECT_EQ(estimate_index(0x1'8000, 0x0000), 0x1'0000U);
  EXPECT_EQ(estimate_index(0x1'ffff, 0x7fff), 0x1'7fffU);
}

TEST(PacketIndex, HasNothingBeforeTheFirstRound) {
  EXPECT_EQ(estimate_index(0, 0xffff), 0xffffU);
  EXPECT_EQ(estimate_index(0x10, 0x8011), 0x8011U);
}

TEST(PacketIndex, HasNothingAfterTheLastRound) {
  constexpr std::uint64_t kLast = kRtpIndexes - 1;
  EXPECT_EQ(estimate_index(kLast, 0), kLast - 0xffff);
  EXPECT_EQ(estimate_index(kLast, 0xffff), kLast);
  EXPECT_EQ(estimate_index(kLast - 0x10000, 0), kLast - 0xffff);
}

}  // namespace
}  // namespace mediacore::srtp
