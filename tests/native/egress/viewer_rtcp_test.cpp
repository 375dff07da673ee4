// The way back and its answers: retransmissions, limits, reports, and that no nonce is used for two packets.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "core/egress/history.hpp"
#include "core/egress/retransmissions.hpp"
#include "core/egress/viewer_egress.hpp"
#include "core/rtcp/reader.hpp"
#include "viewer.hpp"

namespace mediacore::egress {
namespace {

using testing::at;
using testing::Buffer;
using testing::config;
using testing::delta_frame;
using testing::frame;
using testing::kAudio;
using testing::key_frame;
using testing::kRtx;
using testing::kVideo;
using testing::kViewer;
using testing::Loop;
using testing::Opened;
using testing::Sent;
using testing::unpaced;
using testing::without_rtx;

TEST(EgressRtx, CarriesThePacketUnderItsOwnNumbers) {
  Loop loop(config());
  loop.send(key_frame(0, 5));
  const auto originals = loop.take(kVideo);
  loop.now_us = 20'000;
  const Received received = loop.nack({102, 104});
  EXPECT_TRUE(received.authenticated);
  EXPECT_TRUE(received.retransmits);
  EXPECT_FALSE(received.key_frame_wanted);
  loop.poll();
  const auto packets = loop.take(kRtx);
  ASSERT_EQ(packets.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const Opened& original = originals[i == 0 ? 2 : 4];
    Buffer payload{0, static_cast<std::uint8_t>(original.header.sequence_number.value)};
    payload.insert(payload.end(), original.payload.begin(), original.payload.end());
    EXPECT_EQ(packets[i].payload, payload);
    EXPECT_EQ(packets[i].header.payload_type, 103);
    EXPECT_EQ(packets[i].header.sequence_number.value, 500 + i);
    EXPECT_EQ(packets[i].header.timestamp, original.header.timestamp);
    EXPECT_EQ(packets[i].header.marker, original.header.marker);
    EXPECT_EQ(packets[i].mid, "0");
    EXPECT_EQ(packets[i].extensions.playout_delay, original.extensions.playout_delay);
  }
  const EgressStats& stats = loop.egress.stats();
  EXPECT_EQ(stats.nacked, 2U);
  EXPECT_EQ(stats.retransmitted, 2U);
  EXPECT_GT(stats.retransmission_bytes, 2'000U);
  EXPECT_EQ(stats.packets, 7U);
}

TEST(EgressRtx, WithoutRtxThePacketIsRepeatedToTheLastBit) {
  Loop loop(without_rtx());
  loop.send(key_frame(0, 5));
  std::map<std::uint16_t, Buffer> originals;
  for (const Sent& one : loop.sink.sent) {
    if (!one.is_rtcp()) originals[one.number()] = one.bytes;
  }
  loop.sink.sent.clear();
  loop.now_us = 1'500'000;  // another time to send, another transport-wide number
  loop.send(delta_frame(1'500'000));
  loop.sink.sent.clear();
  EXPECT_TRUE(loop.nack({100, 103}).retransmits);
  loop.poll();
  ASSERT_EQ(loop.sink.sent.size(), 2U);
  EXPECT_EQ(loop.sink.sent[0].bytes, originals[100]);
  EXPECT_EQ(loop.sink.sent[1].bytes, originals[103]);
  EXPECT_EQ(loop.egress.stats().retransmitted, 2U);
}

TEST(EgressRtx, ReachesBack1024PacketsAndASecond) {
  EgressConfig given = unpaced();
  given.pacing.start_rate_bps = 1'000'000'000;  // no limit here
  Loop loop(given);
  loop.send(key_frame(0));
  // Slow: 1024 packets are minutes.
  for (std::int64_t i = 1; i < 1'200; ++i) {
    loop.now_us = i * 100'000;
    loop.send(delta_frame(loop.now_us));
  }
  loop.nack({static_cast<std::uint16_t>(1'300 - 1'024), static_cast<std::uint16_t>(1'300 - 1'025)});
  EXPECT_EQ(loop.egress.stats().nack_unknown, 1U);
  // Fast: a second is more than 1024 packets.
  const std::int64_t begin = loop.now_us;
  std::uint16_t number = 1'300;
  for (std::int64_t i = 0; i < 1'500; ++i) {
    loop.now_us = begin + i * 1'000;
    loop.send(delta_frame(loop.now_us, 4));
    number = static_cast<std::uint16_t>(number + 4);
  }
  const std::uint64_t before = loop.egress.stats().nack_unknown;
  loop.nack({static_cast<std::uint16_t>(number - 4'000), static_cast<std::uint16_t>(number - 2'000)});
  EXPECT_EQ(loop.egress.stats().nack_unknown, before);
  EXPECT_EQ(loop.egress.stats().nack_limited, 0U);
}

TEST(EgressRtx, NumbersThatWereNeverSentAreUnknown) {
  Loop loop(config());
  EXPECT_FALSE(loop.nack({100}).retransmits) << "before anything was sent";
  loop.send(key_frame(0, 3));
  EXPECT_FALSE(loop.nack({99, 103, 40'000, 65'535}).retransmits);
  EXPECT_EQ(loop.egress.stats().nack_unknown, 5U);
  EXPECT_EQ(loop.egress.stats().retransmitted, 0U);
}

TEST(EgressRtx, FindsPacketsAcrossAWrap) {
  EgressConfig given = unpaced();
  given.video.first_sequence = 32'767;
  Loop loop(given);
  loop.send(key_frame(0));
  for (std::int64_t i = 0; i < 330; ++i) {
    loop.now_us += 10'000;
    loop.send(frame({.pts_us = loop.now_us, .packets = 100, .payload_bytes = 20}));
    if (i % 50 == 0) loop.take();
  }
  loop.take();
  loop.now_us += 10'000;
  EXPECT_TRUE(loop.nack({65'530, 65'535, 0, 5}).retransmits);
  loop.poll();
  const auto packets = loop.take(kRtx);
  std::vector<std::uint16_t> repeated;
  repeated.reserve(packets.size());
  for (const Opened& packet : packets) {
    repeated.push_back(static_cast<std::uint16_t>(rtp::load_be<2>(packet.payload.data())));
  }
  EXPECT_EQ(repeated, (std::vector<std::uint16_t>{65'530, 65'535, 0, 5}));
}

TEST(EgressRtx, NotTwiceWithinHalfARoundTrip) {
  Loop loop(config());
  loop.send(key_frame(0, 3));
  // The report that tells a round trip of 100 ms.
  loop.now_us = 100'000;
  loop.receive([&](rtcp::Writer& writer) {
    rtcp::ReportBlock block{};
    block.ssrc = kVideo;
    block.last_sr = static_cast<std::uint32_t>(at(0).ntp >> 16) | 1U;
    writer.receiver_report(kViewer, std::array{block});
  });
  EXPECT_NEAR(static_cast<double>(loop.egress.stats().rtt_us), 100'000, 40);
  EXPECT_TRUE(loop.nack({101}).retransmits);
  loop.poll();
  loop.now_us += 49'000;
  EXPECT_FALSE(loop.nack({101}).retransmits);
  EXPECT_EQ(loop.egress.stats().nack_limited, 1U);
  loop.now_us += 1'100;
  EXPECT_TRUE(loop.nack({101}).retransmits);
}

TEST(EgressRtx, AFloodOfNacksIsBoundedAndCounted) {
  Loop loop(config());
  loop.send(key_frame(0, 25));
  loop.send(delta_frame(1'000, 200));
  loop.drain();
  loop.sink.sent.clear();
  const std::int64_t begin = loop.now_us;
  std::vector<std::uint16_t> all;
  all.reserve(225);
  for (std::uint16_t i = 0; i < 225; ++i) all.push_back(static_cast<std::uint16_t>(100 + i));
  std::uint64_t asked = 0;
  for (std::int64_t i = 0; i < 1'000; ++i) {
    loop.now_us = begin + i * 1'000;
    loop.nack(all);
    asked += all.size();
    loop.poll();
  }
  const EgressStats& stats = loop.egress.stats();
  EXPECT_EQ(stats.nacked, asked);
  EXPECT_EQ(stats.retransmitted + stats.nack_limited, asked);
  // Budget: a quarter of 25 Mb/s, and half a second of it at once; but 8192 numbers a second allow for fewer.
  EXPECT_LT(stats.retransmission_bytes, 25'000'000 / 4 / 8 * 3 / 2);
  EXPECT_GT(stats.retransmitted, 200U);
  EXPECT_LE(stats.retransmitted, 2 * Retransmissions::kMostAskedPerSecond);
}

TEST(EgressRtx, ARepetitionThatCannotLeaveWaits) {
  Loop loop(config());
  loop.send(key_frame(0));
  loop.nack({100});
  loop.sink.room = 0;
  loop.poll();
  EXPECT_EQ(loop.egress.stats().retransmitted, 0U);
  EXPECT_EQ(loop.egress.deadline_us(), 1'000);
  loop.sink.room = SIZE_MAX;
  loop.poll();
  EXPECT_EQ(loop.egress.stats().retransmitted, 1U);
  EXPECT_EQ(loop.take(kRtx).size(), 1U);
}

TEST(EgressReports, TellTheClocksEachSecond) {
  Loop loop(config());
  loop.now_us = 2'000'000;
  loop.egress.send(frame({.is_key = true, .pts_us = 2'000'000, .packets = 2, .payload_bytes = 500}), at(loop.now_us));
  loop.egress.send_audio(frame({.pts_us = 2'000'000, .payload_bytes = 100}), at(loop.now_us));
  loop.poll();
  std::map<std::uint32_t, std::vector<std::int64_t>> reports;
  for (std::int64_t i = 0; i < 40; ++i) {
    for (const Sent& one : loop.sink.sent) {
      if (!one.is_rtcp()) continue;
      reports[one.ssrc()].push_back(one.us);
      const auto plain = loop.open_rtcp(one);
      ASSERT_TRUE(plain);
      rtcp::Reader reader(*plain);
      const auto item = reader.next();
      ASSERT_TRUE(item);
      const auto* report = std::get_if<rtcp::SenderReport>(&*item);
      ASSERT_NE(report, nullptr);
      EXPECT_EQ(report->ntp, at(one.us).ntp);
      const bool video = report->ssrc == kVideo;
      const std::uint32_t expected = video ? 1'000U + static_cast<std::uint32_t>(one.us * 9 / 100)
                                           : 7U + static_cast<std::uint32_t>(one.us * 48 / 1'000);
      EXPECT_EQ(report->rtp_timestamp, expected) << "pts is monotonic time here";
      EXPECT_EQ(report->packets, video ? 2U : 1U);
      EXPECT_EQ(report->octets, video ? 1'000U : 100U);
      EXPECT_EQ(report->reports.size(), 0U);
      EXPECT_FALSE(reader.next());
      EXPECT_FALSE(reader.error());
      EXPECT_NE(std::search(plain->begin(), plain->end(), std::begin("mediacore"), std::end("mediacore") - 1),
                plain->end())
          << "CNAME";
    }
    loop.sink.sent.clear();
    loop.now_us += 100'000;
    loop.poll();
  }
  EXPECT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[kVideo], (std::vector<std::int64_t>{2'000'000, 3'000'000, 4'000'000, 5'000'000}));
  EXPECT_EQ(reports[kAudio], reports[kVideo]);
}

TEST(EgressReports, OfASourceWithAnotherClockMatchItsPts) {
  Loop loop(config());
  // A pushed stream, whose pts begin at zero, in steps of 40 ms.
  for (std::int64_t i = 0; i < 30; ++i) {
    loop.now_us = 77'000'000 + i * 40'000;
    auto pushed = std::make_shared<Frame>();
    std::fill_n(pushed->payloads.add(100), 100, std::uint8_t{1});
    pushed->pts_us = i * 40'000;
    pushed->received_us = loop.now_us;
    pushed->is_key = i == 0;
    loop.send(pushed);
  }
  std::vector<std::uint32_t> timestamps;
  for (const Sent& one : loop.sink.sent) {
    if (!one.is_rtcp()) continue;
    const auto plain = loop.open_rtcp(one);
    ASSERT_TRUE(plain);
    rtcp::Reader reader(*plain);
    const auto item = reader.next();
    ASSERT_TRUE(item);
    timestamps.push_back(std::get<rtcp::SenderReport>(*item).rtp_timestamp);
  }
  EXPECT_EQ(timestamps, (std::vector<std::uint32_t>{1'000, 1'000 + 90'000}));
}

TEST(EgressReports, AreOfTheRetransmissionStreamOnceItHasSent) {
  Loop loop(config());
  loop.send(key_frame(0, 2));
  loop.now_us = 10'000;
  loop.nack({100});
  loop.poll();
  std::set<std::uint32_t> ssrcs;
  for (const Sent& one : loop.sink.sent) {
    if (one.is_rtcp()) ssrcs.insert(one.ssrc());
  }
  EXPECT_EQ(ssrcs, (std::set<std::uint32_t>{kVideo, kRtx}));
}

TEST(EgressReports, TheLongestCnameFits) {
  EgressConfig given = config();
  given.cname = std::string(1'000, 'c');
  Loop loop(given);
  loop.send(key_frame(0));
  const Sent& report = loop.sink.sent.back();
  ASSERT_TRUE(report.is_rtcp());
  const auto plain = loop.open_rtcp(report);
  ASSERT_TRUE(plain);
  rtcp::Reader reader(*plain);
  while (reader.next()) {
  }
  EXPECT_FALSE(reader.error());
  EXPECT_EQ(std::count(plain->begin(), plain->end(), 'c'), 255);
}

TEST(EgressReports, ByeNamesAllStreams) {
  Loop loop(config());
  loop.send(key_frame(0));
  loop.sink.sent.clear();
  loop.egress.write_bye(at(1'000), loop.sink);
  ASSERT_EQ(loop.sink.sent.size(), 1U);
  const auto plain = loop.open_rtcp(loop.sink.sent.front());
  ASSERT_TRUE(plain);
  rtcp::Reader reader(*plain);
  const auto report = reader.next();
  ASSERT_TRUE(report);
  ASSERT_TRUE(std::holds_alternative<rtcp::SenderReport>(*report));
  const auto item = reader.next();
  ASSERT_TRUE(item);
  EXPECT_EQ(std::get<rtcp::Bye>(*item).ssrc, kVideo);
  const Buffer ssrcs{0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x22, 0x22, 0x33, 0x33, 0x33, 0x33};
  EXPECT_TRUE(std::equal(ssrcs.rbegin(), ssrcs.rend(), plain->rbegin()));
}

TEST(EgressFeedback, KeyFrameRequestsAndByeAreHandedOn) {
  Loop loop(config());
  EXPECT_TRUE(loop.receive([](rtcp::Writer& writer) { writer.picture_loss(kViewer, kVideo); }).key_frame_wanted);
  EXPECT_TRUE(
      loop.receive([](rtcp::Writer& writer) { writer.full_intra_request(kViewer, kVideo, 1); }).key_frame_wanted);
  EXPECT_FALSE(loop.receive([](rtcp::Writer& writer) { writer.picture_loss(kViewer, 5); }).key_frame_wanted);
  EXPECT_EQ(loop.egress.stats().key_frame_requests, 2U);
  EXPECT_TRUE(loop.receive([](rtcp::Writer& writer) { writer.bye(std::array{kViewer}); }).bye);
}

TEST(EgressFeedback, TheFirstOneLowersTheRate) {
  Loop loop(config());
  loop.egress.set_rendition_rate(20'000'000);
  EXPECT_EQ(loop.egress.stats().pacing_bps, 50'000'000U);
  loop.receive([](rtcp::Writer& writer) { writer.picture_loss(kViewer, kVideo); });
  EXPECT_EQ(loop.egress.stats().pacing_bps, 50'000'000U) << "a request tells nothing of the path";
  loop.report();
  EXPECT_EQ(loop.egress.stats().pacing_bps, 30'000'000U);
}

TEST(EgressFeedback, WhatIsForgedOrMalformedIsCountedAndChangesNothing) {
  Loop loop(config());
  loop.send(key_frame(0, 3));
  Buffer forged(60, 0x55);
  forged[0] = 0x81;
  forged[1] = 205;
  forged.back() = 0x01;
  forged[56] = 0x80;
  const Received received = loop.egress.receive(forged, at(5'000));
  EXPECT_FALSE(received.authenticated);
  EXPECT_FALSE(received.retransmits);
  EXPECT_EQ(loop.egress.stats().heard_us, -1);
  Buffer empty;
  EXPECT_FALSE(loop.egress.receive(empty, at(5'000)).authenticated);
  EXPECT_EQ(loop.egress.stats().rtcp_forged, 1U);
  EXPECT_EQ(loop.egress.stats().rtcp_malformed, 1U);
  loop.now_us = 6'000;
  loop.report();
  EXPECT_EQ(loop.egress.stats().heard_us, 6'000);
}

// What was sealed under each nonce.
class Nonces {
 public:
  void add(const Sent& one) {
    if (one.is_rtcp()) {
      const std::uint64_t word = rtp::load_be<4>(&one.bytes[one.bytes.size() - 4]);
      EXPECT_TRUE(reports_.insert(word).second) << "SRTCP index twice";
      return;
    }
    // The index as a receiver would guess it, of what leaves in order; repetitions are less than half the circle back.
    std::uint64_t& last = last_.try_emplace(one.ssrc(), one.number()).first->second;
    const auto step = static_cast<std::int16_t>(static_cast<std::uint16_t>(one.number() - last));
    const std::uint64_t index = last + static_cast<std::uint64_t>(std::int64_t{step});
    if (step > 0) last = index;
    const auto [place, fresh] = packets_.try_emplace({one.ssrc(), index}, one.bytes);
    if (fresh) return;
    ++repeated;
    EXPECT_EQ(place->second, one.bytes) << "a nonce twice, for two packets: " << index;
  }

  std::size_t size() const { return packets_.size(); }
  std::uint64_t rounds(std::uint32_t ssrc) const { return last_.at(ssrc) >> 16; }
  std::size_t repeated = 0;

 private:
  std::map<std::pair<std::uint32_t, std::uint64_t>, Buffer> packets_;
  std::map<std::uint32_t, std::uint64_t> last_;
  std::set<std::uint64_t> reports_;
};

class EgressNonces : public ::testing::TestWithParam<bool> {};

TEST_P(EgressNonces, AreNeverUsedForTwoPackets) {
  const bool with_rtx = GetParam();
  EgressConfig given = with_rtx ? config() : without_rtx();
  given.video.first_sequence = 32'700;
  if (with_rtx) given.video.rtx->first_sequence = 32'000;
  given.pacing.start_rate_bps = 200'000'000;
  Loop loop(given);
  Nonces nonces;
  unsigned chance = 1;
  const auto random = [&](unsigned below) {
    chance = chance * 1'664'525 + 1'013'904'223;
    return (chance >> 16) % below;
  };
  std::vector<FrameRef> cached;
  for (std::int64_t i = 0; i < 12'000; ++i) {
    loop.now_us = i * 10'000;
    const bool is_key = i % 100 == 0;
    const FrameRef next =
        frame({.is_key = is_key, .pts_us = loop.now_us, .packets = 1 + random(20), .payload_bytes = 12});
    if (is_key) cached.clear();
    cached.push_back(next);
    loop.egress.send(next, at(loop.now_us));
    if (i % 2 == 0) loop.egress.send_audio(frame({.pts_us = loop.now_us, .payload_bytes = 10}), at(loop.now_us));
    if (i % 333 == 0) loop.egress.wait_for_key(at(loop.now_us));  // moved
    if (i % 250 == 0) loop.egress.replay(cached, at(loop.now_us));
    loop.sink.room = random(10) == 0 ? random(5) : SIZE_MAX;
    loop.poll();
    loop.sink.room = SIZE_MAX;
    if (!loop.sink.sent.empty() && loop.sink.sent.back().ssrc() == kVideo && !loop.sink.sent.back().is_rtcp()) {
      const std::uint16_t newest = loop.sink.sent.back().number();
      std::vector<std::uint16_t> lost;
      for (unsigned back = 1 + random(50); back > 0; back -= std::min(back, 1 + random(4))) {
        lost.push_back(static_cast<std::uint16_t>(newest - back));
      }
      loop.nack(lost);
      loop.poll();
    }
    for (const Sent& one : loop.sink.sent) nonces.add(one);
    loop.sink.sent.clear();
  }
  EXPECT_GE(nonces.rounds(kVideo), 2U);
  if (with_rtx) {
    EXPECT_GE(nonces.rounds(kRtx), 1U);
  }
  EXPECT_EQ(nonces.repeated > 1'000, !with_rtx);
  const EgressStats& stats = loop.egress.stats();
  EXPECT_EQ(stats.packets, nonces.size() + nonces.repeated);
}

INSTANTIATE_TEST_SUITE_P(Ways, EgressNonces, ::testing::Bool(),
                         [](const auto& way) { return way.param ? "rtx" : "same_stream"; });

}  // namespace
}  // namespace mediacore::egress
