#include "core/memory/frame_ring.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <numeric>
#include <random>
#include <vector>

namespace mediacore::memory {
namespace {

using Fate = FrameRing::Fate;

std::uint64_t dropped(const RingCounts& counts, Cause cause) {
  return counts.dropped[static_cast<std::size_t>(cause)];
}

void expect_balance(const RingCounts& counts) {
  EXPECT_EQ(counts.pushed,
            std::accumulate(counts.dropped.begin(), counts.dropped.end(), counts.delivered + counts.queued));
}

TEST(FrameRing, DropsItsOldest) {
  FrameRing ring(2, Policy::drop_oldest);
  EXPECT_EQ(ring.push(1).back, kNoToken);
  EXPECT_EQ(ring.push(2).back, kNoToken);
  EXPECT_EQ(ring.push(3).back, 1U);
  EXPECT_EQ(ring.push(4).back, 2U);
  EXPECT_EQ(ring.pop(), 3U);
  EXPECT_EQ(ring.push(5).back, kNoToken);
  EXPECT_EQ(ring.pop(), 4U);
  EXPECT_EQ(ring.pop(), 5U);
  EXPECT_EQ(ring.pop(), kNoToken);
  const RingCounts counts = ring.counts();
  EXPECT_EQ(counts.pushed, 5U);
  EXPECT_EQ(counts.delivered, 3U);
  EXPECT_EQ(dropped(counts, Cause::overflow), 2U);
  expect_balance(counts);
}

TEST(FrameRing, LatestKeepsOneWhateverTheCapacity) {
  FrameRing ring(10, Policy::latest);
  EXPECT_EQ(ring.capacity(), 1U);
  EXPECT_EQ(ring.push(1).back, kNoToken);
  EXPECT_EQ(ring.push(2).back, 1U);
  EXPECT_EQ(ring.counts().queued, 1U);
  EXPECT_EQ(ring.pop(), 2U);
  EXPECT_EQ(ring.pop(), kNoToken);
  expect_balance(ring.counts());
}

TEST(FrameRing, BlockTakesNothingWhenFull) {
  FrameRing ring(1, Policy::block);
  EXPECT_EQ(ring.push(1).fate, Fate::taken);
  const auto full = ring.push(2);
  EXPECT_EQ(full.fate, Fate::full);
  EXPECT_EQ(full.back, 2U);
  EXPECT_EQ(ring.counts().pushed, 1U) << "not counted until it is given up";
  ring.count_dropped(Cause::deadline);
  EXPECT_EQ(ring.pop(), 1U);
  EXPECT_EQ(ring.push(3).fate, Fate::taken);
  EXPECT_EQ(dropped(ring.counts(), Cause::deadline), 1U);
  expect_balance(ring.counts());
}

TEST(FrameRing, AClosedOneDeliversWhatItHasAndTakesNothing) {
  for (const Policy policy : {Policy::drop_oldest, Policy::latest, Policy::block}) {
    FrameRing ring(4, policy);
    ring.push(1);
    EXPECT_FALSE(ring.closed());
    ring.close();
    ring.close();
    EXPECT_TRUE(ring.closed());
    const auto refused = ring.push(2);
    EXPECT_EQ(refused.fate, Fate::refused);
    EXPECT_EQ(refused.back, 2U);
    EXPECT_EQ(ring.pop(), 1U);
    EXPECT_EQ(ring.pop(), kNoToken);
    EXPECT_EQ(dropped(ring.counts(), Cause::closed), 1U);
    expect_balance(ring.counts());
  }
}

// The same random calls on a queue give the same answers.
class FrameRingAgainstAQueue : public testing::TestWithParam<std::size_t> {};

TEST_P(FrameRingAgainstAQueue, AnswersTheSame) {
  const std::size_t capacity = GetParam();
  std::mt19937 random(static_cast<unsigned>(capacity));
  for (const Policy policy : {Policy::drop_oldest, Policy::latest, Policy::block}) {
    const std::size_t room = policy == Policy::latest ? 1 : capacity;
    FrameRing ring(capacity, policy);
    std::deque<Token> model;
    for (Token token = 1; token < 20'000; ++token) {
      if (random() % 2 == 0) {
        Token back = kNoToken;
        if (model.size() < room) {
          model.push_back(token);
        } else if (policy == Policy::block) {
          back = token;
        } else {
          back = model.front();
          model.pop_front();
          model.push_back(token);
        }
        ASSERT_EQ(ring.push(token).back, back);
      } else {
        const Token expected = model.empty() ? kNoToken : model.front();
        if (!model.empty()) model.pop_front();
        ASSERT_EQ(ring.pop(), expected);
      }
      ASSERT_EQ(ring.counts().queued, model.size());
    }
    if (policy != Policy::block) expect_balance(ring.counts());
  }
}

INSTANTIATE_TEST_SUITE_P(Capacities, FrameRingAgainstAQueue, testing::Values(1, 2, 3, 8, 100));

}  // namespace
}  // namespace mediacore::memory
