#include "core/egress/timeline.hpp"

#include <gtest/gtest.h>

#include "core/rtp/sequence_number.hpp"

namespace mediacore::egress {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

std::int32_t ahead(std::uint32_t from, std::uint32_t to) {
  return rtp::distance(rtp::Timestamp{from}, rtp::Timestamp{to});
}

TEST(Timeline, IsLinearFromTheOriginOn) {
  Timeline time(90'000, 1000);
  EXPECT_EQ(time.stamp(0, false, 0), 1000U);
  EXPECT_EQ(time.stamp(33'333, false, 0), 1000U + 2999);
  EXPECT_EQ(time.stamp(kSecond, false, 0), 1000U + 90'000);
  // Of a wall clock in µs: no overflow on the way.
  const std::int64_t wall = 1'800'000'000 * kSecond;
  EXPECT_EQ(time.stamp(wall, false, 0), static_cast<std::uint32_t>(1000 + 1'800'000'000ULL * 90'000));
}

TEST(Timeline, TimesBeforeZeroAreLinearToo) {
  Timeline time(90'000, 0);
  EXPECT_EQ(time.stamp(-kSecond, false, 0), 0U - 90'000);
  EXPECT_EQ(time.stamp(-1, false, 0), 0U - 1) << "rounded down";
  EXPECT_EQ(time.stamp(0, false, 0), 0U);
}

TEST(Timeline, NeverRepeatsOrGoesBack) {
  Timeline time(90'000, 0xffff'ff00);
  std::uint32_t last = time.stamp(100'000, false, 0);
  for (const std::int64_t pts : {100'000, 100'001, 50'000, 0, 100'002}) {
    const std::uint32_t next = time.stamp(pts, false, 0);
    EXPECT_EQ(ahead(last, next), 1);
    last = next;
  }
  EXPECT_EQ(time.stamp(200'000, false, 0), 0xffff'ff00 + 18'000) << "linear again";
}

TEST(Timeline, AnotherClockGoesOnFromTheLastOne) {
  Timeline time(90'000, 0);
  time.observe(100 * kSecond, 5 * kSecond);
  const std::uint32_t last = time.stamp(100 * kSecond, false, 5 * kSecond);
  time.observe(0, 6 * kSecond);
  EXPECT_EQ(time.stamp(0, false, 6 * kSecond), last + 90'000);
  EXPECT_EQ(time.stamp(kSecond, false, 7 * kSecond), last + 180'000);
  EXPECT_EQ(time.at(7 * kSecond), last + 180'000);
}

TEST(Timeline, AReplayIsNoOtherClock) {
  Timeline time(90'000, 0);
  const std::uint32_t last = time.stamp(100 * kSecond, false, 0);
  EXPECT_EQ(time.stamp(80 * kSecond, true, kSecond), last + 1);
  EXPECT_EQ(time.stamp(101 * kSecond, false, kSecond), last + 90'000);
}

TEST(Timeline, PtsThatAreTimesOfArrivalNeedNoEstimate) {
  Timeline time(90'000, 7);
  EXPECT_EQ(time.at(kSecond), 90'007U) << "before any frame";
  for (std::int64_t us = 0; us < 20 * kSecond; us += 33'333) time.observe(us, us);
  EXPECT_EQ(time.at(30 * kSecond), 7U + 30 * 90'000);
}

TEST(Timeline, ForAnotherClockTheLeastDelayCounts) {
  Timeline time(90'000, 0);
  const std::int64_t offset = 500 * kSecond;                                   // the pts clock began so late
  const auto delay = [](std::int64_t us) { return us / 40'000 % 7 * 3'000; };  // 0 to 18 ms
  for (std::int64_t us = 0; us < 10 * kSecond; us += 40'000) time.observe(us, us + offset + delay(us));
  EXPECT_EQ(time.at(offset + 12 * kSecond), 12U * 90'000);
}

TEST(Timeline, FollowsAClockThatDrifts) {
  Timeline time(90'000, 0);
  // 100 ppm slower than ours: 30 ms in 5 minutes.
  std::int64_t pts = 0;
  std::int64_t us = 0;
  for (; us < 300 * kSecond; us += 40'000, pts += 39'996) time.observe(pts, us);
  EXPECT_NEAR(static_cast<double>(ahead(time.at(us), static_cast<std::uint32_t>(pts * 9 / 100))), 0, 0.0015 * 90'000);
}

TEST(Timeline, HasAnyClockRate) {
  Timeline time(48'000, 5);
  EXPECT_EQ(time.stamp(20'000, false, 0), 5U + 960);
}

}  // namespace
}  // namespace mediacore::egress
