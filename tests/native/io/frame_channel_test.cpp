#include "io/frame_channel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "io/clock.hpp"

namespace mediacore::io {
namespace {

using memory::Cause;
using memory::FramePool;
using memory::Lease;
using memory::Policy;
using memory::RingCounts;
using memory::SharedLease;

constexpr std::int64_t kLong = 30'000'000;  // a test that waits this long has failed

std::int64_t soon() {
  return monotonic_us() + kLong;
}

void expect_balance(const RingCounts& counts) {
  EXPECT_EQ(counts.pushed,
            std::accumulate(counts.dropped.begin(), counts.dropped.end(), counts.delivered + counts.queued));
}

std::uint64_t dropped(const RingCounts& counts, Cause cause) {
  return counts.dropped[static_cast<std::size_t>(cause)];
}

void fill(std::span<std::uint8_t> bytes, std::int64_t number) {
  std::fill(bytes.begin(), bytes.end(), static_cast<std::uint8_t>(number));
}

bool is_filled(std::span<const std::uint8_t> bytes, std::int64_t number) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [=](std::uint8_t byte) { return byte == static_cast<std::uint8_t>(number); });
}

// A decode thread writes pictures, an encoder thread reads them with leases that it keeps for a while: no picture is torn,
// none is lost without a count, and no slot stays away.
class FrameChannelThreads : public testing::TestWithParam<std::pair<Policy, std::size_t>> {};

TEST_P(FrameChannelThreads, CarryWholePicturesAndCountAll) {
  constexpr std::int64_t kFrames = 20'000;
  constexpr std::size_t kKept = 3;
  const auto [policy, capacity] = GetParam();
  const auto pool = std::make_shared<FramePool>(capacity + kKept + 2, 512);
  FrameChannel channel(capacity, policy, pool);
  std::jthread producer([&] {
    for (std::int64_t number = 1; number <= kFrames; ++number) {
      Lease frame = channel.acquire();
      if (!frame) continue;
      fill(frame.data(), number);
      frame.info().pts_us = number;
      channel.push(std::move(frame), soon());
    }
    channel.close();
  });
  std::vector<Lease> kept;
  std::uint64_t delivered = 0;
  std::int64_t last = 0;
  while (Lease frame = channel.pop_until(soon())) {
    ++delivered;
    ASSERT_GT(frame.info().pts_us, last);
    last = frame.info().pts_us;
    kept.push_back(std::move(frame));
    if (kept.size() == kKept) {
      // The oldest has been kept while others were written.
      ASSERT_TRUE(is_filled(kept.front().data(), kept.front().info().pts_us)) << "torn";
      kept.erase(kept.begin());
    }
  }
  producer.join();
  ASSERT_TRUE(channel.closed());
  const RingCounts counts = channel.ring().counts();
  EXPECT_EQ(counts.pushed, static_cast<std::uint64_t>(kFrames));
  EXPECT_EQ(counts.delivered, delivered);
  EXPECT_EQ(counts.queued, 0U);
  EXPECT_EQ(dropped(counts, Cause::pool_exhausted), 0U) << "the pool was large enough";
  EXPECT_EQ(dropped(counts, Cause::deadline), 0U);
  if (policy == Policy::block) {
    EXPECT_EQ(delivered, counts.pushed);
  }
  expect_balance(counts);
  kept.clear();
  EXPECT_EQ(pool->in_use(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Policies, FrameChannelThreads,
                         testing::Values(std::pair(Policy::drop_oldest, 1), std::pair(Policy::drop_oldest, 2),
                                         std::pair(Policy::drop_oldest, 8), std::pair(Policy::latest, 1),
                                         std::pair(Policy::block, 1), std::pair(Policy::block, 4)));

TEST(FrameChannel, GivesUpAtTheDeadline) {
  const auto pool = std::make_shared<FramePool>(4, 64);
  FrameChannel channel(1, Policy::block, pool);
  EXPECT_TRUE(channel.push(channel.acquire()));
  const std::int64_t began_us = monotonic_us();
  EXPECT_FALSE(channel.push(channel.acquire(), began_us + 20'000));
  EXPECT_GE(monotonic_us() - began_us, 20'000);
  EXPECT_EQ(dropped(channel.ring().counts(), Cause::deadline), 1U);
  EXPECT_FALSE(channel.push(channel.acquire(), 0)) << "a deadline that has passed: no wait";
  EXPECT_EQ(pool->in_use(), 1U) << "what was not taken is in the pool again";
  expect_balance(channel.ring().counts());
}

TEST(FrameChannel, CountsWhatFoundNoSlot) {
  const auto pool = std::make_shared<FramePool>(1, 64);
  FrameChannel channel(4, Policy::drop_oldest, pool);
  EXPECT_TRUE(channel.push(channel.acquire()));
  EXPECT_FALSE(channel.acquire());
  EXPECT_EQ(dropped(channel.ring().counts(), Cause::pool_exhausted), 1U);
  expect_balance(channel.ring().counts());
}

TEST(FrameChannel, ClosingWakesBothSides) {
  const auto pool = std::make_shared<FramePool>(4, 64);
  FrameChannel empty(1, Policy::drop_oldest, pool);
  FrameChannel full(1, Policy::block, pool);
  ASSERT_TRUE(full.push(full.acquire()));
  std::atomic<int> woken{0};
  std::jthread consumer([&] { woken += empty.pop_until(soon()) ? 0 : 1; });
  Lease waiting = full.acquire();
  std::jthread producer([&] { woken += full.push(std::move(waiting), soon()) ? 0 : 1; });
  empty.close();
  full.close();
  consumer.join();
  producer.join();
  EXPECT_EQ(woken.load(), 2);
  EXPECT_EQ(dropped(full.ring().counts(), Cause::closed), 1U);
  EXPECT_TRUE(full.pop_until(0)) << "what was queued is still delivered";
  EXPECT_FALSE(full.pop_until(soon())) << "and then nothing, at once";
}

TEST(FrameChannel, ALeaseOutlivesItsChannel) {
  auto pool = std::make_shared<FramePool>(3, 64);
  const std::weak_ptr<FramePool> watched = pool;
  auto channel = std::make_unique<FrameChannel>(2, Policy::drop_oldest, pool);
  for (const int number : {1, 2}) {
    Lease frame = channel->acquire();
    fill(frame.data(), number);
    channel->push(std::move(frame));
  }
  auto lease = std::make_unique<SharedLease>(channel->pool(), channel->pop_until(0));
  channel.reset();
  EXPECT_EQ(pool->in_use(), 1U) << "what was queued is in the pool again";
  pool.reset();
  ASSERT_FALSE(watched.expired());
  EXPECT_TRUE(is_filled((*lease)->data(), 1));
  lease.reset();
  EXPECT_TRUE(watched.expired());
}

TEST(Doorbell, RingsOnlyForASleeper) {
  Doorbell bell;
  bell.ring();
  bell.arm();
  EXPECT_EQ(bell.wait(monotonic_us()), Doorbell::Woken::late) << "nobody slept when it was rung";
  bell.arm();
  bell.ring();
  bell.ring();
  EXPECT_EQ(bell.wait(soon()), Doorbell::Woken::rung);
  bell.arm();
  EXPECT_EQ(bell.wait(0), Doorbell::Woken::late) << "the second ring found nobody asleep";
}

}  // namespace
}  // namespace mediacore::io
