// Waiting for descriptors and for times.
#include "io/poller.hpp"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/clock.hpp"

namespace mediacore::io {
namespace {

// Far more than a wait takes on a busy machine.
constexpr std::int64_t kLongUs = 20'000'000;

// What has something to read at once.
Descriptor ready() {
  return Descriptor(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
}

// The time that a turn had taken was waited for once more.
TEST(Poller, ADeadlineIsATimeOfTheClock) {
  Poller poller;
  const std::int64_t passed_us = monotonic_us() - kLongUs;
  EXPECT_TRUE(poller.wait(passed_us, passed_us - kLongUs).empty());
  EXPECT_LT(monotonic_us(), passed_us + 2 * kLongUs);
  const std::int64_t soon_us = monotonic_us() + 3'000;
  EXPECT_TRUE(poller.wait(soon_us, 0).empty());
  EXPECT_GE(monotonic_us(), soon_us);
}

TEST(Poller, ASourceEndsAWaitFromItsTimeOn) {
  Poller poller;
  const Descriptor source = ready();
  poller.add_source(source.get(), 7);
  const auto now = poller.wait(kNever, 0);
  ASSERT_EQ(now.size(), 1U);
  EXPECT_EQ(now[0].data.u64, 7U);
  EXPECT_FALSE(poller.held_back());
  const std::int64_t from_us = monotonic_us() + 100'000;
  const auto later = poller.wait(kNever, from_us);
  ASSERT_EQ(later.size(), 1U);
  EXPECT_GE(monotonic_us(), from_us);
  EXPECT_TRUE(poller.held_back());
}

TEST(Poller, WhatIsUrgentShowsSourcesToo) {
  Poller poller;
  const Descriptor source = ready();
  const Descriptor urgent = ready();
  poller.add_source(source.get(), 7);
  poller.add(urgent.get(), 8);
  const std::int64_t from_us = monotonic_us() + kLongUs;
  EXPECT_EQ(poller.wait(kNever, from_us).size(), 2U);
  EXPECT_LT(monotonic_us(), from_us);
  EXPECT_TRUE(poller.held_back());
}

}  // namespace
}  // namespace mediacore::io
