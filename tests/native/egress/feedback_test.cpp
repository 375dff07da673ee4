#include "core/egress/feedback.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "core/rtcp/writer.hpp"
#include "frames.hpp"

namespace mediacore::egress {
namespace {

using testing::at;

constexpr OwnSsrcs kOwn{.video = 1, .rtx = 2, .audio = 3};
constexpr std::uint32_t kViewer = 77;
constexpr std::uint32_t kForeign = 99;

rtcp::ReportBlock block_about(std::uint32_t ssrc) {
  rtcp::ReportBlock block{};
  block.ssrc = ssrc;
  return block;
}

struct Outcome {
  Heard heard;
  EgressStats stats;
  std::vector<std::uint16_t> nacked;
};

template <class Write>
Outcome read(Write write, Now now = at(0), std::size_t cut = 0) {
  std::array<std::uint8_t, 1500> buffer{};
  rtcp::Writer writer(buffer);
  write(writer);
  Outcome outcome;
  outcome.heard = FeedbackReader(kOwn).read(writer.view().first(writer.size() - cut), now, outcome.stats,
                                            [&](std::uint16_t number) { outcome.nacked.push_back(number); });
  return outcome;
}

TEST(Feedback, AReportOnAStreamOfOursTellsLossAndRoundTrip) {
  const Now sent = at(1'000'000);
  const Now now = at(1'150'000);
  const auto outcome = read(
      [&](rtcp::Writer& writer) {
        rtcp::ReportBlock block = block_about(kOwn.video);
        block.fraction_lost = 64;
        block.last_sr = static_cast<std::uint32_t>(sent.ntp >> 16);
        block.delay_since_last_sr = 65'536 / 20;  // 50 ms
        writer.receiver_report(kViewer, std::array{block_about(kForeign), block});
      },
      now);
  EXPECT_TRUE(outcome.heard.about_us);
  EXPECT_EQ(outcome.stats.reports, 1U);
  EXPECT_DOUBLE_EQ(outcome.stats.loss, 0.25);
  EXPECT_NEAR(static_cast<double>(outcome.stats.rtt_us), 100'000, 40);  // units of 15 µs
}

TEST(Feedback, ASenderReportsBlocksCountAsWell) {
  const auto outcome = read(
      [](rtcp::Writer& writer) { writer.sender_report(kViewer, 0, 0, 0, 0, std::array{block_about(kOwn.audio)}); });
  EXPECT_TRUE(outcome.heard.about_us);
  EXPECT_EQ(outcome.stats.reports, 1U);
  EXPECT_EQ(outcome.stats.rtt_us, -1) << "no report of ours had arrived";
}

TEST(Feedback, AReportOnNothingOfOursIsNoFeedback) {
  const auto none = read([](rtcp::Writer& writer) { writer.receiver_report(kViewer, {}); });
  EXPECT_FALSE(none.heard.about_us);
  EXPECT_EQ(none.stats.reports, 1U);
  const auto foreign = read([](rtcp::Writer& writer) {
    rtcp::ReportBlock block = block_about(kForeign);
    block.fraction_lost = 255;
    writer.receiver_report(kViewer, std::array{block});
  });
  EXPECT_FALSE(foreign.heard.about_us);
  EXPECT_EQ(foreign.stats.loss, 0);
}

struct RoundTrip {
  const char* name;
  std::int64_t passed_us;
  std::uint32_t rested;  // in 1/65536 s
  std::optional<std::int64_t> expected_us;
};

class FeedbackRoundTrip : public ::testing::TestWithParam<RoundTrip> {};

TEST_P(FeedbackRoundTrip, IsBelievedIfItCanBe) {
  const RoundTrip& each = GetParam();
  rtcp::ReportBlock block{};
  block.last_sr = static_cast<std::uint32_t>(at(0).ntp >> 16) | 1U;  // the middle 32 bits are 0 here
  block.delay_since_last_sr = each.rested;
  const auto rtt = round_trip_us(block, at(each.passed_us).ntp);
  EXPECT_EQ(rtt.has_value(), each.expected_us.has_value());
  if (rtt && each.expected_us) {
    EXPECT_NEAR(static_cast<double>(*rtt), static_cast<double>(*each.expected_us), 40);
  }
}

INSTANTIATE_TEST_SUITE_P(Times, FeedbackRoundTrip,
                         ::testing::Values(RoundTrip{"plain", 250'000, 0, 250'000},
                                           RoundTrip{"none", 500'000, 32'768, 0},
                                           RoundTrip{"a_little_negative", 499'000, 32'768, 0},
                                           RoundTrip{"negative", 300'000, 32'768, std::nullopt},
                                           RoundTrip{"at_the_limit", 29'999'000, 0, 29'999'000},
                                           RoundTrip{"absurd", 31'000'000, 0, std::nullopt},
                                           RoundTrip{"absurd_delay", 100'000, 0x7fff'0000, std::nullopt}),
                         [](const auto& each) { return each.param.name; });

TEST(Feedback, PictureLossAndFullIntraRequestsAreOfTheVideoAlone) {
  const auto wanted = [](std::uint32_t ssrc) {
    const auto loss = read([&](rtcp::Writer& writer) { writer.picture_loss(kViewer, ssrc); });
    const auto request = read([&](rtcp::Writer& writer) { writer.full_intra_request(kViewer, ssrc, 1); });
    EXPECT_EQ(loss.heard.key_frame_wanted, request.heard.key_frame_wanted);
    EXPECT_EQ(loss.stats.key_frame_requests, loss.heard.key_frame_wanted ? 1U : 0U);
    EXPECT_FALSE(loss.heard.about_us);
    return loss.heard.key_frame_wanted;
  };
  EXPECT_TRUE(wanted(kOwn.video));
  for (const std::uint32_t ssrc : {kOwn.rtx, kOwn.audio, kForeign, 0U}) EXPECT_FALSE(wanted(ssrc));
}

TEST(Feedback, NacksAreOfTheVideoAlone) {
  const std::array<std::uint16_t, 4> lost{65'530, 65'535, 3, 40};
  const auto ours = read([&](rtcp::Writer& writer) { writer.nack(kViewer, kOwn.video, lost); });
  EXPECT_EQ(ours.nacked, (std::vector<std::uint16_t>{65'530, 65'535, 3, 40}));
  for (const std::uint32_t ssrc : {kOwn.rtx, kOwn.audio, kForeign}) {
    EXPECT_TRUE(read([&](rtcp::Writer& writer) { writer.nack(kViewer, ssrc, lost); }).nacked.empty());
  }
}

TEST(Feedback, RembAndTransportFeedbackAreFeedback) {
  const auto remb = read([](rtcp::Writer& writer) { writer.remb(kViewer, 1'500'000, std::array{kOwn.video}); });
  EXPECT_TRUE(remb.heard.about_us);
  EXPECT_NEAR(static_cast<double>(remb.stats.remb_bps), 1'500'000, 10);
  const auto transport = read([](rtcp::Writer& writer) {
    writer.transport_feedback(kViewer, kOwn.video, 10, 0, std::array{rtcp::Writer::Arrival{5, true, 8}});
  });
  EXPECT_TRUE(transport.heard.about_us);
  EXPECT_EQ(transport.stats.transport_feedbacks, 1U);
}

TEST(Feedback, ByeIsHeard) {
  EXPECT_TRUE(read([](rtcp::Writer& writer) { writer.bye(std::array{kViewer}); }).heard.bye);
}

TEST(Feedback, WhatCameBeforeAMalformedPacketCounts) {
  const auto outcome = read(
      [](rtcp::Writer& writer) {
        writer.picture_loss(kViewer, kOwn.video);
        writer.bye(std::array{kViewer});
      },
      at(0), 1);
  EXPECT_TRUE(outcome.heard.key_frame_wanted);
  EXPECT_FALSE(outcome.heard.bye);
  EXPECT_EQ(outcome.stats.rtcp_malformed, 1U);
}

}  // namespace
}  // namespace mediacore::egress
