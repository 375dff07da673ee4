// Sources, pushes and taps of the media loop.
#include <gtest/gtest.h>

#include "io/clock.hpp"
#include "loop_fixture.hpp"
#include "streams.hpp"

namespace mediacore::io::testing {
namespace {

using h264::operator+;
using Bytes = std::vector<std::uint8_t>;

class LoopSource : public LoopTest {
 protected:
  std::vector<Bytes> data_of(const std::vector<UnitRef>& units) {
    std::vector<Bytes> data;
    for (const UnitRef& unit : units) data.push_back(unit->data);
    return data;
  }
};

TEST_F(LoopSource, GivesWholeUnitsWithTheTimeOfTheirFirstByte) {
  const Id rendition = add_rendition();
  const Id tap = loop.add_tap(rendition, 64, false);
  Device device;
  const std::int64_t before_us = testing::monotonic_us();
  const Id source = add_source(rendition, device);
  const Bytes key = key_unit();
  device.write(std::span(key).first(20));
  device.write(std::span(key).subspan(20));
  const auto first = take(tap, 1);  // by the pause alone: nothing follows
  ASSERT_EQ(first.size(), 1U);
  const std::int64_t after_us = testing::monotonic_us();
  device.write(delta_unit(1) + delta_unit(2));
  const auto others = take(tap, 2);
  ASSERT_EQ(others.size(), 2U);

  EXPECT_EQ(data_of(first), std::vector<Bytes>({key}));
  EXPECT_EQ(data_of(others), std::vector<Bytes>({delta_unit(1), delta_unit(2)}));
  EXPECT_TRUE(first[0]->is_key);
  EXPECT_FALSE(others[0]->is_key);
  EXPECT_GE(first[0]->received_us, before_us);
  EXPECT_LE(first[0]->received_us, after_us);
  EXPECT_EQ(first[0]->pts_us, first[0]->received_us);
  EXPECT_GT(others[1]->pts_us, others[0]->pts_us) << "two units of one burst need different times";
  EXPECT_EQ(first[0]->epoch, 1U);

  const auto current = wait_for<SourceCurrent>();
  ASSERT_TRUE(current);
  EXPECT_EQ(current->source, source);
  const auto description = wait_for<Description>();
  ASSERT_TRUE(description);
  EXPECT_EQ(description->width, 320U);
  EXPECT_EQ(description->height, 240U);
  EXPECT_EQ(description->profile_level_id, "4d001f");
  EXPECT_EQ(description->epoch, 1U);
  EXPECT_EQ(description->pts_us, first[0]->pts_us);
  // The tap has the units before the thread has told its figures.
  EXPECT_TRUE(eventually([&] { return loop.source_figures(source)->units == 3; }));
  const auto figures = loop.source_figures(source);
  ASSERT_TRUE(figures);
  EXPECT_EQ(figures->key_frames, 1U);
  EXPECT_EQ(figures->bytes, key.size() + 2 * delta_unit(1).size());
}

TEST_F(LoopSource, PutsParameterSetsBeforeKeyFrames) {
  const Id rendition = add_rendition();
  const Id tap = loop.add_tap(rendition, 64, false);
  Device device;
  add_source(rendition, device);
  device.write(key_unit() + delta_unit(1) + idr(40, 1) + delta_unit(1));
  const auto units = take(tap, 4);
  ASSERT_EQ(units.size(), 4U);
  EXPECT_EQ(units[2]->data, parameter_sets() + idr(40, 1));
}

TEST_F(LoopSource, WaitsForAKeyFrameWithItsParameterSets) {
  const Id rendition = add_rendition();
  const Id tap = loop.add_tap(rendition, 64, false);
  Device device;
  const Id source = add_source(rendition, device);
  device.write(parameter_sets() + delta_unit(3) + delta_unit(4) + key_unit() + delta_unit(1));
  const auto units = take(tap, 2);
  ASSERT_EQ(units.size(), 2U);
  EXPECT_TRUE(units[0]->is_key);
  EXPECT_TRUE(eventually([&] { return loop.source_figures(source)->units == 2; }));
  EXPECT_EQ(loop.source_figures(source)->before_key, 2U);
}

TEST_F(LoopSource, TheNextSourceTakesOverAtItsKeyFrame) {
  const Id rendition = add_rendition();
  const Id tap = loop.add_tap(rendition, 64, false);
  Device former;
  const Id first = add_source(rendition, former);
  former.write(key_unit() + delta_unit(1));
  ASSERT_EQ(take(tap, 2).size(), 2U);
  Device next;
  const Id second = add_source(rendition, next, 2000, first);
  former.write(delta_unit(2));  // the former goes on until then
  ASSERT_EQ(take(tap, 1).size(), 1U);
  ASSERT_TRUE(wait_for<SourceCurrent>());
  next.write(key_unit(40, 30));
  const auto units = take(tap, 1);
  ASSERT_EQ(units.size(), 1U);
  EXPECT_EQ(units[0]->epoch, 2U);
  const auto current = wait_for<SourceCurrent>();
  ASSERT_TRUE(current);
  EXPECT_EQ(current->source, second);
  EXPECT_EQ(current->epoch, 2U);
  const auto ended = wait_for<SourceEnded>();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->source, first);
  EXPECT_STREQ(ended->reason, "superseded");
  EXPECT_TRUE(former.is_left());
  EXPECT_EQ(wait_for<Description>()->epoch, 1U);
  const auto description = wait_for<Description>();
  ASSERT_TRUE(description);
  EXPECT_EQ(description->width, 480U);
  EXPECT_EQ(description->epoch, 2U);
  EXPECT_TRUE(loop.source_figures(first)->ended);
}

// The later run is the one that was wanted: a source that was still waiting would have gone back to a former one.
TEST_F(LoopSource, AnEarlierSourceNeverTakesOverFromALaterOne) {
  const Id rendition = add_rendition();
  const Id tap = loop.add_tap(rendition, 64, false);
  Device earlier;
  const Id waiting = add_source(rendition, earlier);
  Device later;
  add_source(rendition, later);
  later.write(key_unit());
  ASSERT_EQ(take(tap, 1).size(), 1U);
  earlier.write(key_unit(40, 30));
  const auto ended = wait_for<SourceEnded>();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->source, waiting);
  EXPECT_STREQ(ended->reason, "superseded");
  EXPECT_TRUE(earlier.is_left());
  later.write(delta_unit(1));
  const auto units = take(tap, 1);
  ASSERT_EQ(units.size(), 1U);
  EXPECT_EQ(units[0]->data, delta_unit(1));
  EXPECT_EQ(units[0]->epoch, 1U);
}

