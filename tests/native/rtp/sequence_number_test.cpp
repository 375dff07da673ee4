#include "core/rtp/sequence_number.hpp"

#include <gtest/gtest.h>

#include "core/rtp/packet_order.hpp"

namespace mediacore::rtp {
namespace {

struct Pair {
  std::uint16_t from;
  std::uint16_t to;
  int distance;
};

class SequenceNumberDistance : public ::testing::TestWithParam<Pair> {};

TEST_P(SequenceNumberDistance, GoesAroundTheWrap) {
  const SequenceNumber from{GetParam().from};
  const SequenceNumber to{GetParam().to};
  EXPECT_EQ(distance(from, to), GetParam().distance);
  EXPECT_EQ(is_newer(to, from), GetParam().distance > 0);
}

INSTANTIATE_TEST_SUITE_P(Pairs, SequenceNumberDistance,
                         ::testing::Values(Pair{1, 1, 0}, Pair{1, 2, 1}, Pair{2, 1, -1}, Pair{65535, 0, 1},
                                           Pair{0, 65535, -1}, Pair{0, 32767, 32767}, Pair{0, 32768, -32768},
                                           Pair{65000, 1000, 1536}));

TEST(SequenceNumber, NextWraps) {
  EXPECT_EQ(SequenceNumber{65535}.next(), SequenceNumber{0});
}

TEST(Timestamp, GoesAroundTheWrap) {
  const Timestamp last{0xffffffff};
  EXPECT_EQ(last.plus(3000), Timestamp{2999});
  EXPECT_EQ(distance(last, last.plus(3000)), 3000);
  EXPECT_TRUE(is_newer(last.plus(1), last));
  EXPECT_FALSE(is_newer(last, last.plus(1)));
  EXPECT_FALSE(is_newer(last, last));
}

TEST(PacketOrder, TellsLostLateAndRestarted) {
  PacketOrder order;
  EXPECT_EQ(order.observe({65534}).lost, 0U);
  EXPECT_EQ(order.observe({65535}).lost, 0U);
  EXPECT_EQ(order.observe({3}).lost, 3U);
  EXPECT_TRUE(order.observe({3}).late);
  EXPECT_TRUE(order.observe({1}).late);
  EXPECT_EQ(order.observe({static_cast<std::uint16_t>(3 + kMaxDropout)}).lost, static_cast<unsigned>(kMaxDropout - 1));
  const Arrival ahead = order.observe({20'000});  // too far to be a loss
  EXPECT_FALSE(ahead.late);
  EXPECT_EQ(ahead.lost, 1U);
  EXPECT_TRUE(order.observe({20'000 - kMaxMisorder}).late);
  const Arrival back = order.observe({20'000 - kMaxMisorder - 1});
  EXPECT_FALSE(back.late);
  EXPECT_EQ(back.lost, 1U);
}

}  // namespace
}  // namespace mediacore::rtp
