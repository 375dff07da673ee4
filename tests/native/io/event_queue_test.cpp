#include "io/event_queue.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <thread>

#include "io/delays.hpp"
#include "io/rate.hpp"
#include "io/snapshot.hpp"

namespace mediacore::io {
namespace {

bool is_readable(const EventQueue& queue) {
  pollfd wait{queue.descriptor(), POLLIN, 0};
  return poll(&wait, 1, 0) == 1;
}

TEST(EventQueue, IsReadableWhenThereAreEvents) {
  EventQueue queue;
  EXPECT_FALSE(is_readable(queue));
  queue.post(TapEnded{1});
  queue.post(TapEnded{2});
  EXPECT_TRUE(is_readable(queue));
  EXPECT_EQ(queue.take().size(), 2U);
  EXPECT_FALSE(is_readable(queue));
  EXPECT_TRUE(queue.take().empty());
}

TEST(EventQueue, WhatRepeatsIsThereOnceWithItsNewestValues) {
  EventQueue queue;
  for (int i = 0; i < 100; ++i) {
    queue.post(KeyFrameWanted{1});
    queue.post(KeyFrameWanted{2});
    queue.post(ViewerSilent{.viewer = 3, .silent_us = i});
    queue.post(TapReady{3});
  }
  auto events = queue.take();
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(std::get<ViewerSilent>(events[2]).silent_us, 99);
  queue.post(KeyFrameWanted{1});
  EXPECT_EQ(queue.take().size(), 1U) << "taken, so it is news again";
}

TEST(EventQueue, KeepsTheLastDescriptions) {
  EventQueue queue;
  for (std::uint32_t epoch = 1; epoch <= 20; ++epoch) {
    queue.post(
        Description{.rendition = 1, .width = 1, .height = 1, .profile_level_id = "", .epoch = epoch, .pts_us = 0});
  }
  const auto events = queue.take();
  ASSERT_EQ(events.size(), EventQueue::kDescriptions);
  EXPECT_EQ(std::get<Description>(events.front()).epoch, 1U);
  EXPECT_EQ(std::get<Description>(events.back()).epoch, 20U);
}

TEST(EventQueue, BoundsDatagrams) {
  EventQueue queue;
  const auto post = [&queue](Id viewer, const std::shared_ptr<ViewerShared>& shared) {
    return queue.post_datagram({.viewer = viewer, .from = {}, .data = {1}, .shared = shared});
  };
  std::vector<std::shared_ptr<ViewerShared>> viewers;
  std::size_t taken = 0;
  for (Id viewer = 1; viewer <= 100; ++viewer) {
    viewers.push_back(std::make_shared<ViewerShared>());
    for (std::size_t i = 0; i < EventQueue::kDatagramsPerViewer + 1; ++i) taken += post(viewer, viewers.back());
  }
  EXPECT_EQ(taken, EventQueue::kDatagrams);
  EXPECT_EQ(viewers[0]->quota_drops, 1U);
  EXPECT_EQ(viewers[0]->datagrams_up, EventQueue::kDatagramsPerViewer);
  EXPECT_EQ(queue.figures().datagrams, EventQueue::kDatagrams);
  EXPECT_EQ(queue.figures().quota_drops, 100 * (EventQueue::kDatagramsPerViewer + 1) - EventQueue::kDatagrams);
  queue.post(TapEnded{7});
  EXPECT_EQ(queue.take().size(), EventQueue::kDatagrams + 1) << "state events have no such bound";
  EXPECT_TRUE(post(1, viewers[0]));
}

TEST(EventQueue, LosesNoWakeUp) {
  EventQueue queue;
  constexpr std::size_t kEvents = 20'000;
  std::thread poster([&queue] {
    for (Id id = 1; id <= kEvents; ++id) queue.post(TapEnded{id});
  });
  std::size_t taken = 0;
  while (taken < kEvents) {
    pollfd wait{queue.descriptor(), POLLIN, 0};
    ASSERT_EQ(poll(&wait, 1, 5000), 1) << "after " << taken;
    taken += queue.take().size();
  }
  poster.join();
}

TEST(Snapshot, IsReadWhole) {
  struct Values {
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    std::uint64_t c = 0;
  };
  Snapshot<Values> snapshot;
  std::atomic<bool> go{true};
  std::thread writer([&] {
    for (std::uint64_t i = 0; go; ++i) snapshot.write({i, 2 * i, 3 * i});
  });
  for (int i = 0; i < 20'000; ++i) {
    const Values values = snapshot.read();
    ASSERT_EQ(values.b, 2 * values.a);
    ASSERT_EQ(values.c, 3 * values.a);
  }
  go = false;
  writer.join();
}

TEST(Delays, KnowTheNewest) {
  Delays delays;
  EXPECT_EQ(delays.figures().p50_us, -1);
  for (std::int64_t i = 0; i < 1000; ++i) delays.add(i < 744 ? 1'000'000 : i - 744);
  const auto figures = delays.figures();
  EXPECT_EQ(figures.p50_us, 127);
  EXPECT_EQ(figures.p95_us, 242);
  delays.add(-5);
  EXPECT_GE(delays.figures().p50_us, 0);
}

TEST(Rate, CountsTheLastTwoSeconds) {
  Rate rate;
  constexpr std::int64_t kStartUs = 1'000'000'000;
  EXPECT_EQ(rate.measure(kStartUs).units, 0);
  for (std::int64_t i = 0; i < 30; ++i) rate.add(kStartUs + i * 33'333, 1000);
  const auto first = rate.measure(kStartUs + 1'000'000);
  EXPECT_NEAR(first.units, 30, 0.5) << "divided by the time since it began";
  EXPECT_NEAR(first.bits, 240'000, 4000);
  EXPECT_NEAR(rate.measure(kStartUs + 2'000'000).units, 15, 2);
  EXPECT_EQ(rate.measure(kStartUs + 3'200'000).units, 0);
  rate.add(kStartUs + 100'000'000, 1000);
  EXPECT_NEAR(rate.measure(kStartUs + 100'000'000).units, 0.5, 0.01);
}

}  // namespace
}  // namespace mediacore::io
