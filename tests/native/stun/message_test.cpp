#include "core/stun/message.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <random>
#include <string_view>
#include <tuple>
#include <utility>
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
using rtp::testing::to_buffer;
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
    "0020 0008 0001 a147 e112a643"                        // XOR-MAPPED-ADDRESS
    "0008 0014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7"  // MESSAGE-INTEGRITY
    "8028 0004 c07d4c96");                                // FINGERPRINT
const Buffer kIpv4 = from_hex("c0000201");                // 192.0.2.1

const Buffer kIpv6Response = from_hex(
    "0101 0048"                                                     // binding success response, length
    "2112a442 b7e7a701bc34d686fa87dfae"                             // cookie, transaction id
    "8022 000b 7465737420766563746f72 20"                           // SOFTWARE "test vector", padded
    "0020 0014 0002 a147 0113a9faa5d3f179bc25f4b5bed2b9d9"          // XOR-MAPPED-ADDRESS
    "0008 0014 a382954e4be67bf11784c97c8292c275bfe3ed41"            // MESSAGE-INTEGRITY
    "8028 0004 c8fb0b4c");                                          // FINGERPRINT
const Buffer kIpv6 = from_hex("20010db8123456780011223344556677");  // 2001:db8:1234:5678:11:2233:4455:6677
constexpr std::uint16_t kPort = 32'853;

// A message with these attributes, its length right.
Buffer message_of(const Buffer& attributes, const char* type = "0001") {
  Buffer message = from_hex(type) + Buffer(2, 0) + from_hex("2112a442") + Buffer(kId.begin(), kId.end()) + attributes;
  rtp::store_be<2>(message.size() - kHeaderBytes, &message[2]);
  return message;
}

// With a right FINGERPRINT at the end.
Buffer with_fingerprint(Buffer message) {
  rtp::store_be<2>(message.size() - kHeaderBytes + 8, &message[2]);
  Buffer value(4);
  rtp::store_be<4>(crc32(message) ^ 0x5354554e, value.data());
  return message + from_hex("8028 0004") + value;
}

// A message that is read, and the bytes that it is a view of.
class Read {
 public:
  explicit Read(Buffer data) : data_(std::move(data)), message_(parse(data_)) { EXPECT_TRUE(message_); }
  const Message* operator->() const { return message_ ? &*message_ : &none_; }

 private:
  Buffer data_;
  rtp::Result<Message> message_;
  Message none_{};
};

Error error_of(const Buffer& message) {
  const auto parsed = parse(message);
  EXPECT_FALSE(parsed);
  return parsed ? Error{ErrorCode::empty, 999} : parsed.error();
}

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
  EXPECT_FALSE(verify(kRequest, *message, kPassword.substr(1)));
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
    EXPECT_FALSE(message->has_unknown);
    EXPECT_TRUE(verify(response, *message, kPassword));
  }
}

// The attributes before MESSAGE-INTEGRITY and the length are covered, what comes after it is not; FINGERPRINT, which
// would notice each of these changes, is taken away first.
TEST(StunMessage, IntegrityCoversEveryBit) {
  Buffer message(kRequest.begin(), kRequest.end() - 8);
  message[3] = 0x50;
  ASSERT_TRUE(parse(message));
  ASSERT_TRUE(verify(message, *parse(message), kPassword));
  std::size_t parsed = 0;
  for (std::size_t bit = 0; bit < message.size() * 8; ++bit) {
    Buffer changed = message;
    changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ 1U << bit % 8);
    if (const auto read = parse(changed)) {
      ++parsed;
      EXPECT_FALSE(verify(changed, *read, kPassword)) << bit;
    }
  }
  EXPECT_GT(parsed, 500U);
}

TEST(StunMessage, FingerprintCoversEveryBit) {
  for (std::size_t bit = 0; bit < kRequest.size() * 8; ++bit) {
    Buffer changed = kRequest;
    changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ 1U << bit % 8);
    const auto read = parse(changed);
    // But where FINGERPRINT is none any more: another type, or part of a name of 41 bytes.
    const bool is_its_type = bit / 8 >= kRequest.size() - 8 && bit / 8 < kRequest.size() - 6;
    const bool is_in_the_name = bit == 63 * 8 + 5;
    EXPECT_EQ(static_cast<bool>(read), is_its_type || is_in_the_name) << bit;
  }
}

