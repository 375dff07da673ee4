#include "core/egress/token_bucket.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace mediacore::egress {
namespace {

TEST(TokenBucket, IsFullAtFirstAndFillsAtItsRate) {
  TokenBucket bucket(8'000'000, 3000);  // a byte per µs
  EXPECT_TRUE(bucket.has(3000));
  bucket.take(3000);
  EXPECT_FALSE(bucket.has(1));
  EXPECT_EQ(bucket.wait_us(1200), 1200);
  bucket.refill(1199);
  EXPECT_FALSE(bucket.has(1200));
  EXPECT_EQ(bucket.wait_us(1200), 1);
  bucket.refill(1);
  EXPECT_TRUE(bucket.has(1200));
  EXPECT_EQ(bucket.wait_us(1200), 0);
}

TEST(TokenBucket, HoldsNoMoreThanItsCapacity) {
  TokenBucket bucket(8'000'000, 3000);
  bucket.take(1);
  bucket.refill(std::numeric_limits<std::int64_t>::max());
  EXPECT_TRUE(bucket.has(3000));
  bucket.take(3000);
  EXPECT_FALSE(bucket.has(1));
}

TEST(TokenBucket, FractionsOfABytePerMicrosecondAddUp) {
  TokenBucket bucket(1'000'000, 1000);  // a byte in 8 µs
  bucket.take(1000);
  for (int i = 0; i < 7; ++i) bucket.refill(1);
  EXPECT_FALSE(bucket.has(1));
  bucket.refill(1);
  EXPECT_TRUE(bucket.has(1));
  EXPECT_FALSE(bucket.has(2));
}

TEST(TokenBucket, WhatIsLargerThanTheCapacityLeavesWhenItIsFull) {
  TokenBucket bucket(8'000'000, 500);
  EXPECT_TRUE(bucket.has(1500));
  bucket.take(1500);
  EXPECT_FALSE(bucket.has(1500));
  EXPECT_EQ(bucket.wait_us(1500), 500);
  bucket.refill(500);
  EXPECT_TRUE(bucket.has(1500));
}

TEST(TokenBucket, ASmallerCapacityTakesEffectAtOnce) {
  TokenBucket bucket(8'000'000, 3000);
  bucket.set(8'000'000, 1000);
  bucket.take(1000);
  EXPECT_FALSE(bucket.has(1));
  bucket.set(8'000'000, 3000);
  EXPECT_FALSE(bucket.has(1));
}

TEST(TokenBucket, TimeThatGoesBackGivesNothing) {
  TokenBucket bucket(8'000'000, 3000);
  bucket.take(3000);
  bucket.refill(-5000);
  EXPECT_FALSE(bucket.has(1));
  EXPECT_EQ(bucket.wait_us(3000), 3000);
}

TEST(TokenBucket, WithoutARateItNeverFills) {
  TokenBucket bucket(0, 3000);
  bucket.take(3000);
  bucket.refill(1'000'000'000);
  EXPECT_FALSE(bucket.has(1));
  EXPECT_EQ(bucket.wait_us(1), std::numeric_limits<std::int64_t>::max());
}

TEST(TokenBucket, LimitsHoldAtTheExtremes) {
  TokenBucket bucket(std::numeric_limits<std::uint64_t>::max(), std::numeric_limits<std::size_t>::max());
  EXPECT_TRUE(bucket.has(TokenBucket::kMostBytes));
  bucket.take(std::numeric_limits<std::size_t>::max());
  EXPECT_FALSE(bucket.has(1));
  EXPECT_EQ(bucket.wait_us(TokenBucket::kMostBytes), 8590);  // 2^30 bytes at 1 Tbit/s
  bucket.refill(8590);
  EXPECT_TRUE(bucket.has(TokenBucket::kMostBytes));
}

}  // namespace
}  // namespace mediacore::egress
