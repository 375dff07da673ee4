// Units whose memory is used again.
#include "io/recycler.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "io/unit.hpp"

namespace mediacore::io {
namespace {

TEST(Recycler, GivesTheSameBlockAgainAsNew) {
  Recycler<Unit> recycler;
  auto unit = recycler.take(5000);
  ASSERT_GE(unit->capacity(), 5000U);
  unit->data.assign(5000, 1);
  unit->is_key = true;
  unit->pts_us = unit->received_us = unit->complete_us = 3;
  unit->epoch = 2;
  const auto* const block = unit->data.data();
  unit.reset();
  unit = recycler.take(5001);
  EXPECT_TRUE(unit->data.empty());
  EXPECT_FALSE(unit->is_key);
  EXPECT_EQ(unit->pts_us + unit->received_us + unit->complete_us, 0);
  EXPECT_EQ(unit->epoch, 0U);
  unit->data.resize(5001);
  EXPECT_EQ(unit->data.data(), block);
}

TEST(Recycler, ASmallUnitDoesNotGetALargeBlock) {
  Recycler<Unit> recycler;
  recycler.take(200'000).reset();
  EXPECT_LT(recycler.take(5000)->capacity(), 10'000U);
}

// Each held 4 KiB: 8000 units of a still screen cost 35 MB.
TEST(Recycler, WhatIsSmallIsMadeToMeasure) {
  Recycler<Unit> recycler;
  EXPECT_EQ(recycler.take(203)->capacity(), 203U);
  EXPECT_EQ(recycler.take(0)->capacity(), 0U);
}

TEST(Recycler, HasRoomForAllSizes) {
  Recycler<Unit> recycler;
  for (std::size_t bytes = 0; bytes < 3'000'000; bytes += 4093) {
    for (int again = 0; again < 2; ++again) ASSERT_GE(recycler.take(bytes)->capacity(), bytes);
  }
}

TEST(Recycler, MayBeGoneBeforeItsUnits) {
  std::shared_ptr<Unit> unit;
  {
    Recycler<Unit> recycler;
    unit = recycler.take(100);
  }
  unit->data.assign(100, 1);
}

TEST(Recycler, UnitsAreLeftOnAnyThread) {
  Recycler<Unit> recycler;
  for (int i = 0; i < 100; ++i) {
    auto unit = recycler.take(5000);
    unit->data.assign(5000, static_cast<std::uint8_t>(i));
    std::thread([unit = std::move(unit)] { EXPECT_EQ(unit->data.size(), 5000U); }).join();
  }
}

}  // namespace
}  // namespace mediacore::io
