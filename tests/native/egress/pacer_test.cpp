#include "core/egress/pacer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace mediacore::egress {
namespace {

constexpr std::size_t kPacket = 1250;  // 10 kbit

struct Departure {
  std::int64_t us;
  std::size_t bytes;
};

// Sends `bytes` in packets as the pacer lets them, polling when it says.
std::vector<Departure> drain(Pacer& pacer, std::size_t bytes, std::int64_t from_us) {
  std::vector<Departure> departures;
  std::int64_t now_us = from_us;
  pacer.advance(now_us);
  while (bytes != 0) {
    const std::size_t next = std::min(bytes, kPacket);
    if (pacer.allows(next)) {
      pacer.take(next);
      departures.push_back({now_us, next});
      bytes -= next;
      continue;
    }
    const std::int64_t ready_us = pacer.ready_us(next, bytes);
    EXPECT_GT(ready_us, now_us) << "a deadline that is due lets something go";
    now_us = std::max(ready_us, now_us + 1);
    pacer.advance(now_us);
  }
  return departures;
}

// The most that left beyond what the rate gives, over all spans of time.
double largest_burst(const std::vector<Departure>& departures, double bps) {
  double largest = 0;
  for (std::size_t first = 0; first < departures.size(); ++first) {
    double bytes = 0;
    for (std::size_t last = first; last < departures.size(); ++last) {
      bytes += static_cast<double>(departures[last].bytes);
      const auto us = static_cast<double>(departures[last].us - departures[first].us);
      largest = std::max(largest, bytes - bps / 8e6 * us);
    }
  }
  return largest;
}

Pacing slow_path() {
  Pacing pacing;
  pacing.start_rate_bps = 3'000'000;
  return pacing;
}

TEST(Pacer, StartsAtAFactorOfTheStartRateAndFollowsTheRenditionAfterFeedback) {
  Pacer pacer(Pacing{}, 0);
  EXPECT_EQ(pacer.rate_bps(), 25'000'000U);
  pacer.set_rendition_rate(20'000'000);
  EXPECT_EQ(pacer.rate_bps(), 50'000'000U);
  pacer.set_feedback_seen(0);
  EXPECT_EQ(pacer.rate_bps(), 30'000'000U);
  pacer.set_rendition_rate(2'000'000);
  EXPECT_EQ(pacer.rate_bps(), 10'000'000U) << "not below the start rate";
  pacer.set_rendition_rate(0);
  EXPECT_EQ(pacer.rate_bps(), 10'000'000U) << "a screen that rests";
}

TEST(Pacer, SettingsThatMakeNoSenseGiveALeastRate) {
  for (const double factor : {-1.0, 0.0, std::nan("")}) {
    Pacing pacing;
    pacing.start_rate_bps = 0;
    pacing.start_factor = factor;
    pacing.factor = factor;
    pacing.bucket_bytes = 0;
    Pacer pacer(pacing, 0);
    EXPECT_EQ(pacer.rate_bps(), kLeastPacingBps);
    pacer.set_feedback_seen(0);
    pacer.set_rendition_rate(1'000'000'000);
    EXPECT_EQ(pacer.rate_bps(), kLeastPacingBps);
    EXPECT_EQ(drain(pacer, 10 * kPacket, 0).size(), 10U);
  }
  Pacing pacing;
  pacing.factor = std::numeric_limits<double>::infinity();
  Pacer pacer(pacing, 0);
  pacer.set_feedback_seen(0);
  pacer.set_rendition_rate(1'000'000);
  EXPECT_EQ(pacer.rate_bps(), TokenBucket::kMostBps);
}

TEST(Pacer, WhatFitsTheBucketLeavesAtOnce) {
  Pacer pacer(Pacing{}, 0);
  const auto departures = drain(pacer, 32'000, 7);
  EXPECT_EQ(departures.back().us, 7);
}

struct Curve {
  const char* name;
  bool feedback;
  std::uint64_t rendition_bps;
  std::size_t bytes;
};

class PacerCurve : public ::testing::TestWithParam<Curve> {};

TEST_P(PacerCurve, NoBurstAboveBucketAndRate) {
  const Curve& curve = GetParam();
  Pacing pacing;
  Pacer pacer(pacing, 0);
  pacer.set_rendition_rate(curve.rendition_bps);
  if (curve.feedback) pacer.set_feedback_seen(0);
  auto departures = drain(pacer, curve.bytes, 1'000);
  // A pause that fills the bucket in part, another picture, a long pause, and a third one.
  for (const std::int64_t pause_us : {2'000, 5'000'000}) {
    const auto more = drain(pacer, curve.bytes, departures.back().us + pause_us);
    departures.insert(departures.end(), more.begin(), more.end());
  }
  const auto rate = static_cast<double>(pacer.rate_bps());
  const double bucket = static_cast<double>(pacing.bucket_bytes);
  EXPECT_LE(largest_burst(departures, rate), bucket + 1e-6);
  EXPECT_GT(largest_burst(departures, rate), bucket - kPacket) << "the bucket is used";
}

INSTANTIATE_TEST_SUITE_P(Rates, PacerCurve,
                         ::testing::Values(Curve{"start", false, 0, 200'000},
                                           Curve{"start_fast", false, 20'000'000, 400'000},
                                           Curve{"idle", true, 0, 200'000}, Curve{"busy", true, 30'000'000, 400'000}),
                         [](const auto& curve) { return curve.param.name; });

TEST(Pacer, SpreadsALargePictureAtItsRate) {
  Pacer pacer(Pacing{}, 0);
  pacer.set_feedback_seen(0);
  pacer.set_rendition_rate(10'000'000);
  const auto departures = drain(pacer, 32'768 + 150'000, 0);
  // 150 kB at 15 Mb/s
  EXPECT_NEAR(static_cast<double>(departures.back().us), 80'000, 1'500);
}

TEST(Pacer, ReleasesPortionsOfAMillisecondNotSinglePackets) {
  Pacer pacer(Pacing{}, 0);
  pacer.set_feedback_seen(0);
  pacer.set_rendition_rate(100'000'000);  // 150 Mb/s: 15 packets in 1 ms
  const auto departures = drain(pacer, 1'000'000, 0);
  std::size_t wake_ups = 1;
  for (std::size_t i = 1; i < departures.size(); ++i) {
    if (departures[i].us != departures[i - 1].us) ++wake_ups;
  }
  const auto ms = static_cast<double>(departures.back().us) / 1000;
  EXPECT_NEAR(static_cast<double>(wake_ups), ms, 0.1 * ms);
}

// A queue of bytes that drains at a rate: what a router before a narrow link is.
double fullest(const std::vector<Departure>& departures, double bps) {
  double queued = 0;
  double most = 0;
  std::int64_t then_us = departures.front().us;
  for (const Departure& departure : departures) {
    queued = std::max(0.0, queued - bps / 8e6 * static_cast<double>(departure.us - then_us));
    queued += static_cast<double>(departure.bytes);
    most = std::max(most, queued);
    then_us = departure.us;
  }
  return most;
}

TEST(Pacer, AFirstPictureOfAnySizePassesALinkOfTheStartRateWith300MsOfQueue) {
  for (const std::size_t bytes : {60'000, 200'000, 1'000'000}) {
    Pacer pacer(slow_path(), 0);
    const auto departures = drain(pacer, bytes, 0);
    EXPECT_LE(fullest(departures, 3e6), 3e6 / 8 * 0.3) << bytes;
  }
}

TEST(Pacer, FeedbackAmidTheFirstPictureDoesNotOverfillThatLink) {
  for (const std::int64_t feedback_us : {1'000, 20'000, 60'000, 120'000}) {
    Pacer pacer(slow_path(), 0);
    pacer.set_rendition_rate(2'000'000);
    std::vector<Departure> departures;
    std::size_t left = 200'000;
    for (std::int64_t now_us = 0; left != 0; now_us += 500) {
      pacer.advance(now_us);
      if (now_us >= feedback_us) pacer.set_feedback_seen(now_us);
      while (left != 0 && pacer.allows(std::min(left, kPacket))) {
        departures.push_back({now_us, std::min(left, kPacket)});
        pacer.take(departures.back().bytes);
        left -= departures.back().bytes;
      }
    }
    EXPECT_LE(fullest(departures, 3e6), 3e6 / 8 * 0.3) << feedback_us;
  }
}

TEST(Pacer, AReplayOf300MsAtTheStartRateIsNotSlowedByTheAdvance) {
  Pacer pacer(Pacing{}, 0);
  const std::size_t bytes = 375'000;
  const auto departures = drain(pacer, bytes, 0);
  const double ideal_us = static_cast<double>(bytes - 32'768) * 8 / 25;
  EXPECT_NEAR(static_cast<double>(departures.back().us), ideal_us, 1'500);
}

TEST(Pacer, WithoutPacingEverythingLeavesAtOnce) {
  Pacing pacing;
  pacing.enabled = false;
  Pacer pacer(pacing, 5);
  const auto departures = drain(pacer, 10'000'000, 5);
  EXPECT_EQ(departures.back().us, 5);
  EXPECT_EQ(pacer.ready_us(kPacket, kPacket), 5);
  // Nothing is owed when it comes back.
  pacing.enabled = true;
  pacer.configure(pacing);
  pacer.advance(6);
  EXPECT_TRUE(pacer.allows(32'768));
}

TEST(Pacer, AnotherRateCountsFromTheNextTimeOn) {
  Pacer pacer(Pacing{}, 0);
  pacer.set_feedback_seen(0);
  pacer.advance(0);
  while (pacer.allows(kPacket)) pacer.take(kPacket);
  pacer.set_rendition_rate(1'000'000'000);  // the 1 ms that follows was at 10 Mb/s
  pacer.advance(1'000);
  std::size_t packets = 0;
  for (; pacer.allows(kPacket); ++packets) pacer.take(kPacket);
  EXPECT_LE(packets, 2U);
  EXPECT_GE(packets, 1U);
}

}  // namespace
}  // namespace mediacore::egress
