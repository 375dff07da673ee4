#include "core/egress/retransmissions.hpp"

#include <gtest/gtest.h>

namespace mediacore::egress {
namespace {

constexpr std::uint64_t kPacingBps = 10'000'000;
constexpr std::size_t kBytes = 1250;

SentPacket packet(std::uint64_t index) {
  SentPacket made;
  made.fields.index = index;
  return made;
}

// How many of fresh packets are taken now.
std::size_t taken(Retransmissions& retransmissions, std::int64_t now_us, std::size_t most = 100'000) {
  retransmissions.advance(kPacingBps, now_us);
  std::size_t count = 0;
  for (; count < most; ++count) {
    SentPacket one = packet(count);
    if (!retransmissions.take(one, kBytes, -1, now_us)) break;
    while (!retransmissions.empty()) retransmissions.pop();
  }
  return count;
}

TEST(Retransmissions, AQuarterOfThePacingRateWithHalfASecondOfItAtOnce) {
  Retransmissions retransmissions(kPacingBps, 0);
  constexpr std::size_t kQuarter = kPacingBps / 4 / 8;  // bytes of a second
  EXPECT_EQ(taken(retransmissions, 0), kQuarter / 2 / kBytes);
  EXPECT_EQ(taken(retransmissions, 0), 0U);
  std::size_t in_a_second = 0;
  for (std::int64_t now_us = 10'000; now_us <= 1'000'000; now_us += 10'000) {
    in_a_second += taken(retransmissions, now_us);
  }
  EXPECT_NEAR(static_cast<double>(in_a_second), static_cast<double>(kQuarter) / kBytes, 1);
}

TEST(Retransmissions, ASlowPathHasTheLeastBudget) {
  Retransmissions retransmissions(100'000, 0);
  std::size_t bytes = 0;
  for (std::uint64_t i = 0;; ++i, bytes += kBytes) {
    SentPacket one = packet(i);
    if (!retransmissions.take(one, kBytes, -1, 0)) break;
  }
  EXPECT_LE(bytes, Retransmissions::kLeastBytes);
  EXPECT_GT(bytes, Retransmissions::kLeastBytes - kBytes);
}

TEST(Retransmissions, OnePacketNotTwiceWithinHalfARoundTrip) {
  struct Case {
    std::int64_t rtt_us;
    std::int64_t pause_us;
  };
  for (const Case& each : {Case{-1, 5'000}, Case{1'000, 5'000}, Case{200'000, 100'000}}) {
    Retransmissions retransmissions(kPacingBps, 0);
    SentPacket one = packet(7);
    EXPECT_TRUE(retransmissions.take(one, kBytes, each.rtt_us, 1'000)) << "the first time at once";
    EXPECT_FALSE(retransmissions.take(one, kBytes, each.rtt_us, 1'000));
    EXPECT_FALSE(retransmissions.take(one, kBytes, each.rtt_us, 1'000 + each.pause_us - 1));
    EXPECT_TRUE(retransmissions.take(one, kBytes, each.rtt_us, 1'000 + each.pause_us));
  }
}

TEST(Retransmissions, WaitInOrderInABoundedRing) {
  Retransmissions retransmissions(TokenBucket::kMostBps, 2'000'000);
  for (int round = 0; round < 3; ++round) {
    std::uint64_t accepted = 0;
    for (std::uint64_t i = 0; i < 2000; ++i) {
      SentPacket one = packet(i);
      if (retransmissions.take(one, kBytes, -1, 2'000'000)) ++accepted;
    }
    EXPECT_EQ(accepted, Retransmissions::kMostWaiting);
    for (std::uint64_t i = 0; i < accepted; ++i, retransmissions.pop()) ASSERT_EQ(retransmissions.front(), i);
    EXPECT_TRUE(retransmissions.empty());
  }
}

TEST(Retransmissions, SoManyNumbersASecondAreLookedAt) {
  Retransmissions retransmissions(kPacingBps, 0);
  const auto asked = [&](std::int64_t now_us) {
    std::uint32_t count = 0;
    while (count < 100'000 && retransmissions.may_ask(now_us)) ++count;
    return count;
  };
  EXPECT_EQ(asked(5'000), Retransmissions::kMostAskedPerSecond);
  EXPECT_EQ(asked(900'000), 0U);
  EXPECT_EQ(asked(1'005'000), Retransmissions::kMostAskedPerSecond);
}

}  // namespace
}  // namespace mediacore::egress
