#include "core/rtp/payload_limits.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "bytes.hpp"

namespace mediacore::rtp {
namespace {

std::vector<std::size_t> all_of(FragmentSizes sizes) {
  std::vector<std::size_t> all;
  while (!sizes.done()) all.push_back(sizes.next());
  return all;
}

using Sizes = std::vector<std::size_t>;

TEST(FragmentSizes, EqualWithAShorterLast) {
  EXPECT_EQ(all_of({1201, 1198, 0, 0, 2, Split::equal}), (Sizes{601, 600}));
  EXPECT_EQ(all_of({10, 4, 0, 0, 2, Split::equal}), (Sizes{4, 4, 2}));
  EXPECT_EQ(all_of({5, 100, 0, 0, 2, Split::equal}), (Sizes{3, 2}));
  EXPECT_EQ(all_of({11, 3, 0, 0, 1, Split::equal}), (Sizes{3, 3, 3, 2}));
}

TEST(FragmentSizes, BalancedWithTheLargerLast) {
  EXPECT_EQ(all_of({1201, 1198, 0, 0, 2, Split::balanced}), (Sizes{600, 601}));
  EXPECT_EQ(all_of({1198, 1198, 4, 0, 2, Split::balanced}), (Sizes{597, 601}));
  EXPECT_EQ(all_of({1198, 1198, 0, 4, 2, Split::balanced}), (Sizes{601, 597}));
  EXPECT_EQ(all_of({11, 3, 0, 0, 1, Split::balanced}), (Sizes{2, 3, 3, 3}));
}

TEST(FragmentSizes, AVeryLargeFrameHasNoEmptyPart) {
  // 2000 parts of 5: with the size rounded up fewer are needed than with the size rounded down.
  const Sizes sizes = all_of({8001, 5, 0, 0, 2, Split::equal});
  EXPECT_EQ(std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}), 8001U);
  for (const std::size_t size : sizes) EXPECT_GE(size, 1U);
}

// Whatever the numbers: all bytes, no part above its room, at least so many parts.
TEST(FragmentSizes, KeepTheirPromisesForAllSmallNumbers) {
  for (std::size_t payload = 8; payload <= 40; payload += 4) {
    for (std::size_t first = 0; first <= payload / 4; ++first) {
      for (std::size_t last = 0; first + last <= payload / 4; ++last) {
        const PayloadLimits limits{payload, first, last};
        ASSERT_TRUE(limits.valid(5));
        for (std::size_t bytes = limits.room(true, true) - 1; bytes < 5 * payload; ++bytes) {
          for (const Split split : {Split::equal, Split::balanced}) {
            const std::size_t capacity = payload - 2;
            const Sizes sizes = all_of({bytes, capacity, first, last, 2, split});
            ASSERT_GE(sizes.size(), 2U);
            ASSERT_EQ(std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}), bytes);
            ASSERT_LE(sizes.front(), capacity - first);
            ASSERT_LE(sizes.back(), capacity - last);
            for (const std::size_t size : sizes) ASSERT_TRUE(size >= 1 && size <= capacity);
          }
        }
      }
    }
  }
}

TEST(PayloadLimits, RoomAndValidity) {
  const PayloadLimits limits{200, 20, 30};
  EXPECT_EQ(limits.room(true, false), 180U);
  EXPECT_EQ(limits.room(false, true), 170U);
  EXPECT_EQ(limits.room(false, false), 200U);
  EXPECT_EQ(limits.room(true, true), 150U);
  EXPECT_TRUE(limits.valid(5));
  EXPECT_FALSE(limits.valid(201));
  EXPECT_FALSE((PayloadLimits{200, 51}.valid(5)));
  EXPECT_FALSE((PayloadLimits{200, 30, 30}.valid(5)));
  EXPECT_FALSE((PayloadLimits{200, 0, 0, 51}.valid(5)));
  EXPECT_FALSE((PayloadLimits{65'496}.valid(5)));
  // Sums that wrap around are no way in.
  EXPECT_FALSE((PayloadLimits{200, static_cast<std::size_t>(-1), 2}.valid(5)));
}

TEST(PayloadBuffer, KeepsItsMemoryAndLeavesHeadroom) {
  PayloadBuffer payloads(12);
  for (int round = 0; round < 3; ++round) {
    payloads.clear();
    for (std::size_t size = 1; size < 400; ++size)
      std::fill_n(payloads.add(size), size, static_cast<std::uint8_t>(size));
    ASSERT_EQ(payloads.size(), 399U);
    for (std::size_t size = 1; size < 400; ++size) {
      ASSERT_EQ(testing::to_buffer(payloads[size - 1]), testing::Buffer(size, static_cast<std::uint8_t>(size)));
      ASSERT_EQ(payloads.packet(size - 1).size(), 12 + size);
    }
  }
}

}  // namespace
}  // namespace mediacore::rtp