TEST(StunMessage, WritesAnAnswerAsTheSampleResponsesAre) {
  // Without SOFTWARE, so the rest is compared by reading it.
  for (const auto& [ip, response, size] :
       {std::tuple{kIpv4, kIpv4Response, std::size_t{64}}, std::tuple{kIpv6, kIpv6Response, std::size_t{76}}}) {
    std::array<std::uint8_t, kMaxResponseBytes> out{};
    const std::size_t written = write_binding_success(kId, {ip, kPort}, kPassword, out);
    ASSERT_EQ(written, size);
    const Buffer answer(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(written));
    // Its XOR-MAPPED-ADDRESS stands after the header, theirs after 16 bytes of SOFTWARE.
    const std::size_t bytes = 8 + ip.size();
    EXPECT_EQ(to_buffer(std::span(answer).subspan(20, bytes)), to_buffer(std::span(response).subspan(36, bytes)));
    const auto message = parse(answer);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->message_class, Class::success);
    EXPECT_EQ(message->method, kBinding);
    EXPECT_EQ(message->transaction_id, kId);
    EXPECT_EQ(message->integrity_offset, size - 32);
    EXPECT_TRUE(verify(answer, *message, kPassword));
    EXPECT_EQ(to_buffer(std::span(answer).subspan(size - 8, 4)), from_hex("80280004"));
  }
}

TEST(StunMessage, GoldenAnswer) {
  std::array<std::uint8_t, kMaxResponseBytes> out{};
  const std::size_t size = write_binding_success(kId, {kIpv4, kPort}, kPassword, out);
  EXPECT_EQ(to_buffer(std::span(out).first(size)),
            from_hex("0101 002c"                                           // binding success response, length
                     "2112a442 b7e7a701bc34d686fa87dfae"                   // cookie, transaction id
                     "0020 0008 00 01 a147 e112a643"                       // XOR-MAPPED-ADDRESS: IPv4, port, address
                     "0008 0014 74c9371ebf3148548518699c3e3174c20dd9e68a"  // MESSAGE-INTEGRITY
                     "8028 0004 fae4043a"));                               // FINGERPRINT
}

TEST(StunMessage, AnAddressHas4Or16Bytes) {
  std::array<std::uint8_t, kMaxResponseBytes> out{};
  for (const std::size_t bytes : {0U, 3U, 5U, 15U, 17U}) {
    EXPECT_EQ(write_binding_success(kId, {Buffer(bytes), kPort}, kPassword, out), 0U);
  }
}

TEST(StunMessage, ReadsClassAndMethod) {
  const auto type = [](const char* hex) {
    const auto message = parse(message_of({}, hex));
    EXPECT_TRUE(message);
    return std::pair(message->message_class, message->method);
  };
  EXPECT_EQ(type("0001"), std::pair(Class::request, kBinding));
  EXPECT_EQ(type("0011"), std::pair(Class::indication, kBinding));
  EXPECT_EQ(type("0101"), std::pair(Class::success, kBinding));
  EXPECT_EQ(type("0111"), std::pair(Class::error, kBinding));
  EXPECT_EQ(type("0017"), std::pair(Class::indication, std::uint16_t{0x007}));  // TURN's Data
  EXPECT_EQ(type("0109"), std::pair(Class::success, std::uint16_t{0x009}));     // TURN's ChannelBind
  EXPECT_EQ(type("3fff"), std::pair(Class::error, std::uint16_t{0xfff}));
  EXPECT_EQ(type("2ea1"), std::pair(Class::request, std::uint16_t{0xbd1}));
}

TEST(StunMessage, ReadsTheAttributesOfIce) {
  const auto read = [](const char* attributes) { return Read(message_of(from_hex(attributes))); };
  EXPECT_TRUE(read("0025 0000")->use_candidate);
  EXPECT_TRUE(read("802a 0008 0011223344556677")->controlling);
  EXPECT_TRUE(read("8029 0008 0011223344556677")->controlled);
  EXPECT_TRUE(read("0024 0004 7e0000ff")->has_priority);
  EXPECT_EQ(read("0006 0003 613a62 00")->username, "a:b");
  EXPECT_EQ(read("0006 0000")->username, "");
  EXPECT_FALSE(read("c057 0004 00000032")->has_unknown);  // GOOG-NETWORK-INFO: need not be understood
  EXPECT_TRUE(read("0003 0004 00000006")->has_unknown);   // CHANGE-REQUEST: not ours
  EXPECT_FALSE(read("0014 0004 61626364")->has_unknown);  // REALM: known, of no use
}

