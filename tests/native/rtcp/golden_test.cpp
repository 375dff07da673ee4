// Each kind of packet as its specification draws it: the writer writes these bytes, and the reader reads them.

#include <gtest/gtest.h>

#include <array>
#include <utility>
#include <vector>

#include "../rtp/bytes.hpp"
#include "core/rtcp/reader.hpp"
#include "core/rtcp/writer.hpp"

namespace mediacore::rtcp {
namespace {

using rtp::testing::Buffer;
using rtp::testing::from_hex;
using rtp::testing::to_buffer;

constexpr ReportBlock kBlock{.ssrc = 0x0a0b0c0d,
                             .fraction_lost = 0x40,
                             .cumulative_lost = -2,
                             .highest_sequence = 0x0001fffe,
                             .jitter = 0x64,
                             .last_sr = 0x12345678,
                             .delay_since_last_sr = 0x00010000};

void expect_block(const ReportBlocks& reports) {
  ASSERT_EQ(reports.size(), 1U);
  const ReportBlock block = reports[0];
  EXPECT_EQ(block.ssrc, kBlock.ssrc);
  EXPECT_EQ(block.fraction_lost, kBlock.fraction_lost);
  EXPECT_EQ(block.cumulative_lost, kBlock.cumulative_lost);
  EXPECT_EQ(block.highest_sequence, kBlock.highest_sequence);
  EXPECT_EQ(block.jitter, kBlock.jitter);
  EXPECT_EQ(block.last_sr, kBlock.last_sr);
  EXPECT_EQ(block.delay_since_last_sr, kBlock.delay_since_last_sr);
}

// What `write` writes; empty if it refuses.
template <class Write>
Buffer written(Write&& write) {
  std::array<std::uint8_t, 256> out{};
  Writer writer(out);
  return write(writer) ? to_buffer(writer.view()) : Buffer{};
}

// The only item of the bytes.
template <class T>
T only(const Buffer& data) {
  Reader reader(data);
  const auto item = reader.next();
  EXPECT_TRUE(item && std::holds_alternative<T>(*item));
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.error());
  EXPECT_EQ(reader.skipped(), 0U);
  return item && std::holds_alternative<T>(*item) ? std::get<T>(*item) : T{};
}

TEST(RtcpGolden, SenderReport) {
  const Buffer data = from_hex(
      "81 c8 000c"         // V=2, one block; SR; 13 words
      "01020304"           // SSRC of the sender
      "e1234567 89abcdef"  // NTP time
      "00015f90"           // RTP timestamp
      "00000065"           // packets
      "000186a1"           // octets
      "0a0b0c0d"           // SSRC that is reported on
      "40 fffffe"          // a quarter lost, -2 in all
      "0001fffe"           // highest sequence number: one wrap
      "00000064"           // jitter
      "12345678"           // last SR
      "00010000");         // one second since then
  EXPECT_EQ(written([](Writer& writer) {
              return writer.sender_report(0x01020304, 0xe123456789abcdef, 90'000, 101, 100'001, {&kBlock, 1});
            }),
            data);
  const auto report = only<SenderReport>(data);
  EXPECT_EQ(report.ssrc, 0x01020304U);
  EXPECT_EQ(report.ntp, 0xe123456789abcdefU);
  EXPECT_EQ(report.rtp_timestamp, 90'000U);
  EXPECT_EQ(report.packets, 101U);
  EXPECT_EQ(report.octets, 100'001U);
  expect_block(report.reports);
}

TEST(RtcpGolden, ReceiverReport) {
  const Buffer data = from_hex(
      "81 c9 0007"  // V=2, one block; RR; 8 words
      "01020304"    // SSRC of the receiver
      "0a0b0c0d"    // SSRC that is reported on
      "40 fffffe"   // a quarter lost, -2 in all
      "0001fffe"    // highest sequence number: one wrap
      "00000064"    // jitter
      "12345678"    // last SR
      "00010000");  // one second since then
  EXPECT_EQ(written([](Writer& writer) { return writer.receiver_report(0x01020304, {&kBlock, 1}); }), data);
  const auto report = only<ReceiverReport>(data);
  EXPECT_EQ(report.ssrc, 0x01020304U);
  expect_block(report.reports);
}

TEST(RtcpGolden, SourceDescription) {
  const Buffer data = from_hex(
      "81 ca 0003"        // V=2, one chunk; SDES; 4 words
      "01020304"          // SSRC
      "01 05 6162636465"  // CNAME, 5 bytes, "abcde"
      "00");              // the end, at a word
  EXPECT_EQ(written([](Writer& writer) { return writer.sdes_cname(0x01020304, "abcde"); }), data);
  Reader reader(data);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.error());
  EXPECT_EQ(reader.skipped(), 0U);
  // A name that ends at a word is followed by a word of zeros.
  EXPECT_EQ(written([](Writer& writer) { return writer.sdes_cname(0x01020304, "abcdef"); }),
            from_hex("81ca 0004 01020304 0106 616263646566 00000000"));
}

TEST(RtcpGolden, Bye) {
  const Buffer data = from_hex(
      "82 cb 0002"  // V=2, two SSRCs; BYE; 3 words
      "01020304"    // the first
      "05060708");  // the second
  constexpr std::array<std::uint32_t, 2> kSsrcs{0x01020304, 0x05060708};
  EXPECT_EQ(written([&](Writer& writer) { return writer.bye(kSsrcs); }), data);
  EXPECT_EQ(only<Bye>(data).ssrc, 0x01020304U);
  // Nobody leaves, and a reason (RFC 3550 6.6).
  EXPECT_EQ(only<Bye>(from_hex("80cb 0000")).ssrc, 0U);
  EXPECT_EQ(only<Bye>(from_hex("81cb 0002 01020304 03 627965")).ssrc, 0x01020304U);
}

TEST(RtcpGolden, Nack) {
  const Buffer data = from_hex(
      "81 cd 0004"   // V=2, generic NACK; RTPFB; 5 words
      "01020304"     // SSRC of the sender
      "0a0b0c0d"     // SSRC of the media
      "fffe 8003"    // 65534 and the 1st, 2nd and 16th after it
      "0020 0000");  // 32
  const std::vector<std::uint16_t> lost{65'534, 65'535, 0, 14, 32};
  EXPECT_EQ(written([&](Writer& writer) { return writer.nack(0x01020304, 0x0a0b0c0d, lost); }), data);
  const auto nack = only<Nack>(data);
  EXPECT_EQ(nack.media_ssrc, 0x0a0b0c0dU);
  std::vector<std::uint16_t> read;
  nack.for_each([&](std::uint16_t sequence) { read.push_back(sequence); });
  EXPECT_EQ(read, lost);
}

TEST(RtcpGolden, PictureLoss) {
  const Buffer data = from_hex(
      "81 ce 0002"  // V=2, PLI; PSFB; 3 words
      "01020304"    // SSRC of the sender
      "0a0b0c0d");  // SSRC of the media
  EXPECT_EQ(written([](Writer& writer) { return writer.picture_loss(0x01020304, 0x0a0b0c0d); }), data);
  EXPECT_EQ(only<PictureLoss>(data).media_ssrc, 0x0a0b0c0dU);
}

TEST(RtcpGolden, FullIntraRequest) {
  const Buffer data = from_hex(
      "84 ce 0004"   // V=2, FIR; PSFB; 5 words
      "01020304"     // SSRC of the sender
      "00000000"     // not used
      "0a0b0c0d"     // SSRC of the media
      "fe 000000");  // sequence number, reserved
  EXPECT_EQ(written([](Writer& writer) { return writer.full_intra_request(0x01020304, 0x0a0b0c0d, 254); }), data);
  const auto request = only<FullIntraRequest>(data);
  EXPECT_EQ(request.media_ssrc, 0x0a0b0c0dU);
  EXPECT_EQ(request.sequence_number, 254);
}

TEST(RtcpGolden, Remb) {
  const Buffer data = from_hex(
      "8f ce 0006"  // V=2, application's feedback; PSFB; 7 words
      "01020304"    // SSRC of the sender
      "00000000"    // not used
      "52454d42"    // "REMB"
      "02 0bd090"   // two SSRCs; exponent 2, mantissa 250 000
      "0a0b0c0d"    // the first
      "0a0b0c0e");  // the second
  constexpr std::array<std::uint32_t, 2> kSsrcs{0x0a0b0c0d, 0x0a0b0c0e};
  EXPECT_EQ(written([&](Writer& writer) { return writer.remb(0x01020304, 1'000'000, kSsrcs); }), data);
  EXPECT_EQ(only<Remb>(data).bitrate_bps, 1'000'000U);
}

TEST(RtcpGolden, TransportFeedback) {
  const Buffer data = from_hex(
      "8f cd 0008"  // V=2, transport-wide; RTPFB; 9 words
      "01020304"    // SSRC of the sender
      "0a0b0c0d"    // SSRC of the media
      "fffe 002a"   // from 65534, 42 packets
      "fffffe 07"   // reference time -2 * 64 ms, the 8th feedback
      "0014"        // a run: 20 did not arrive
      "b000"        // one bit each: of 14 the first two arrived, with small deltas
      "e400"        // two bits each: of 7 the first arrived with a large delta, the second with a small one
      "2001"        // a run: 1 arrived with a small delta
      "ff 00"       // 255 and 0 quarters of a millisecond
      "ffff"        // -1
      "01 02"       // 1, 2
      "0000");      // padding
  std::vector<Writer::Arrival> arrivals;
  arrivals.reserve(42);
  for (std::uint16_t i = 0; i < 42; ++i) {
    arrivals.push_back({static_cast<std::uint16_t>(65'534 + i), false, 0});
  }
  const std::vector<std::pair<std::size_t, std::int32_t>> arrived{{20, 255}, {21, 0}, {34, -1}, {35, 1}, {41, 2}};
  for (const auto& [index, delta] : arrived) {
    arrivals[index].received = true;
    arrivals[index].delta_250us = delta;
  }
  EXPECT_EQ(written([&](Writer& writer) { return writer.transport_feedback(0x01020304, 0x0a0b0c0d, -2, 7, arrivals); }),
            data);
  const auto feedback = only<TransportFeedback>(data);
  EXPECT_EQ(feedback.base_sequence, 65'534);
  EXPECT_EQ(feedback.status_count, 42);
  EXPECT_EQ(feedback.reference_time_64ms, -2);
  EXPECT_EQ(feedback.feedback_count, 7);
  EXPECT_EQ(feedback.received, 5);
  std::size_t index = 0;
  feedback.for_each([&](std::uint16_t sequence, bool received, std::int32_t delta) {
    ASSERT_LT(index, arrivals.size());
    EXPECT_EQ(sequence, arrivals[index].sequence);
    EXPECT_EQ(received, arrivals[index].received) << index;
    EXPECT_EQ(delta, arrivals[index].delta_250us) << index;
    ++index;
  });
  EXPECT_EQ(index, arrivals.size());
  std::size_t nth = 0;
  feedback.for_each_received([&](std::uint16_t sequence, std::int32_t delta) {
    ASSERT_LT(nth, arrived.size());
    EXPECT_EQ(sequence, arrivals[arrived[nth].first].sequence);
    EXPECT_EQ(delta, arrived[nth].second);
    ++nth;
  });
  EXPECT_EQ(nth, arrived.size());
}

}  // namespace
}  // namespace mediacore::rtcp
