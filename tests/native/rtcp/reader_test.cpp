#include "core/rtcp/reader.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "../rtp/bytes.hpp"

namespace mediacore::rtcp {
namespace {

using rtp::Error;
using rtp::ErrorCode;
using rtp::testing::Buffer;
using rtp::testing::from_hex;
using rtp::testing::operator+;

// The items by their index in the variant, and how reading ended.
struct Outcome {
  std::vector<std::size_t> kinds;
  std::optional<Error> error;
  std::uint32_t skipped = 0;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

enum Kind : std::size_t { sr, rr, nack, pli, fir, remb, twcc, bye };

Outcome read(const Buffer& data) {
  Outcome outcome;
  Reader reader(data);
  while (const auto item = reader.next()) outcome.kinds.push_back(item->index());
  EXPECT_FALSE(reader.next());
  outcome.error = reader.error();
  outcome.skipped = reader.skipped();
  return outcome;
}

const Buffer kReport = from_hex("80c9 0001 00000001");
const Buffer kPictureLoss = from_hex("81ce 0002 00000001 00000002");

TEST(RtcpReader, ReadsPacketAfterPacket) {
  const Buffer data = from_hex("80c8 0006 00000001 e000000080000000 00015f90 00000064 000186a0") +   // SR
                      from_hex("81ca 0003 00000001 0102 6162 00000000") +                            // SDES
                      kReport + kPictureLoss + from_hex("81cd 0003 00000001 00000002 0003 0000") +   // NACK
                      from_hex("84ce 0006 00000001 00000000 00000002 07000000 00000003 08000000") +  // FIR, two entries
                      from_hex("8fce 0005 00000001 00000000 52454d42 0103ffff 00000002") +           // REMB
                      from_hex("8fcd 0005 00000001 00000002 0001 0001 000000 00 2001 05 00") +       // TWCC
                      from_hex("81cb 0001 00000001");                                                // BYE
  EXPECT_EQ(read(data), (Outcome{{sr, rr, pli, nack, fir, fir, remb, twcc, bye}, std::nullopt, 0}));
}

TEST(RtcpReader, GivesEachEntryOfAFullIntraRequest) {
  const Buffer data = from_hex("84ce 0006 00000001 00000000 0000000a 07ffffff 0000000b 08000000");
  Reader reader(data);
  for (const auto& [ssrc, number] : {std::pair{10U, 7}, std::pair{11U, 8}}) {
    const auto request = std::get<FullIntraRequest>(reader.next().value());
    EXPECT_EQ(request.media_ssrc, ssrc);
    EXPECT_EQ(request.sequence_number, number);
  }
  EXPECT_FALSE(reader.next());
}

TEST(RtcpReader, SkipsAndCountsWhatItDoesNotKnow) {
  const std::vector<Buffer> unknown{
      from_hex("80cc 0002 00000001 6d656469"),           // APP
      from_hex("80cf 0001 00000001"),                    // XR (RFC 3611)
      from_hex("8bcd 0003 00000001 00000002 00000000"),  // RTPFB 11: RFC 8888
      from_hex("82cd 0000"),                             // RTPFB 2, without SSRCs even
      from_hex("82ce 0003 00000001 00000002 00000000"),  // PSFB 2: SLI
      from_hex("8fce 0003 00000001 00000002 474f4f47"),  // PSFB 15 of another application
      from_hex("8fce 0002 00000001 00000002"),           // and without a name
      from_hex("80c0 0000"),                             // 192 and 255: nothing of ours
      from_hex("80ff 0000"),
  };
  for (const Buffer& packet : unknown) {
    EXPECT_EQ(read(kReport + packet + kPictureLoss), (Outcome{{rr, pli}, std::nullopt, 1}));
  }
}

TEST(RtcpReader, TakesExtensionsOfReports) {
  EXPECT_EQ(read(from_hex("80c9 0002 00000001 deadbeef")), (Outcome{{rr}, std::nullopt, 0}));
  EXPECT_EQ(read(from_hex("80c8 0007 00000001 e000000080000000 00015f90 00000064 000186a0 deadbeef")),
            (Outcome{{sr}, std::nullopt, 0}));
}

TEST(RtcpReader, TakesAllReportBlocks) {
  Buffer data = from_hex("9fc9 00bb 00000001");
  for (std::uint8_t i = 0; i < 31; ++i) data = data + Buffer(24, i);
  Reader reader(data);
  const ReportBlocks reports = std::get<ReceiverReport>(reader.next().value()).reports;
  ASSERT_EQ(reports.size(), 31U);
  for (std::size_t i = 0; i < 31; ++i) EXPECT_EQ(reports[i].ssrc, i * 0x01010101);
}

TEST(RtcpReader, ReadsSigned24Bits) {
  const auto lost = [](const char* hex) {
    const Buffer data = from_hex("81c9 0007 00000001 00000002 ff") + from_hex(hex) + Buffer(16, 0);
    Reader reader(data);
    return std::get<ReceiverReport>(reader.next().value()).reports[0].cumulative_lost;
  };
  EXPECT_EQ(lost("000000"), 0);
  EXPECT_EQ(lost("7fffff"), 8'388'607);
  EXPECT_EQ(lost("800000"), -8'388'608);
  EXPECT_EQ(lost("ffffff"), -1);
}

// A peer computes first + bit + 1 without a wrap and asks for packet 65536.
TEST(RtcpReader, NackWraps) {
  const auto lost = [](const char* pairs, std::uint8_t words) {
    const Buffer data = Buffer{0x81, 0xcd, 0, words} + from_hex("00000001 00000002") + from_hex(pairs);
    Reader reader(data);
    std::vector<std::uint16_t> numbers;
    std::get<Nack>(reader.next().value()).for_each([&](std::uint16_t number) { numbers.push_back(number); });
    return numbers;
  };
  EXPECT_EQ(lost("fffe 0003", 3), (std::vector<std::uint16_t>{65'534, 65'535, 0}));
  EXPECT_EQ(lost("ffff 8001", 3), (std::vector<std::uint16_t>{65'535, 0, 15}));
  EXPECT_EQ(lost("0000 8000 ffff 0000", 4), (std::vector<std::uint16_t>{0, 16, 65'535}));
  EXPECT_EQ(lost("fff0 ffff", 3).size(), 17U);
}

TEST(RtcpReader, RembIsExactToItsLastBit) {
  const auto bitrate = [](const char* exponent_and_mantissa) {
    const Buffer data = from_hex("8fce 0004 00000001 00000000 52454d42 00") + from_hex(exponent_and_mantissa);
    Reader reader(data);
    const auto item = reader.next();
    return item ? std::get<Remb>(*item).bitrate_bps : 1;
  };
  EXPECT_EQ(bitrate("000000"), 0U);
  EXPECT_EQ(bitrate("03ffff"), 262'143U);
  EXPECT_EQ(bitrate("bbffff"), 0x3ffffULL << 46);  // the largest one
  EXPECT_EQ(bitrate("bfffff"), 1U);                // one bit too many
  EXPECT_EQ(bitrate("fc0001"), 1ULL << 63);
}

TEST(RtcpReader, PaddingBelongsToTheLastPacket) {
  const Buffer padded = from_hex("a1ce 0004 00000001 00000002 00000000 00000008");
  EXPECT_EQ(read(kReport + padded), (Outcome{{rr, pli}, std::nullopt, 0}));
  EXPECT_EQ(read(padded + kReport), (Outcome{{}, Error{ErrorCode::bad_padding, 0}, 0}));
  EXPECT_EQ(read(kReport + padded + kReport), (Outcome{{rr}, Error{ErrorCode::bad_padding, 8}, 0}));
  // All of a packet may be padding, as far as it needs nothing.
  EXPECT_EQ(read(from_hex("a0cb 0001 00000004")), (Outcome{{bye}, std::nullopt, 0}));
}

// libwebrtc pads each of several feedback packets in a compound packet, with less than a word.
TEST(RtcpReader, PaddingOfTransportFeedbackMayBeAnywhere) {
  const Buffer padded = from_hex("afcd 0005 00000001 00000002 0001 0001 000000 00 2001 05 01");
  const Buffer two = from_hex("afcd 0005 00000001 00000002 0001 0001 000000 00 0001 00 02");
  EXPECT_EQ(read(padded + two + kPictureLoss), (Outcome{{twcc, twcc, pli}, std::nullopt, 0}));
}

struct Bad {
  const char* hex;
  ErrorCode code;
  std::size_t byte_offset;  // in the bytes after a report of 8
};

class BadRtcp : public ::testing::TestWithParam<Bad> {};

TEST_P(BadRtcp, IsRefusedAfterWhatCameBefore) {
  const Bad& bad = GetParam();
  EXPECT_EQ(read(kReport + from_hex(bad.hex)), (Outcome{{rr}, Error{bad.code, 8 + bad.byte_offset}, 0}));
}

INSTANTIATE_TEST_SUITE_P(
    Packets, BadRtcp,
    ::testing::Values(
        // The header.
        Bad{"41ce0002", ErrorCode::wrong_version, 0}, Bad{"00", ErrorCode::wrong_version, 0},
        Bad{"81ce00", ErrorCode::truncated, 3}, Bad{"81ce0002 00000001 000000", ErrorCode::truncated, 11},
        Bad{"80caffff 00000001", ErrorCode::truncated, 8},
        // Padding: none, zero, more than the body, not whole words, more than the packet needs.
        Bad{"a0cb0000", ErrorCode::bad_padding, 3}, Bad{"a0cb0001 00000000", ErrorCode::bad_padding, 7},
        Bad{"a0cb0001 00000008", ErrorCode::bad_padding, 7},
        Bad{"a1ce0003 00000001 00000002 00000003", ErrorCode::bad_padding, 15},
        Bad{"a1ce0002 00000001 00000004", ErrorCode::truncated, 8},
        // Reports.
        Bad{"80c90000", ErrorCode::truncated, 4}, Bad{"81c90001 00000001", ErrorCode::truncated, 8},
        Bad{"80c80005 00000001 0000000000000000 00000000 00000000", ErrorCode::truncated, 24},
        Bad{"81c80006 00000001 0000000000000000 00000000 00000000 00000000", ErrorCode::truncated, 28},
        // BYE.
        Bad{"82cb0001 00000001", ErrorCode::truncated, 8},
        // Feedback: SSRCs, pairs, entries.
        Bad{"81cd0001 00000001", ErrorCode::truncated, 8}, Bad{"81cd0002 00000001 00000002", ErrorCode::truncated, 12},
        Bad{"81ce0001 00000001", ErrorCode::truncated, 8}, Bad{"84ce0002 00000001 00000000", ErrorCode::truncated, 12},
        Bad{"84ce0003 00000001 00000000 00000002", ErrorCode::length_mismatch, 16},
        Bad{"8fce0003 00000001 00000000 52454d42", ErrorCode::truncated, 16},
        Bad{"8fce0004 00000001 00000000 52454d42 01000000", ErrorCode::truncated, 20},
        Bad{"8fce0004 00000001 00000000 52454d42 00ffffff", ErrorCode::value_out_of_range, 17},
        Bad{"8fcd0001 00000001", ErrorCode::truncated, 8},
        Bad{"8fcd0003 00000001 00000002 00010001", ErrorCode::truncated, 16},
        Bad{"8fcd0005 00000001 00000002 00010000 00000000 20010500", ErrorCode::value_out_of_range, 14}));

TEST(RtcpReader, NothingIsNoPacket) {
  EXPECT_EQ(read({}), (Outcome{{}, Error{ErrorCode::empty, 0}, 0}));
}

// Each packet is cut at each byte: the whole packets before are given, and the error is where the bytes end.
TEST(RtcpReader, StandsCuts) {
  const Buffer whole = kReport + from_hex("84ce 0006 00000001 00000000 00000002 07000000 00000003 08000000") +
                       from_hex("8fcd 0007 00000001 00000002 0001 0004 000000 00 2003 4001 05060708 80000000");
  ASSERT_EQ(read(whole).kinds, (std::vector<std::size_t>{rr, fir, fir, twcc}));
  for (std::size_t size = 1; size < whole.size(); ++size) {
    const Buffer cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const bool is_whole = size == 8 || size == 36;
    EXPECT_EQ(read(cut).kinds.size(), size < 8 ? 0U : size < 36 ? 1U : 3U);
    EXPECT_EQ(read(cut).error, is_whole ? std::nullopt : std::optional(Error{ErrorCode::truncated, size}));
  }
}

TEST(RtcpReader, StandsNoise) {
  std::mt19937 random(17);
  const auto up_to = [&](unsigned most) { return std::uniform_int_distribution<unsigned>(0, most)(random); };
  std::size_t items = 0;
  for (int i = 0; i < 20'000; ++i) {
    Buffer data;
    for (unsigned packets = up_to(3); packets > 0; --packets) {
      const unsigned words = up_to(9);
      data.push_back(static_cast<std::uint8_t>(0x80 | (up_to(9) == 0 ? 0x20 : 0) | up_to(15)));
      data.push_back(static_cast<std::uint8_t>(200 + up_to(7)));
      data.push_back(0);
      data.push_back(static_cast<std::uint8_t>(words));
      for (unsigned n = 4 * words; n > 0; --n) data.push_back(static_cast<std::uint8_t>(up_to(255) & up_to(255)));
    }
    const Outcome outcome = read(data);
    items += outcome.kinds.size();
    ASSERT_LE(outcome.error.value_or(Error{ErrorCode::empty, 0}).byte_offset, data.size());
  }
  EXPECT_GT(items, 1'200U);
}

}  // namespace
}  // namespace mediacore::rtcp