TEST(StunMessage, OfTwoTheFirstCounts) {
  EXPECT_EQ(Read(message_of(from_hex("0006 0001 61000000 0006 0001 62000000")))->username, "a");
  EXPECT_EQ(Read(message_of(from_hex("0006 0000 0006 0001 62000000")))->username, "");
}

TEST(StunMessage, NothingAfterTheIntegrityIsLookedAt) {
  const Buffer integrity = from_hex("0008 0014") + Buffer(20, 7);
  for (const Buffer& seal : {integrity, from_hex("001c 0020") + Buffer(32, 7)}) {
    const Read message(with_fingerprint(
        message_of(from_hex("0006 0001 61000000") + seal + from_hex("0025 0000 0003 0000 0006 0001 62000000") +
                   from_hex("0024 0001 00000000") + from_hex("0008 0014") + Buffer(20, 8))));
    EXPECT_EQ(message->username, "a");
    EXPECT_FALSE(message->use_candidate);
    EXPECT_FALSE(message->has_unknown);
    EXPECT_FALSE(message->has_priority);
    EXPECT_EQ(message->has_integrity, seal == integrity);
    EXPECT_EQ(message->integrity_offset, seal == integrity ? 28U : 0U);
  }
}

TEST(StunMessage, WithoutIntegrityNothingIsProven) {
  const Buffer data = message_of(from_hex("0006 0001 61000000"));
  const auto message = parse(data);
  ASSERT_TRUE(message);
  EXPECT_FALSE(verify(data, *message, kPassword));
  EXPECT_FALSE(verify(data, *message, ""));
}

