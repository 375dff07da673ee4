#include "core/rtp/packet.hpp"

#include <gtest/gtest.h>

#include <array>

#include "bytes.hpp"

namespace mediacore::rtp {
namespace {

using testing::Buffer;
using testing::from_hex;
using testing::to_buffer;
using testing::operator+;

const Header kHeader{
    .payload_type = 96, .marker = true, .sequence_number = {0x0102}, .timestamp = {0x03040506}, .ssrc = 0x0708090a};

TEST(Packet, HasItsFieldsWhereTheRfcPutsThem) {
  const Buffer payload{0xaa, 0xbb};
  const std::array<std::uint32_t, 2> csrcs{1, 2};
  const Buffer elements = from_hex("51ff 0000");
  const PacketParts parts{csrcs, {0xbede, elements, true}, 3};
  Buffer out(64);
  const auto size = write_packet(kHeader, parts, payload, out);
  ASSERT_TRUE(size);
  out.resize(*size);
  EXPECT_EQ(out, from_hex("b2 e0 0102 03040506 0708090a"  // V P X CC, M PT, sequence number, timestamp, SSRC
                          "00000001 00000002"             // CSRCs
                          "bede 0001 51ff0000"            // profile, words, elements
                          "aabb 000003"));                // payload, padding
  const auto packet = parse_packet(out);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->header, kHeader);
  ASSERT_EQ(packet->csrc_count(), 2U);
  EXPECT_EQ(packet->csrc(1), 2U);
  EXPECT_EQ(packet->extension.profile, 0xbede);
  EXPECT_EQ(to_buffer(packet->extension.data), elements);
  EXPECT_EQ(to_buffer(packet->payload), payload);
  EXPECT_EQ(packet->padding_bytes, 3);
}

TEST(Packet, PayloadMayStandInTheOutput) {
  Buffer out = Buffer(kFixedHeaderBytes, 0) + Buffer{1, 2, 3};
  const auto size = write_packet(kHeader, {}, std::span(out).last(3), out);
  ASSERT_TRUE(size);
  EXPECT_EQ(*size, out.size());
  EXPECT_EQ(to_buffer(parse_packet(out)->payload), (Buffer{1, 2, 3}));
}

TEST(Packet, AnEmptyExtensionIsStillOne) {
  const auto packet = parse_packet(from_hex("90 60 0001 00000002 00000003 1000 0000"));
  ASSERT_TRUE(packet);
  EXPECT_TRUE(packet->extension.present);
  EXPECT_TRUE(packet->extension.data.empty());
  EXPECT_TRUE(packet->payload.empty());
}

struct Bad {
  const char* hex;
  ErrorCode code;
  std::size_t byte_offset;
};

class BadPacket : public ::testing::TestWithParam<Bad> {};

TEST_P(BadPacket, IsRefused) {
  const Buffer data = from_hex(GetParam().hex);
  const auto packet = parse_packet(data);
  ASSERT_FALSE(packet);
  EXPECT_EQ(packet.error(), (Error{GetParam().code, GetParam().byte_offset}));
}

INSTANTIATE_TEST_SUITE_P(
    Packets, BadPacket,
    ::testing::Values(Bad{"", ErrorCode::empty, 0},                                                   //
                      Bad{"40600001000000020000000300", ErrorCode::wrong_version, 0},                 //
                      Bad{"8060000100000002000000", ErrorCode::truncated, 11},                        //
                      Bad{"816000010000000200000003000000", ErrorCode::truncated, 15},                // CSRC cut
                      Bad{"906000010000000200000003bede", ErrorCode::extension_cut, 14},              // no length
                      Bad{"906000010000000200000003bede000200000000", ErrorCode::extension_cut, 20},  // elements cut
                      Bad{"a06000010000000200000003", ErrorCode::bad_padding, 11},                    // nowhere
                      Bad{"a0600001000000020000000300", ErrorCode::bad_padding, 12},                  // zero
                      Bad{"a06000010000000200000003aa03", ErrorCode::bad_padding, 13}));              // too long

TEST(Packet, WrongValuesWriteNothing) {
  Buffer out(64);
  const std::array<std::uint32_t, 16> csrcs{};
  Header header = kHeader;
  header.payload_type = 128;
  EXPECT_EQ(write_packet(header, {}, {}, out).error().code, ErrorCode::value_out_of_range);
  EXPECT_EQ(write_packet(kHeader, {.csrcs = csrcs}, {}, out).error().code, ErrorCode::value_out_of_range);
  const Buffer odd(3);
  EXPECT_EQ(write_packet(kHeader, {.csrcs = {}, .extension = {1, odd, true}}, {}, out).error().code,
            ErrorCode::extension_too_long);
  EXPECT_EQ(write_packet(kHeader, {}, Buffer(53), out).error().code, ErrorCode::no_room);
  EXPECT_EQ(write_packet(kHeader, {.csrcs = {}, .padding_bytes = 53}, {}, out).error().code, ErrorCode::no_room);
  EXPECT_EQ(write_packet(kHeader, {}, {}, std::span(out).first(11)).error().code, ErrorCode::no_room);
  EXPECT_EQ(out, Buffer(64));
}

}  // namespace
}  // namespace mediacore::rtp