// Each device cost two wake-ups a picture, so 16 clocks cost far more than one with as many viewers.
TEST_F(LoopSource, ACrowdOfSourcesSharesWakeUps) {
  constexpr std::size_t kDevices = 16;
  constexpr std::uint32_t kPictures = 40;
  std::vector<Device> devices(kDevices);
  std::vector<Id> taps;
  for (Device& device : devices) {
    const Id own = add_rendition();
    taps.push_back(loop.add_tap(own, 64, false));
    add_source(own, device);
    device.write(key_unit());
  }
  for (const Id tap : taps) ASSERT_EQ(take(tap, 1).size(), 1U);
  std::uint64_t before = 0;
  std::int64_t at_us = testing::monotonic_us();
  for (std::uint32_t picture = 0; picture < kPictures; ++picture) {
    if (picture == kPictures / 2) before = loop.figures().threads.wake_ups;
    for (Device& device : devices) {
      device.write(delta_unit(picture % 15 + 1));
      at_us += 1000;  // another time for each: this is what it is about
      while (testing::monotonic_us() < at_us) usleep(100);
    }
  }
  EXPECT_LT(loop.figures().threads.wake_ups - before, kDevices * kPictures * 3 / 4)
      << "two for each picture are as many as 640";
  for (const Id tap : taps) EXPECT_EQ(take(tap, kPictures).size(), kPictures);
}

