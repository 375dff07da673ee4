// When one viewer's packets leave: bursts, key frames, replays, and a viewer that falls behind.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/egress/viewer_egress.hpp"
#include "viewer.hpp"

namespace mediacore::egress {
namespace {

using testing::at;
using testing::config;
using testing::delta_frame;
using testing::frame;
using testing::kAudio;
using testing::key_frame;
using testing::kVideo;
using testing::Loop;
using testing::Opened;
using testing::Sent;
using testing::unpaced;

constexpr double kUdpIpBytes = 28;

// The most that left beyond what the rate gives, over all spans of time, as a path counts it.
double largest_burst(const std::vector<Sent>& sent, double bps) {
  double largest = 0;
  for (std::size_t first = 0; first < sent.size(); ++first) {
    double bytes = 0;
    for (std::size_t last = first; last < sent.size(); ++last) {
      bytes += static_cast<double>(sent[last].bytes.size()) + kUdpIpBytes;
      largest = std::max(largest, bytes - bps / 8e6 * static_cast<double>(sent[last].us - sent[first].us));
    }
  }
  return largest;
}

std::int64_t took_us(const Loop& loop) {
  return loop.sink.sent.back().us - loop.sink.sent.front().us;
}

TEST(EgressPacing, NoBurstAboveBucketAndRateWhateverIsSent) {
  Loop loop(config());
  loop.report();
  loop.egress.set_rendition_rate(12'000'000);  // 18 Mb/s
  for (std::int64_t i = 0; i < 90; ++i) {
    loop.now_us = i * 33'333;
    if (i % 30 == 0) {
      loop.egress.send(key_frame(loop.now_us, 150), at(loop.now_us));
    } else {
      loop.egress.send(delta_frame(loop.now_us, i % 7 == 0 ? 30 : 8), at(loop.now_us));
    }
    loop.egress.send_audio(frame({.pts_us = loop.now_us, .payload_bytes = 160}), at(loop.now_us));
    loop.poll();
    std::vector<std::uint16_t> lost;
    lost.reserve(40);
    for (int back = 1; back < 40; ++back) lost.push_back(static_cast<std::uint16_t>(100 + i * 9 - back));
    loop.nack(lost);
    loop.run_until(loop.now_us + 33'000);
  }
  loop.drain();
  EXPECT_LE(largest_burst(loop.sink.sent, 18e6), 32'768);
  EXPECT_GT(largest_burst(loop.sink.sent, 18e6), 30'000) << "the bucket is used";
  EXPECT_GT(loop.egress.stats().retransmitted, 100U);
  EXPECT_EQ(loop.egress.stats().frames, 90U);
  EXPECT_EQ(loop.egress.stats().dropped_slow, 0U);
}

TEST(EgressPacing, AnOrdinaryFrameLeavesAtOnce) {
  Loop loop(config());
  loop.send(key_frame(0, 25));
  for (std::int64_t i = 1; i < 60; ++i) {
    loop.now_us = i * 33'333;
    loop.send(delta_frame(loop.now_us, 25));  // 27 kB at 6.5 Mb/s
    EXPECT_EQ(loop.egress.stats().queued_bytes, 0U) << i;
    EXPECT_FALSE(loop.egress.deadline_us());
  }
}

TEST(EgressPacing, AKeyFrameIsSpreadAndLeavesWhole) {
  Loop loop(config());
  loop.report();
  loop.send(key_frame(0, 200));
  loop.drain();
  EXPECT_EQ(loop.take(kVideo).size(), 200U);
}

TEST(EgressPacing, AKeyFrameTakesWhatTheRateSays) {
  Loop before(config());
  before.send(key_frame(0, 200));
  before.drain();
  const auto bytes = static_cast<double>(before.egress.stats().bytes) + 200 * kUdpIpBytes - 32'768;
  EXPECT_NEAR(static_cast<double>(took_us(before)), bytes * 8 / 25, 1'500);
  Loop after(config());
  after.report();
  after.send(key_frame(0, 200));
  after.drain();
  EXPECT_NEAR(static_cast<double>(took_us(after)), bytes * 8 / 10, 1'500);
}

TEST(EgressPacing, WithoutPacingEverythingLeavesAtOnce) {
  Loop loop(unpaced());
  loop.send(key_frame(0, 1'000));
  EXPECT_EQ(took_us(loop), 0);
  EXPECT_EQ(loop.take(kVideo).size(), 1'000U);
  EXPECT_FALSE(loop.egress.deadline_us());
}

TEST(EgressPacing, PacingCanBeSwitchedOffOnTheWay) {
  Loop loop(config());
  loop.send(key_frame(0, 200));
  EXPECT_TRUE(loop.egress.deadline_us());
  loop.egress.set_pacing({.enabled = false});
  loop.now_us = 10;
  loop.poll();
  EXPECT_EQ(loop.take(kVideo).size(), 200U);
}

TEST(EgressPacing, TheLowerRateAfterFeedbackHoldsFromThatMomentOn) {
  Loop loop(config());
  loop.send(key_frame(0, 300));  // 25 Mb/s, then 10
  loop.run_until(20'000);
  loop.sink.sent.clear();
  loop.report();
  loop.run_until(60'000);
  EXPECT_LE(largest_burst(loop.sink.sent, 10e6), 5'000);
}

TEST(EgressPacing, RetransmissionsGoBeforeVideo) {
  Loop loop(config());
  loop.send(key_frame(0, 200));
  loop.sink.sent.clear();
  loop.now_us = 300;
  EXPECT_TRUE(loop.nack({100, 105}).retransmits);
  loop.run_until(20'000);
  const auto packets = loop.take();
  ASSERT_GT(packets.size(), 4U);
  EXPECT_EQ(packets[0].header.ssrc, testing::kRtx);
  EXPECT_EQ(packets[1].header.ssrc, testing::kRtx);
  EXPECT_EQ(packets[2].header.ssrc, kVideo);
}

TEST(EgressPacing, AFirstPictureOf200kBLosesNothingOnALinkOfTheStartRate) {
  for (const bool hears : {false, true}) {
    EgressConfig given = config();
    given.pacing.start_rate_bps = 3'000'000;
    Loop loop(given);
    loop.egress.set_rendition_rate(2'000'000);
    loop.send(key_frame(0, 200));
    loop.run_until(100'000);
    if (hears) loop.report();
    loop.drain();
    // A queue of 300 ms before a link of 3 Mb/s.
    double queued = 0;
    double fullest = 0;
    std::int64_t then_us = 0;
    for (const Sent& one : loop.sink.sent) {
      queued = std::max(0.0, queued - 3.0 / 8 * static_cast<double>(one.us - then_us));
      queued += static_cast<double>(one.bytes.size()) + kUdpIpBytes;
      fullest = std::max(fullest, queued);
      then_us = one.us;
    }
    EXPECT_LE(fullest, 112'500) << (hears ? "feedback after 100 ms" : "no feedback");
    EXPECT_EQ(loop.take(kVideo).size(), 200U);
  }
}

TEST(EgressPacing, WakeUpsArePerMillisecondNotPerPacket) {
  EgressConfig given = config();
  given.pacing.start_rate_bps = 40'000'000;  // 100 Mb/s at first: 12 packets in 1 ms
  Loop loop(given);
  loop.egress.send(key_frame(0, 1'000), at(0));
  loop.poll();
  int wake_ups = 0;
  while (const auto deadline = loop.egress.deadline_us()) {
    loop.now_us = *deadline;
    loop.poll();
    ++wake_ups;
  }
  EXPECT_NEAR(wake_ups, static_cast<double>(took_us(loop)) / 1'000, 6);
}

TEST(EgressReplay, FramesAreShownAtOnce) {
  Loop loop(config());
  std::vector<FrameRef> frames{key_frame(1'000'000, 3)};
  frames.reserve(50);
  for (std::int64_t i = 1; i < 10; ++i) frames.push_back(delta_frame(1'000'000 + i * 40'000));
  loop.now_us = 5'000'000;
  loop.egress.replay(frames, at(loop.now_us));
  loop.poll();
  EXPECT_FALSE(loop.egress.waits_for_key());
  const auto packets = loop.take(kVideo);
  ASSERT_EQ(packets.size(), 12U);
  const std::uint32_t last = 1'000 + 1'360 * 90;  // its own
  EXPECT_EQ(packets.back().header.timestamp.value, last);
  for (std::uint32_t i = 0; i < 10; ++i) {
    EXPECT_EQ(packets[2 + i].header.timestamp.value, last - (9 - i) * 90) << "1 ms apart";
    EXPECT_TRUE(packets[2 + i].header.marker);
  }
  loop.send(delta_frame(1'400'000));
  EXPECT_EQ(loop.take(kVideo).front().header.timestamp.value, last + 40 * 90);
}

TEST(EgressReplay, TimestampsOfAReplayAmidTheStreamGoOnToo) {
  Loop loop(unpaced());
  std::vector<FrameRef> frames{key_frame(0)};
  frames.reserve(50);
  for (std::int64_t i = 1; i < 50; ++i) frames.push_back(delta_frame(i * 33'000));
  for (const FrameRef& each : frames) loop.send(each);
  loop.egress.replay(frames, at(0));
  loop.poll();
  loop.send(delta_frame(50 * 33'000));
  const auto packets = loop.take(kVideo);
  ASSERT_EQ(packets.size(), 101U);
  for (std::size_t i = 1; i < packets.size(); ++i) {
    ASSERT_GT(rtp::distance(packets[i - 1].header.timestamp, packets[i].header.timestamp), 0) << i;
  }
  EXPECT_EQ(packets.back().header.timestamp.value, 1'000U + 50 * 33 * 90) << "linear again";
}

TEST(EgressReplay, ReplacesWhatIsQueuedAndIsSpread) {
  Loop loop(config());
  loop.send(key_frame(0, 100));
  const std::uint64_t sent_before = loop.egress.stats().packets;
  EXPECT_LT(sent_before, 100U);
  loop.egress.replay(std::array{key_frame(10'000, 50), delta_frame(20'000, 10)}, at(10'000));
  loop.drain();
  EXPECT_EQ(loop.egress.stats().packets, sent_before + 60);
  EXPECT_EQ(loop.egress.stats().dropped_before_key, 1U);
  EXPECT_EQ(loop.egress.stats().frames, 2U);
  EXPECT_LE(largest_burst(loop.sink.sent, 25e6), 32'768);
}

TEST(EgressReplay, BeginsAtAKeyFrame) {
  Loop loop(config());
  loop.egress.replay(std::array{delta_frame(0), key_frame(10'000), delta_frame(20'000)}, at(0));
  loop.poll();
  EXPECT_EQ(loop.take(kVideo).size(), 2U);
  EXPECT_EQ(loop.egress.stats().dropped_before_key, 1U);
  Loop none(config());
  none.egress.replay(std::array{delta_frame(0)}, at(0));
  none.egress.replay({}, at(0));
  none.poll();
  EXPECT_TRUE(none.sink.sent.empty());
  EXPECT_TRUE(none.egress.waits_for_key());
}

// Queues frames of 20 packets until the viewer is given up; how much was queued by then, in µs at the pacing rate.
double give_up(Loop& loop) {
  double most = 0;
  for (std::int64_t i = 0; i < 1'000 && !loop.egress.waits_for_key(); ++i) {
    const auto queued = static_cast<double>(loop.egress.stats().queued_bytes);
    most = queued * 8e6 / static_cast<double>(loop.egress.stats().pacing_bps);
    loop.egress.send(delta_frame(loop.now_us + i, 20), at(loop.now_us));
  }
  return most;
}

TEST(EgressSlow, AViewerThatFallsBehindGoesOnAtTheNextKeyFrame) {
  Loop loop(config());
  loop.report();  // 10 Mb/s
  loop.send(key_frame(0));
  loop.send(delta_frame(1'000, 50));  // leaves in part
  const std::uint64_t sent_before = loop.egress.stats().packets;
  EXPECT_NEAR(give_up(loop), 1e6, 20'000);
  EXPECT_TRUE(loop.egress.take_key_frame_wish());
  EXPECT_FALSE(loop.egress.take_key_frame_wish()) << "once";
  EXPECT_EQ(loop.egress.stats().queued_frames, 0U);
  EXPECT_FALSE(loop.egress.deadline_us());
  loop.now_us = 500'000;
  loop.send(delta_frame(500'000));
  EXPECT_EQ(loop.egress.stats().packets, sent_before) << "not even the rest of the frame that had begun";
  EXPECT_EQ(loop.egress.stats().dropped_before_key, 1U);
  loop.send(key_frame(600'000));
  EXPECT_EQ(loop.egress.stats().packets, sent_before + 1);
  const auto& stats = loop.egress.stats();
  EXPECT_EQ(stats.frames, 2U);
  EXPECT_GT(stats.dropped_slow, 50U);
}

TEST(EgressSlow, AWishIsForgottenWhenAKeyFrameComes) {
  Loop loop(config());
  loop.send(key_frame(0));
  give_up(loop);
  loop.send(key_frame(700'000));
  EXPECT_FALSE(loop.egress.take_key_frame_wish());
}

TEST(EgressSlow, AKeyFrameThatComesIntoAFullQueueIsWhereItGoesOn) {
  EgressConfig given = config();
  given.pacing.max_queue_us = 100'000;
  Loop loop(given);
  loop.report();
  loop.send(key_frame(0, 200));  // 200 ms: more than the limit, but a picture
  EXPECT_EQ(loop.egress.stats().dropped_slow, 0U);
  loop.send(delta_frame(1'000, 50));
  EXPECT_EQ(loop.egress.stats().dropped_slow, 0U) << "what waits behind it is little";
  loop.send(key_frame(2'000, 10));
  EXPECT_EQ(loop.egress.stats().dropped_slow, 2U);
  EXPECT_FALSE(loop.egress.waits_for_key());
  EXPECT_FALSE(loop.egress.take_key_frame_wish());
  EXPECT_EQ(loop.egress.stats().queued_frames, 1U);
}

TEST(EgressSlow, AKeyFrameLargerThanTheLimitIsSent) {
  Loop loop(config());
  loop.report();
  loop.send(key_frame(0, 3'000));  // 3 MB at 10 Mb/s: 2.5 s
  for (std::int64_t i = 1; i < 60; ++i) {
    loop.run_until(i * 33'333);
    loop.send(delta_frame(loop.now_us, 2));
  }
  loop.drain();
  EXPECT_EQ(loop.egress.stats().frames, 60U);
  EXPECT_EQ(loop.egress.stats().dropped_slow, 0U);
}

TEST(EgressSlow, AFrameIsNeverTooLargeByItself) {
  Loop loop(config());
  loop.report();
  loop.send(key_frame(0));
  loop.send(delta_frame(1'000, 2'000));  // 1.6 s
  EXPECT_EQ(loop.egress.stats().dropped_slow, 0U);
  EXPECT_EQ(loop.egress.stats().queued_frames, 1U);
  loop.now_us = 2'000;
  loop.send(delta_frame(2'000));
  EXPECT_EQ(loop.egress.stats().dropped_slow, 2U) << "but the next one comes too late";
  EXPECT_TRUE(loop.egress.waits_for_key());
}

TEST(EgressSlow, AStreamOfKeyFramesIsBoundedToo) {
  Loop loop(config());
  loop.report();
  std::uint64_t most = 0;
  for (std::int64_t i = 0; i < 200; ++i) {
    loop.egress.send(key_frame(i * 1'000, 50), at(0));
    most = std::max(most, loop.egress.stats().queued_bytes);
  }
  EXPECT_LT(most, 1'250'000U + 2 * 60'000) << "1 s at 10 Mb/s, and the newest";
  EXPECT_FALSE(loop.egress.waits_for_key());
  loop.drain();
  const auto& stats = loop.egress.stats();
  EXPECT_EQ(stats.frames + stats.dropped_slow, 200U);
}

}  // namespace
}  // namespace mediacore::egress
