// One viewer's packets, opened by a receiver: what they hold, how they are numbered, and in which order they leave.
#include "core/egress/viewer_egress.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/rtp/h264_depacketizer.hpp"
#include "viewer.hpp"

namespace mediacore::egress {
namespace {

using testing::access_unit;
using testing::at;
using testing::Buffer;
using testing::config;
using testing::delta_frame;
using testing::frame;
using testing::kAudio;
using testing::key_frame;
using testing::kVideo;
using testing::Loop;
using testing::Opened;
using testing::packetized;
using testing::unpaced;

class EgressProfiles : public ::testing::TestWithParam<srtp::Profile> {};

TEST_P(EgressProfiles, AccessUnitsComeBackWhole) {
  EgressConfig given = config(GetParam());
  given.video.first_sequence = 32'767;
  Loop loop(given);
  rtp::H264Depacketizer depacketizer;
  std::vector<Buffer> sent;
  std::vector<Buffer> received;
  std::vector<std::uint32_t> timestamps;
  for (unsigned i = 0; i < 300; ++i) {
    const bool is_key = i % 60 == 0;
    sent.push_back(access_unit(is_key, is_key ? 90'000 : 100 + 37 * i % 9'000, i));
    loop.now_us = std::int64_t{i} * 33'333 + 1'000;
    loop.send(packetized(sent.back(), is_key, loop.now_us));
    loop.run_until(loop.now_us + 30'000);
  }
  loop.drain();
  for (const Opened& packet : loop.take(kVideo)) {
    EXPECT_FALSE(depacketizer.push({packet.header.sequence_number, packet.header.timestamp, packet.header.marker},
                                   packet.payload, [&](const rtp::FrameView& whole) {
                                     received.emplace_back(whole.data.begin(), whole.data.end());
                                     timestamps.push_back(whole.timestamp.value);
                                   }));
  }
  EXPECT_EQ(depacketizer.stats().lost, 0U);
  ASSERT_EQ(received.size(), sent.size());
  // The depacketizer writes 4-byte start codes only.
  const auto with_long_codes = [](const Buffer& unit) {
    Buffer out;
    for (std::size_t i = 0; i < unit.size(); ++i) {
      const bool code = i + 2 < unit.size() && unit[i] == 0 && unit[i + 1] == 0 && unit[i + 2] == 1;
      if (code && (out.empty() || out.back() != 0)) out.push_back(0);
      out.push_back(unit[i]);
    }
    return out;
  };
  for (std::size_t i = 0; i < sent.size(); ++i) {
    ASSERT_EQ(received[i], with_long_codes(sent[i])) << i;
    const std::int64_t pts_us = static_cast<std::int64_t>(i) * 33'333 + 1'000;
    ASSERT_EQ(timestamps[i], 1'000U + static_cast<std::uint32_t>(pts_us * 9 / 100)) << i;
  }
  EXPECT_EQ(loop.egress.stats().frames, sent.size());
}

INSTANTIATE_TEST_SUITE_P(Profiles, EgressProfiles,
                         ::testing::Values(srtp::Profile::aes128_cm_sha1_80, srtp::Profile::aead_aes_128_gcm,
                                           srtp::Profile::aead_aes_256_gcm),
                         [](const auto& profile) {
                           return "profile_" + std::to_string(static_cast<int>(profile.param));
                         });

TEST(Egress, NumbersGoOnOverManyWrapsAndTheReceiverFollows) {
  Loop loop(unpaced());
  loop.send(key_frame(0));
  std::uint16_t expected = 100;
  constexpr int kFrames = 3'000;  // of 50 packets: more than two rounds
  for (std::int64_t i = 1; i <= kFrames; ++i) {
    loop.now_us = i * 1'000;
    loop.send(frame({.pts_us = loop.now_us, .packets = 50, .payload_bytes = 20}));
    for (const Opened& packet : loop.take(kVideo)) ASSERT_EQ(packet.header.sequence_number.value, expected++);
  }
  EXPECT_EQ(loop.egress.stats().packets, 1U + kFrames * 50);
}

TEST(Egress, PacketsHaveTheirFields) {
  Loop loop(config(), 5'000'000);
  loop.now_us = 5'010'000;
  loop.send(key_frame(5'000'000, 3));
  const auto packets = loop.take();
  ASSERT_EQ(packets.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(packets[i].header.ssrc, kVideo);
    EXPECT_EQ(packets[i].header.payload_type, 102);
    EXPECT_EQ(packets[i].header.marker, i == 2);
    EXPECT_EQ(packets[i].header.sequence_number.value, 100 + i);
    EXPECT_EQ(packets[i].header.timestamp.value, 1'000U + 450'000);
    EXPECT_EQ(packets[i].mid, "0");
    EXPECT_EQ(packets[i].extensions.transport_sequence_number, i);
    EXPECT_EQ(packets[i].extensions.playout_delay, (rtp::PlayoutDelay{0, 0}));
    EXPECT_EQ(packets[i].extensions.abs_send_time, static_cast<std::uint32_t>(at(5'010'000).ntp >> 14) & 0xffffff);
    const std::uint64_t captured = packets[i].extensions.abs_capture_time.value_or(rtp::AbsCaptureTime{}).ntp;
    const auto seconds = static_cast<double>(at(5'010'000).ntp - captured) / 4294967296.0;
    EXPECT_NEAR(seconds, 0.01, 1e-6) << "10 ms ago";
  }
}

TEST(Egress, CaptureTimeStandsInEveryPacketOfOneFrameASecond) {
  Loop loop(config());
  std::vector<std::int64_t> with_time;
  loop.send(key_frame(0, 4));
  for (std::int64_t i = 1; i < 100; ++i) {
    loop.now_us = i * 33'333;
    loop.send(delta_frame(loop.now_us, 4));
  }
  loop.drain();
  std::map<std::uint32_t, std::set<std::size_t>> sizes;
  std::map<std::uint32_t, std::size_t> timed;
  for (const auto& one : loop.sink.sent) {
    if (one.is_rtcp()) continue;
    sizes[static_cast<std::uint32_t>(rtp::load_be<4>(&one.bytes[4]))].insert(one.bytes.size());
  }
  for (const auto& [timestamp, each] : sizes) EXPECT_EQ(each.size(), 1U) << "one size, for GSO";
  for (const Opened& packet : loop.take(kVideo)) {
    if (packet.extensions.abs_capture_time) ++timed[packet.header.timestamp.value];
  }
  EXPECT_EQ(timed.size(), 4U);  // at 0, 1, 2 and 3 s
  for (const auto& [timestamp, packets] : timed) EXPECT_EQ(packets, 4U);
}

TEST(Egress, WithoutExtensionsTheHeaderIsPlain) {
  EgressConfig given = config();
  given.extensions = {};
  Loop loop(given);
  loop.send(key_frame(0));
  EXPECT_EQ(loop.sink.sent.front().bytes.size(), 12 + 1000 + 16U);
  EXPECT_EQ(loop.take().size(), 1U);
}

TEST(Egress, OneTransportSequenceForAllStreams) {
  Loop loop(config());
  loop.egress.send(key_frame(0, 2), at(0));
  loop.egress.send_audio(delta_frame(0), at(0));
  loop.poll();
  loop.now_us = 1'000;
  loop.nack({100});
  loop.egress.send_audio(delta_frame(20'000), at(1'000));
  loop.poll();
  std::uint16_t expected = 0;
  for (const Opened& packet : loop.take()) EXPECT_EQ(packet.extensions.transport_sequence_number, expected++);
  EXPECT_EQ(expected, 5);
}

TEST(Egress, AudioHasItsOwnClockAndComesFirst) {
  Loop loop(config());
  loop.now_us = 1'000'000;
  loop.egress.send(key_frame(1'000'000, 200), at(loop.now_us));  // far more than the bucket
  loop.poll();
  loop.take();
  loop.now_us += 500;
  loop.egress.send_audio(frame({.pts_us = 1'000'000, .payload_bytes = 100}), at(loop.now_us));
  loop.run_until(loop.now_us + 1'000);
  const auto packets = loop.take();
  ASSERT_FALSE(packets.empty());
  EXPECT_EQ(packets.front().header.ssrc, kAudio);
  EXPECT_EQ(packets.front().header.payload_type, 111);
  EXPECT_EQ(packets.front().header.timestamp.value, 7U + 48'000);
  EXPECT_EQ(packets.front().header.sequence_number.value, 900);
  EXPECT_FALSE(packets.front().header.marker);
  EXPECT_EQ(packets.front().mid, "1");
  EXPECT_FALSE(packets.front().extensions.playout_delay.has_value());
}

TEST(Egress, AudioThatCannotLeaveIsBounded) {
  Loop loop(config());
  loop.sink.room = 0;
  for (std::int64_t i = 0; i < 100; ++i)
    loop.egress.send_audio(frame({.pts_us = i * 20'000, .payload_bytes = 100}), at(0));
  EXPECT_EQ(loop.egress.stats().dropped_audio, 36U);
  loop.sink.room = SIZE_MAX;
  loop.now_us = 1'000;
  loop.poll();
  const auto packets = loop.take(kAudio);
  EXPECT_EQ(packets.size(), 64U);
  EXPECT_EQ(packets.front().header.timestamp.value, 7U + 36 * 960) << "the oldest are dropped";
}

TEST(Egress, WithoutAudioNegotiatedItIsDropped) {
  EgressConfig given = config();
  given.audio.reset();
  Loop loop(given);
  loop.egress.send_audio(delta_frame(0), at(0));
  loop.poll();
  EXPECT_TRUE(loop.sink.sent.empty());
  EXPECT_EQ(loop.egress.stats().dropped_audio, 1U);
}

TEST(Egress, NothingLeavesBeforeAKeyFrame) {
  Loop loop(config());
  EXPECT_TRUE(loop.egress.waits_for_key());
  loop.send(delta_frame(0));
  loop.send(delta_frame(33'000));
  EXPECT_TRUE(loop.sink.sent.empty());
  EXPECT_EQ(loop.egress.stats().dropped_before_key, 2U);
  EXPECT_FALSE(loop.egress.deadline_us());
  loop.send(key_frame(66'000));
  EXPECT_FALSE(loop.egress.waits_for_key());
  loop.send(delta_frame(99'000));
  EXPECT_EQ(loop.take(kVideo).size(), 2U);
  EXPECT_FALSE(loop.egress.take_key_frame_wish());
}

TEST(Egress, FramesThatHoldNothingOrTooMuchAreNotSent) {
  Loop loop(config());
  loop.send(nullptr);
  loop.send(frame({.is_key = true, .packets = 0}));
  EXPECT_TRUE(loop.egress.waits_for_key());
  loop.send(frame({.is_key = true, .payload_bytes = 65'001}));
  loop.egress.send_audio(frame({.payload_bytes = 65'001}), at(0));
  loop.egress.replay(std::array{frame({.is_key = true, .payload_bytes = 65'001}), delta_frame(0)}, at(0));
  loop.poll();
  EXPECT_EQ(loop.egress.stats().dropped_too_large, 3U);
  loop.send(frame({.is_key = true, .payload_bytes = 65'000}));
  EXPECT_FALSE(loop.take(kVideo).empty());
}

TEST(Egress, AMoveBetweenRenditionsKeepsOneTimeline) {
  Loop loop(config());
  loop.send(key_frame(0, 3));
  loop.now_us = 33'000;
  loop.egress.send(delta_frame(33'000, 100), at(33'000));
  loop.poll();  // some of it leaves
  loop.egress.wait_for_key(at(34'000));
  EXPECT_EQ(loop.egress.stats().queued_frames, 0U);
  EXPECT_FALSE(loop.egress.take_key_frame_wish()) << "the caller knows";
  loop.now_us = 66'000;
  loop.send(delta_frame(66'000));
  loop.now_us = 99'000;
  loop.send(key_frame(99'000, 2));
  loop.drain();
  const auto packets = loop.take(kVideo);
  std::uint16_t number = 100;
  for (const Opened& packet : packets) EXPECT_EQ(packet.header.sequence_number.value, number++);
  EXPECT_EQ(packets.back().header.timestamp.value, 1'000U + 99 * 90);
  EXPECT_EQ(loop.egress.stats().dropped_before_key, 2U);
  EXPECT_EQ(loop.egress.stats().frames, 2U);
}

TEST(Egress, ASinkWithoutRoomCostsNoNumbers) {
  Loop loop(unpaced());
  loop.sink.room = 2;
  loop.send(key_frame(0, 5));
  EXPECT_EQ(loop.egress.deadline_us(), 1'000) << "tries again soon";
  loop.now_us = 1'000;
  loop.poll();
  EXPECT_EQ(loop.sink.sent.size(), 2U);
  loop.sink.room = SIZE_MAX;
  loop.now_us = 2'000;
  loop.poll();
  EXPECT_FALSE(loop.egress.deadline_us());
  const auto packets = loop.take(kVideo);
  ASSERT_EQ(packets.size(), 5U);
  for (std::uint16_t i = 0; i < 5; ++i) {
    EXPECT_EQ(packets[i].header.sequence_number.value, 100 + i);
    EXPECT_EQ(packets[i].extensions.transport_sequence_number, i);
    EXPECT_EQ(packets[i].header.timestamp.value, 1'000U);
  }
}

TEST(Egress, ReferencesAreLetGoOfWithTheViewer) {
  const FrameRef key = key_frame(0, 3);
  const FrameRef delta = delta_frame(33'000, 100);
  {
    Loop loop(config());
    loop.send(key);
    loop.send(delta);
    ViewerEgress moved = std::move(loop.egress);
    loop.egress = std::move(moved);
    EXPECT_GT(key.use_count(), 1);
  }
  EXPECT_EQ(key.use_count(), 1);
  EXPECT_EQ(delta.use_count(), 1);
}

TEST(Egress, CountsWhatLeft) {
  Loop loop(config(), 100);
  EXPECT_EQ(loop.egress.stats().first_packet_us, -1);
  loop.now_us = 200;
  loop.send(key_frame(0, 3));
  loop.now_us = 300;
  loop.send(delta_frame(300));
  std::uint64_t bytes = 0;
  for (const auto& one : loop.sink.sent) bytes += one.bytes.size();
  const EgressStats& stats = loop.egress.stats();
  EXPECT_EQ(stats.frames, 2U);
  EXPECT_EQ(stats.packets, 4U);
  EXPECT_EQ(stats.bytes, bytes);
  EXPECT_EQ(stats.first_packet_us, 200);
  EXPECT_EQ(stats.pacing_bps, 25'000'000U);
}

}  // namespace
}  // namespace mediacore::egress
