#include "core/stun/message.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "../rtp/bytes.hpp"
#include "core/rtp/byte_order.hpp"
#include "core/stun/crc32.hpp"

namespace mediacore::stun {
namespace {

using rtp::Error;
using rtp::ErrorCode;
using rtp::testing::Buffer;
using rtp::testing::from_hex;
using rtp::testing::operator+;

// RFC 5769 2: the same transaction and password in all three.
constexpr TransactionId kId{0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};
constexpr std::string_view kPassword = "VOkJxbRl1RmTxUk/WvJxBt";

const Buffer kRequest = from_hex(
    "0001 0058"                                           // binding request, length
    "2112a442 b7e7a701bc34d686fa87dfae"                   // cookie, transaction id
    "8022 0010 5354554e207465737420636c69656e74"          // SOFTWARE "STUN test client"
    "0024 0004 6e0001ff"                                  // PRIORITY
    "8029 0008 932ff9b151263b36"                          // ICE-CONTROLLED
    "0006 0009 6576746a3a68367659 202020"                 // USERNAME "evtj:h6vY", padded with blanks
    "0008 0014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"  // MESSAGE-INTEGRITY
    "8028 0004 e57a3bcf");                                // FINGERPRINT

const Buffer kIpv4Response = from_hex(
    "0101 003c"                                           // binding success response, length
    "2112a442 b7e7a701bc34d686fa87dfae"                   // cookie, transaction id
    "8022 000b 7465737420766563746f72 20"                 // SOFTWARE "test vector", padded
    "0020 0008 0001 a147 e112a643"                        // XOR-MAPPED-ADDRESS 192.0.2.1:32853
    "0008 0014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7"  // MESSAGE-INTEGRITY
    "8028 0004 c07d4c96");                                // FINGERPRINT

const Buffer kIpv6Response = from_hex(
    "0101 0048"                                             // binding success response, length
    "2112a442 b7e7a701bc34d686fa87dfae"                     // cookie, transaction id
    "8022 000b 7465737420766563746f72 20"                   // SOFTWARE "test vector", padded
    "0020 0014 0002 a147 0113a9faa5d3f179bc25f4b5bed2b9d9"  // 2001:db8:1234:5678:11:2233:4455:6677, port 32853
    "0008 0014 a382954e4be67bf11784c97c8292c275bfe3ed41"    // MESSAGE-INTEGRITY
    "8028 0004 c8fb0b4c");                                  // FINGERPRINT

TEST(StunMessage, ReadsTheSampleRequest) {
  ASSERT_TRUE(looks_like_stun(kRequest));
  const auto message = parse(kRequest);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->message_class, Class::request);
  EXPECT_EQ(message->method, kBinding);
  EXPECT_EQ(message->transaction_id, kId);
  EXPECT_EQ(message->username, "evtj:h6vY");
  EXPECT_TRUE(message->has_priority);
  EXPECT_TRUE(message->controlled);
  EXPECT_FALSE(message->controlling);
  EXPECT_FALSE(message->use_candidate);
  EXPECT_FALSE(message->has_unknown);
  EXPECT_TRUE(message->has_integrity);
  EXPECT_EQ(message->integrity_offset, 76U);
  EXPECT_TRUE(verify(kRequest, *message, kPassword));
  EXPECT_FALSE(verify(kRequest, *message, "VOkJxbRl1RmTxUk/WvJxBT"));
  EXPECT_FALSE(verify(kRequest, *message, ""));
}

TEST(StunMessage, ReadsTheSampleResponses) {
  for (const Buffer& response : {kIpv4Response, kIpv6Response}) {
    const auto message = parse(response);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->message_class, Class::success);
    EXPECT_EQ(message->method, kBinding);
    EXPECT_EQ(message->transaction_id, kId);
    EXPECT_EQ(message->username, "");
    EXPECT_TRUE(verify(response, *message, kPassword));
  }
}

}  // namespace
}  // namespace mediacore::stun
