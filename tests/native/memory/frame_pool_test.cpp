#include "core/memory/frame_pool.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace mediacore::memory {
namespace {

TEST(FramePool, TakesSizesThatMakeSense) {
  EXPECT_TRUE(FramePool::valid(1, 1));
  EXPECT_TRUE(FramePool::valid(kMaxSlots, FramePool::kMaxBytes / kMaxSlots));
  EXPECT_FALSE(FramePool::valid(0, 1));
  EXPECT_FALSE(FramePool::valid(1, 0));
  EXPECT_FALSE(FramePool::valid(kMaxSlots + 1, 1));
  EXPECT_FALSE(FramePool::valid(2, FramePool::kMaxBytes));
}

TEST(FramePool, GivesEachSlotOnceAndThenNone) {
  FramePool pool(3, 1000);
  std::vector<Lease> leases;
  std::set<const std::uint8_t*> memory;
  for (int i = 0; i < 3; ++i) {
    leases.push_back(pool.acquire());
    ASSERT_TRUE(leases.back());
    EXPECT_EQ(leases.back().data().size(), 1000U);
    memory.insert(leases.back().data().data());
  }
  EXPECT_EQ(memory.size(), 3U);
  EXPECT_FALSE(pool.acquire());
  EXPECT_EQ(pool.exhausted(), 1U);
  EXPECT_EQ(pool.in_use(), 3U);
  leases.pop_back();
  EXPECT_EQ(pool.in_use(), 2U);
  EXPECT_TRUE(pool.acquire());
}

TEST(FramePool, ASharedSlotIsFreeAfterItsLastLease) {
  FramePool pool(1, 64);
  Lease first = pool.acquire();
  Lease second = first.share();
  std::fill(first.data().begin(), first.data().end(), std::uint8_t{7});
  first.reset();
  EXPECT_FALSE(pool.acquire()) << "it is still read";
  EXPECT_EQ(second.data()[63], 7);
  second.reset();
  EXPECT_TRUE(pool.acquire());
}

TEST(FramePool, RefusesHandlesOfSlotsThatWereGivenBack) {
  FramePool pool(1, 64);
  Lease lease = pool.acquire();
  const Handle old = lease.handle();
  EXPECT_TRUE(pool.live(old));
  lease.reset();
  EXPECT_FALSE(pool.live(old));
  EXPECT_FALSE(pool.release(old)) << "given back twice";
  EXPECT_FALSE(pool.retain(old));
  const Lease next = pool.acquire();
  EXPECT_NE(next.handle(), old) << "the same slot, another generation";
  EXPECT_FALSE(pool.release(old)) << "an old handle must not free the new holder's slot";
  EXPECT_FALSE(pool.release(kNoToken));
  EXPECT_FALSE(pool.release(77)) << "no such slot";
  EXPECT_EQ(pool.in_use(), 1U);
}

TEST(FramePool, ALeaseKeepsItsPool) {
  auto pool = std::make_shared<FramePool>(1, 64);
  const std::weak_ptr<FramePool> watched = pool;
  auto lease = std::make_unique<SharedLease>(pool, pool->acquire());
  pool.reset();
  ASSERT_FALSE(watched.expired());
  (*lease)->data()[0] = 1;
  lease.reset();
  EXPECT_TRUE(watched.expired());
}

TEST(FramePool, KeepsWhatASlotHolds) {
  FramePool pool(2, 64);
  Lease one = pool.acquire();
  one.info() = {.width = 4, .height = 3, .stride = 8, .bt601 = true, .pts_us = 5};
  const Lease moved = std::move(one);
  EXPECT_EQ(moved.info().height, 3U);
  EXPECT_EQ(moved.info().bytes(), 8U * 3 + 4U * 2 * 2);
}

// What a page fault costs is several times the copy of a page: after the pool is made there are none.
TEST(FramePool, TouchesNoNewPage) {
  constexpr std::size_t kBytes = std::size_t{1} << 20;
  FramePool pool(4, kBytes);
  const auto faults = [] {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt;
  };
  const auto round = [&pool] {
    const Lease one = pool.acquire();
    const Lease other = pool.acquire();
    std::memset(one.data().data(), 1, kBytes);
    std::memset(other.data().data(), 2, kBytes);
  };
  round();
  const auto before = faults();
  for (int i = 0; i < 100; ++i) round();
  // 51,200 pages were written. A sanitizer's own memory may cost a few.
  EXPECT_LT(faults() - before, 50);
}

}  // namespace
}  // namespace mediacore::memory
