#include "core/rtp/h264_packetizer.hpp"

#include <gtest/gtest.h>

#include <random>

#include "bytes.hpp"
#include "core/rtp/h264_depacketizer.hpp"

namespace mediacore::rtp {
namespace {

using testing::Buffer;
using testing::from_hex;
using testing::to_buffers;
using testing::operator+;

Buffer nal(std::uint8_t header, std::size_t size) {
  Buffer bytes(size, 0xa5);
  bytes[0] = header;
  return bytes;
}

Buffer unit(std::initializer_list<Buffer> nals) {
  Buffer bytes;
  for (const Buffer& one : nals) bytes = bytes + from_hex("00000001") + one;
  return bytes;
}

using Payloads = std::vector<Buffer>;

Payloads packetize(const Buffer& bytes, H264Packetizer packetizer = H264Packetizer()) {
  PayloadBuffer out;
  EXPECT_FALSE(packetizer.packetize(bytes, out));
  return to_buffers(out);
}

Buffer put_together(const PayloadBuffer& payloads) {
  H264Depacketizer depacketizer;
  Buffer frame;
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const PacketInfo info{{static_cast<std::uint16_t>(i)}, {}, i + 1 == payloads.size()};
    EXPECT_FALSE(
        depacketizer.push(info, payloads[i], [&](const FrameView& view) { frame = testing::to_buffer(view.data); }));
  }
  return frame;
}

const Buffer kSps = from_hex("6742c01f1a323501407a403c2211a8");
const Buffer kPps = from_hex("681a34e3c8");

TEST(H264Packetizer, SingleNalUnit) {
  EXPECT_EQ(packetize(unit({nal(0x41, 1200)})), (Payloads{nal(0x41, 1200)}));
}

TEST(H264Packetizer, FragmentsHaveStartAndEnd) {
  const auto payloads = packetize(unit({from_hex("650102030405060708")}), H264Packetizer({.payload_bytes = 5}));
  EXPECT_EQ(payloads, (Payloads{from_hex("7c85 010203"), from_hex("7c05 040506"), from_hex("7c45 0708")}));
}

TEST(H264Packetizer, AggregationHasHighestNriAndForbiddenBit) {
  EXPECT_EQ(packetize(unit({from_hex("0601"), from_hex("c102"), from_hex("2103")})),
            (Payloads{from_hex("d8 0002 0601 0002 c102 0002 2103")}));
}

TEST(H264Packetizer, ParameterSetsGoWithTheIdrPicture) {
  const auto payloads = packetize(unit({kSps, kPps, nal(0x65, 40)}));
  EXPECT_EQ(payloads,
            (Payloads{from_hex("78 000f") + kSps + from_hex("0005") + kPps + from_hex("0028") + nal(0x65, 40)}));
}

TEST(H264Packetizer, DelimiterFillerAndRfcTypesAreLeftOut) {
  EXPECT_EQ(packetize(unit({from_hex("09f0"), nal(0x0c, 30), nal(0x41, 9), nal(0x1c, 9), nal(0x7f, 9)})),
            (Payloads{nal(0x41, 9)}));
}

TEST(H264Packetizer, EmptyNalUnitsAreSkipped) {
  EXPECT_EQ(packetize(from_hex("000001 000001 01")), (Payloads{from_hex("01")}));
  EXPECT_TRUE(packetize(Buffer{}).empty());
  EXPECT_TRUE(packetize(from_hex("00000001")).empty());
}

TEST(H264Packetizer, ErrorsLeaveNoPayload) {
  H264Packetizer mode_0({}, PacketizationMode::single_nal);
  PayloadBuffer out;
  EXPECT_FALSE(mode_0.packetize(unit({kSps, nal(0x65, 1200)}), out));
  EXPECT_EQ(out.size(), 2U);
  const auto error = mode_0.packetize(unit({kSps, nal(0x65, 1201)}), out);
  EXPECT_EQ(error, (Error{ErrorCode::nal_unit_too_large, 4 + kSps.size() + 4}));
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(mode_0.packetize(from_hex("0002000001"), out), (Error{ErrorCode::no_start_code, 1}));
}

TEST(H264Packetizer, MemoryStaysWhereItIs) {
  H264Packetizer packetizer;
  PayloadBuffer out;
  const Buffer bytes = unit({kSps, kPps, nal(0x65, 20'000)});
  EXPECT_FALSE(packetizer.packetize(bytes, out));
  const std::uint8_t* const before = out[0].data();
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(packetizer.packetize(bytes, out));
  EXPECT_EQ(out[0].data(), before);
}

TEST(H264Packetizer, RandomUnitsSurviveTheRoundTrip) {
  std::mt19937 random(7);
  const auto up_to = [&](std::size_t most) { return std::uniform_int_distribution<std::size_t>(0, most)(random); };
  PayloadBuffer out;
  for (int round = 0; round < 2000; ++round) {
    const std::size_t limit = 5 + up_to(200);
    PayloadLimits limits{
        .payload_bytes = limit, .first_reduction = up_to(limit / 8), .last_reduction = up_to(limit / 8)};
    if (round % 3 == 0) limits.single_reduction = up_to(limit / 4);
    if (round % 2 == 0) limits.split = Split::balanced;
    ASSERT_TRUE(limits.valid(kLeastH264PayloadBytes));
    Buffer bytes;
    for (std::size_t n = 1 + up_to(6); n > 0; --n) {
      bytes = bytes + unit({nal(static_cast<std::uint8_t>(0x20 * up_to(7) + 1 + up_to(7)), 1 + up_to(3 * limit))});
    }
    ASSERT_FALSE(H264Packetizer(limits).packetize(bytes, out));
    for (std::size_t i = 0; i < out.size(); ++i) {
      ASSERT_LE(out[i].size(), limits.room(i == 0, i + 1 == out.size()));
    }
    ASSERT_EQ(put_together(out), bytes);
  }
}

}  // namespace
}  // namespace mediacore::rtp