TEST_F(LoopSource, TellsOfADamagedUnit) {
  const Id rendition = add_rendition();
  const Id tap = loop.add_tap(rendition, 64, false);
  Device device;
  const Id source = add_source(rendition, device);
  device.write(key_unit());
  ASSERT_EQ(take(tap, 1).size(), 1U);
  const Bytes unit = delta_unit(1, 400);
  device.write(std::span(unit).first(100));
  ASSERT_EQ(take(tap, 1).size(), 1U) << "the pause ended it";
  device.write(std::span(unit).subspan(100));
  const auto damaged = wait_for<SourceDamaged>();
  ASSERT_TRUE(damaged);
  EXPECT_EQ(damaged->source, source);
  ASSERT_TRUE(eventually([&] { return loop.source_figures(source)->cut_units == 1; }));
  EXPECT_EQ(loop.source_figures(source)->wrong_flushes, 1U);
}

TEST_F(LoopSource, TheEndOfAStreamIsToldWithItsWords) {
  const Id rendition = add_rendition();
  Device device;
  const Id source = add_source(rendition, device);
  const std::string words = "screenrecord: not found";
  device.write(std::span(reinterpret_cast<const std::uint8_t*>(words.data()), words.size()));
  device.close();
  const auto ended = wait_for<SourceEnded>();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->source, source);
  EXPECT_EQ(ended->error, 0);
  EXPECT_STREQ(ended->reason, "end");
  EXPECT_EQ(std::string(ended->head.begin(), ended->head.end()), words);
  EXPECT_TRUE(loop.source_figures(source)->ended) << "the last figures stay";
  remove(source);
  EXPECT_FALSE(loop.source_figures(source));
}

TEST_F(LoopSource, WhatEndsInTheMiddleOfAUnitIsNotHandedOn) {
  const Id rendition = add_rendition();
  const Id tap = loop.add_tap(rendition, 64, false);
  Device device;
  add_source(rendition, device, 1'000'000);
  const Bytes cut = delta_unit(1, 400);
  device.write(key_unit() + Bytes(cut.begin(), cut.begin() + 200));
  device.close();
  const auto ended = wait_for<SourceEnded>();
  ASSERT_TRUE(ended);
  EXPECT_TRUE(ended->head.empty()) << "there were units: no words";
  EXPECT_EQ(take(tap, 1).size(), 1U);
  EXPECT_EQ(loop.tap_figures(tap)->pushed, 1U);
}

TEST_F(LoopSource, IsClosedWithItsRendition) {
  const Id rendition = add_rendition();
  const Id tap = loop.add_tap(rendition, 64, true);
  Device device;
  const Id source = add_source(rendition, device);
  device.write(key_unit());
  ASSERT_EQ(take(tap, 1).size(), 1U);
  remove(rendition);
  EXPECT_TRUE(device.is_left());
  EXPECT_FALSE(loop.source_figures(source));
  EXPECT_FALSE(loop.rendition_figures(rendition));
  const auto ended = wait_for<TapEnded>();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->tap, tap);
  EXPECT_TRUE(loop.tap_figures(tap)) << "what is queued can still be taken";
  remove(tap);
  EXPECT_FALSE(loop.tap_figures(tap));
}

TEST_F(LoopSource, OfNoRenditionEndsAtOnce) {
  Device device;
  const Id source = add_source(kNobody, device);
  const auto ended = wait_for<SourceEnded>();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->source, source);
  EXPECT_TRUE(device.is_left());
}

TEST_F(LoopSource, AFloodDoesNotKeepOthersWaiting) {
  const Id rendition = add_rendition();
  const Id tap = loop.add_tap(rendition, 4096, false);
  Device flood;
  Device calm;
  const Id noisy = add_rendition();
  add_source(noisy, flood);
  add_source(rendition, calm);
  const Bytes noise(4 << 20, 0xff);
  flood.write(noise);
  calm.write(key_unit());
  EXPECT_EQ(take(tap, 1).size(), 1U);
}