// What was read of one datagram says nothing about another.
TEST(StunMessage, ADatagramThatIsShorterIsNotRead) {
  const auto message = parse(kRequest);
  ASSERT_TRUE(message);
  for (std::size_t size = 0; size < 100; ++size) {
    const Buffer cut(kRequest.begin(), kRequest.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(verify(cut, *message, kPassword)) << size;
  }
  Message odd = *message;
  odd.integrity_offset = 4;
  EXPECT_FALSE(verify(kRequest, odd, kPassword));
}

// 20 + 4 + bytes stand before a MESSAGE-INTEGRITY that is right.
bool is_authentic_after(std::size_t bytes, std::string_view password = kPassword) {
  Buffer head = from_hex("8022 0000");
  rtp::store_be<2>(bytes, &head[2]);
  Buffer message = message_of(head + Buffer(bytes, 'a'));
  rtp::store_be<2>(message.size() + 24 - kHeaderBytes, &message[2]);
  Buffer hmac(20);
  HMAC(EVP_sha1(), password.data(), static_cast<int>(password.size()), message.data(), message.size(), hmac.data(),
       nullptr);
  message = message + from_hex("0008 0014") + hmac;
  const auto read = parse(message);
  EXPECT_TRUE(read);
  return read && verify(message, *read, password);
}

TEST(StunMessage, AnEmptyPasswordProvesNothing) {
  EXPECT_TRUE(is_authentic_after(4, "p"));
  EXPECT_FALSE(is_authentic_after(4, ""));
}

TEST(StunMessage, VeryLongMessagesAreNotAuthentic) {
  EXPECT_TRUE(is_authentic_after(4));
  EXPECT_TRUE(is_authentic_after(kMaxVerifiedBytes - 24));
  EXPECT_FALSE(is_authentic_after(kMaxVerifiedBytes - 20));
  EXPECT_FALSE(is_authentic_after(60'000));
}

struct Bad {
  const char* what;
  Buffer data;
  ErrorCode code;
  std::size_t byte_offset;
};

Buffer cut_to(Buffer data, std::size_t size) {
  data.resize(size);
  return data;
}

Buffer with_length(Buffer data, std::uint16_t length) {
  rtp::store_be<2>(length, &data[2]);
  return data;
}

TEST(StunMessage, RefusesWhatIsMalformed) {
  const Buffer empty = message_of({});
  const std::vector<Bad> cases{
      {"nothing", {}, ErrorCode::empty, 0},
      {"RTP", from_hex("8060") + cut_to(empty, 18), ErrorCode::forbidden_bit, 0},
      {"half a header", cut_to(empty, 19), ErrorCode::truncated, 19},
      {"RFC 3489", cut_to(empty, 4) + Buffer(16, 0), ErrorCode::wrong_cookie, 4},
      {"length of 2", with_length(empty, 2), ErrorCode::length_mismatch, 2},
      {"length too large", with_length(empty, 4), ErrorCode::truncated, 20},
      {"length too small", with_length(message_of(from_hex("0025 0000")), 0), ErrorCode::after_the_last, 20},
      {"value cut", message_of(from_hex("8022 0005 61626364")), ErrorCode::truncated, 20},
      {"value far too long", message_of(from_hex("0025 0000 8022 ffff")), ErrorCode::truncated, 24},
      {"long username", message_of(from_hex("0006 01fd") + Buffer(512, 'a')), ErrorCode::value_out_of_range, 20},
      {"short integrity", message_of(from_hex("0008 0010") + Buffer(16, 0)), ErrorCode::value_out_of_range, 20},
      {"priority of 8", message_of(from_hex("0024 0008") + Buffer(8, 0)), ErrorCode::value_out_of_range, 20},
      {"use-candidate with a value", message_of(from_hex("0025 0004 00000000")), ErrorCode::value_out_of_range, 20},
      {"tie-breaker of 4", message_of(from_hex("8029 0004 00000000")), ErrorCode::value_out_of_range, 20},
      {"tie-breaker of 4", message_of(from_hex("802a 0004 00000000")), ErrorCode::value_out_of_range, 20},
      {"fingerprint of 0", message_of(from_hex("8028 0000")), ErrorCode::value_out_of_range, 20},
      {"wrong fingerprint", message_of(from_hex("8028 0004 00000000")), ErrorCode::wrong_checksum, 20},
  };
  for (const Bad& bad : cases) EXPECT_EQ(error_of(bad.data), (Error{bad.code, bad.byte_offset})) << bad.what;
}

// The checksum is that of the message as it is, so that only the place is wrong.
TEST(StunMessage, FingerprintMustBeLast) {
  Buffer message = message_of(from_hex("8028 0004 00000000 0025 0000"));
  rtp::store_be<4>(crc32(std::span(message).first(20)) ^ 0x5354554e, &message[24]);
  EXPECT_EQ(error_of(message), (Error{ErrorCode::after_the_last, 28}));
  EXPECT_TRUE(parse(with_fingerprint(message_of(from_hex("0025 0000")))));
}

TEST(StunMessage, LooksLikeStun) {
  EXPECT_TRUE(looks_like_stun(message_of({})));
  EXPECT_FALSE(looks_like_stun({}));
  EXPECT_FALSE(looks_like_stun(cut_to(message_of({}), 19)));
  EXPECT_FALSE(looks_like_stun(cut_to(message_of({}), 4) + Buffer(16, 0)));
  EXPECT_FALSE(looks_like_stun(message_of({}, "0401")));  // RFC 7983: 4 to 15 are another's
  EXPECT_TRUE(looks_like_stun(message_of({}, "03ff")));
}

TEST(StunMessage, StandsCutsAndNoise) {
  for (std::size_t size = 0; size < kRequest.size(); ++size) EXPECT_FALSE(parse(cut_to(kRequest, size)));
  std::mt19937 random(19);
  const auto up_to = [&](unsigned most) { return std::uniform_int_distribution<unsigned>(0, most)(random); };
  constexpr std::array<std::uint16_t, 9> kTypes{0x06, 0x08, 0x1c, 0x20, 0x24, 0x25, 0x8029, 0x802a, 0xc057};
  constexpr std::array<std::uint8_t, 9> kSizes{9, 20, 32, 8, 4, 0, 8, 8, 4};
  std::size_t accepted = 0;
  for (int i = 0; i < 8'000; ++i) {
    Buffer attributes;
    for (unsigned n = up_to(5); n > 0; --n) {
      const unsigned kind = up_to(8);
      const std::size_t size = up_to(9) == 0 ? up_to(40) : kSizes[kind];
      Buffer head(4);
      rtp::store_be<2>(kTypes[kind], head.data());
      rtp::store_be<2>(size, head.data() + 2);
      attributes = attributes + head + Buffer((size + 3) / 4 * 4, static_cast<std::uint8_t>(up_to(255)));
    }
    const Buffer message = message_of(attributes);
    if (const auto read = parse(up_to(1) == 0 ? with_fingerprint(message) : message)) {
      ++accepted;
      EXPECT_FALSE(verify(message, *read, kPassword));
    }
  }
  EXPECT_GT(accepted, 4'000U);
}

TEST(Crc32, IsThatOfItsCheckValue) {
  constexpr std::array<std::uint8_t, 9> kDigits{'1', '2', '3', '4', '5', '6', '7', '8', '9'};
  static_assert(crc32(kDigits) == 0xcbf43926);
  EXPECT_EQ(crc32({}), 0U);
}

}  // namespace
}  // namespace mediacore::stun