// ---------------------------------------------------------------------------------------------- pushes

using LoopPush = LoopSource;

TEST_F(LoopPush, KeepsOrderAndTimes) {
  const Id rendition = add_rendition();
  const Id tap = loop.add_tap(rendition, 64, false);
  const std::int64_t start_us = testing::monotonic_us() + 50'000;
  ASSERT_TRUE(push(rendition, key_unit(), true, 1000, start_us));
  ASSERT_TRUE(push(rendition, delta_unit(1), false, 2000, start_us + 20'000));
  loop.new_epoch(rendition);
  ASSERT_TRUE(push(rendition, key_unit(), true, 3000)) << "without a time: at its place in the line";
  const auto units = take(tap, 3);
  const std::int64_t end_us = testing::monotonic_us();
  ASSERT_EQ(units.size(), 3U);
  EXPECT_EQ(units[0]->pts_us, 1000);
  EXPECT_EQ(units[1]->pts_us, 2000);
  EXPECT_EQ(units[2]->pts_us, 3000);
  EXPECT_EQ(units[0]->epoch, 1U);
  EXPECT_EQ(units[2]->epoch, 2U);
  constexpr std::int64_t kCoalesceUs = 1000;
  EXPECT_GE(units[0]->complete_us, start_us - kCoalesceUs);
  EXPECT_GE(units[1]->complete_us, start_us + 20'000 - kCoalesceUs);
  EXPECT_GE(end_us, start_us + 20'000 - kCoalesceUs);
}

TEST_F(LoopPush, IsRefusedWhenTooMuchIsAhead) {
  const Id rendition = add_rendition();
  const std::int64_t due_us = testing::monotonic_us() + 3'600'000'000;
  std::size_t units = 0;
  while (push(rendition, delta_unit(1), false, 0, due_us)) ++units;
  EXPECT_EQ(units, MediaLoop::kUnitsAhead);
  const Id other = add_rendition();
  std::size_t large = 0;
  while (push(other, Bytes(1 << 20), false, 0, due_us)) ++large;
  EXPECT_EQ(large, MediaLoop::kBytesAhead >> 20);
}

TEST_F(LoopPush, TakesMoreWhenSomethingHasLeft) {
  const Id rendition = add_rendition();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(eventually([&] { return push(rendition, Bytes(4 << 20, 1), false, i); })) << "they leave at once";
  }
}

TEST_F(LoopPush, DescribesStreamsThatDoNotDescribeThemselves) {
  const Id rendition = add_rendition(kReplayBytes, Codec::vp8);
  loop.describe(rendition, 640, 360);
  ASSERT_TRUE(push(rendition, Bytes(100, 1), true, 5000));
  const auto description = wait_for<Description>();
  ASSERT_TRUE(description);
  EXPECT_EQ(description->width, 640U);
  EXPECT_EQ(description->height, 360U);
  EXPECT_EQ(description->profile_level_id, "");
  EXPECT_EQ(description->pts_us, 5000);
  ASSERT_TRUE(push(rendition, Bytes(100, 1), true, 6000));
  settle();
  EXPECT_EQ(count<Description>(), 0U) << "nothing changed";
}

TEST_F(LoopPush, CountsWhatComesLate) {
  const Id rendition = add_rendition();
  ASSERT_TRUE(push(rendition, key_unit(), true, 0, testing::monotonic_us() - 1'000'000));
  ASSERT_TRUE(push(rendition, delta_unit(1), false, 0, testing::monotonic_us() + 1000));
  ASSERT_TRUE(eventually([&] { return loop.rendition_figures(rendition)->units == 2; }));
  EXPECT_GE(loop.rendition_figures(rendition)->late_units, 1U);
}

// ---------------------------------------------------------------------------------------------- taps

using LoopTap = LoopSource;

TEST_F(LoopTap, BeginsWithTheCachedPictures) {
  const Id rendition = add_rendition();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(push(rendition, i == 2 ? key_unit() : delta_unit(1), i == 2, i));
  const Id tap = loop.add_tap(rendition, 2, true);
  const auto units = take(tap, 8);
  ASSERT_EQ(units.size(), 8U) << "cached ones do not count";
  EXPECT_EQ(units[0]->pts_us, 2);
  const Id without = loop.add_tap(rendition, 4, false);
  ASSERT_TRUE(push(rendition, delta_unit(1), false, 10));
  ASSERT_TRUE(push(rendition, key_unit(), true, 11));
  const auto later = take(without, 1);
  ASSERT_EQ(later.size(), 1U);
  EXPECT_EQ(later[0]->pts_us, 11);
  EXPECT_EQ(loop.tap_figures(without)->dropped_before_key, 1U);
}

TEST_F(LoopTap, DropsTheOldestGroupAndCountsIt) {
  const Id rendition = add_rendition();
  const Id tap = loop.add_tap(rendition, 4, false);
  // Groups of two: the third group does not fit beside the first two.
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(push(rendition, i % 2 == 0 ? key_unit() : delta_unit(1), i % 2 == 0, i));
  settle();
  const auto units = take(tap, 4);
  ASSERT_EQ(units.size(), 4U);
  EXPECT_EQ(units[0]->pts_us, 2);
  EXPECT_EQ(units[3]->pts_us, 5);
  const auto figures = loop.tap_figures(tap);
  ASSERT_TRUE(figures);
  EXPECT_EQ(figures->pushed, 6U);
  EXPECT_EQ(figures->delivered, 4U);
  EXPECT_EQ(figures->dropped_slow, 2U);
  EXPECT_EQ(figures->queued, 0U);
}

TEST_F(LoopTap, WithOneLongGroupWantsAKeyFrame) {
  const Id rendition = add_rendition();
  const Id tap = loop.add_tap(rendition, 4, false);
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(push(rendition, i == 0 ? key_unit() : delta_unit(1), i == 0, i));
  const auto wanted = wait_for<KeyFrameWanted>();
  ASSERT_TRUE(wanted);
  EXPECT_EQ(wanted->rendition, rendition);
  ASSERT_TRUE(push(rendition, key_unit(), true, 7));
  const auto units = take(tap, 1);
  ASSERT_EQ(units.size(), 1U);
  EXPECT_EQ(units[0]->pts_us, 7);
  const auto figures = loop.tap_figures(tap);
  ASSERT_TRUE(figures);
  EXPECT_EQ(figures->dropped_slow, 5U);
  EXPECT_EQ(figures->dropped_before_key, 2U);
  EXPECT_EQ(figures->pushed, 8U);
}

TEST_F(LoopTap, IsToldOnceUntilItHasFoundNothing) {
  const Id rendition = add_rendition();
  const Id tap = loop.add_tap(rendition, 64, false);
  ASSERT_TRUE(push(rendition, key_unit(), true, 0));
  ASSERT_TRUE(wait_for<TapReady>());
  ASSERT_TRUE(push(rendition, delta_unit(1), false, 1));
  settle();
  EXPECT_EQ(count<TapReady>(), 0U) << "it was told, and has not taken";
  EXPECT_EQ(loop.take_packets(tap, 64)->size(), 2U);
  ASSERT_TRUE(push(rendition, delta_unit(2), false, 2));
  settle();
  EXPECT_EQ(count<TapReady>(), 0U) << "it has to find nothing first";
  EXPECT_EQ(loop.take_packets(tap, 64)->size(), 1U);
  EXPECT_TRUE(loop.take_packets(tap, 64)->empty());
  ASSERT_TRUE(push(rendition, delta_unit(3), false, 3));
  EXPECT_TRUE(wait_for<TapReady>());
}

}  // namespace
}  // namespace mediacore::io::testing
