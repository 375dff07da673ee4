// The examples of the RFCs, which have session keys and indexes of their own.
#include "core/srtp/transform.hpp"

#include <gtest/gtest.h>

#include "../rtp/bytes.hpp"

namespace mediacore::srtp {
namespace {

using rtp::testing::Buffer;
using rtp::testing::from_hex;
using rtp::testing::to_buffer;
using rtp::testing::operator+;

TEST(AesCounter, MakesTheKeystreamOfRfc3711B2) {
  AesCounter cipher(from_hex("2b7e151628aed2a6abf7158809cf4f3c"));
  AesCounter::Block first{};
  std::ranges::copy(from_hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000"), first.begin());
  Buffer stream(0xff02 * 16);
  ASSERT_TRUE(cipher.apply(first, stream));
  const auto block = [&](std::size_t number) { return to_buffer(std::span(stream).subspan(16 * number, 16)); };
  EXPECT_EQ(block(0), from_hex("e03ead0935c95e80e166b16dd92b4eb4"));
  EXPECT_EQ(block(1), from_hex("d23513162b02d0f72a43a2fe4a5f97ab"));
  EXPECT_EQ(block(2), from_hex("41e95b3bb0a2e8dd477901e4fca894c0"));
  EXPECT_EQ(block(0xfeff), from_hex("ec8cdf7398607cb0f2d21675ea9ea1e4"));
  EXPECT_EQ(block(0xff00), from_hex("362b7c3c6773516318a077d7fc5073ae"));
  EXPECT_EQ(block(0xff01), from_hex("6a2cc3787889374fbeb4c81b17ba6c44"));
}

TEST(AesCounter, StartsAnewWithEachPacket) {
  AesCounter cipher(from_hex("2b7e151628aed2a6abf7158809cf4f3c"));
  AesCounter::Block first{};
  std::ranges::copy(from_hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd0001"), first.begin());
  Buffer part(7);  // ends within a block
  ASSERT_TRUE(cipher.apply(first, part));
  Buffer whole(16);
  ASSERT_TRUE(cipher.apply(first, whole));
  EXPECT_EQ(whole, from_hex("d23513162b02d0f72a43a2fe4a5f97ab"));
}

TEST(HmacSha1, SignsAsRfc2202Says) {
  const Buffer key(20, 0x0b);
  HmacSha1 hmac{std::span(key).first<HmacSha1::kKeyBytes>()};
  const auto text = from_hex("4869205468657265");  // "Hi There"
  HmacSha1::Code code{};
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    ASSERT_TRUE(hmac.sign(std::span(text).first(cut), std::span(text).subspan(cut), code));
    EXPECT_EQ(to_buffer(code), from_hex("b617318655057264e28bc0b6fb378c8ef146be00")) << cut;
  }
}

// RFC 7714 16 and 17.
struct Example {
  const char* name;
  Profile profile;
  const char* key;
  const char* rtp_text_and_tag;
  const char* rtcp_text_and_tag;
};

constexpr const char* kSalt = "517569642070726f2071756f";
constexpr const char* kRtpHeader = "8040f17b 8041f8d3 5501a0b2";
constexpr const char* kRtpText = "47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573";
constexpr std::uint64_t kRtpIndex = 0xf17b;  // in the first round
constexpr const char* kRtcpClear = "81c8000d 4d617273";
constexpr const char* kRtcpText =
    "4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef deadbeef";
constexpr std::uint32_t kRtcpIndex = 0x5d4;

class GcmExample : public ::testing::TestWithParam<Example> {
 protected:
  GcmExample() {
    keys_.profile = GetParam().profile;
    std::ranges::copy(from_hex(GetParam().key), keys_.key.begin());
    std::ranges::copy(from_hex(kSalt), keys_.salt.begin());
  }

  SessionKeys keys_;
};

TEST_P(GcmExample, IsSealedAndOpenedAsRtp) {
  const Buffer plain = from_hex(kRtpHeader) + from_hex(kRtpText);
  const Buffer sealed = from_hex(kRtpHeader) + from_hex(GetParam().rtp_text_and_tag);
  Buffer packet = plain + Buffer(GcmTransform::kRtpOverhead);
  ASSERT_TRUE(GcmTransform(keys_, AesGcm::Use::sealing).seal_rtp(packet, 12, kRtpIndex));
  EXPECT_EQ(packet, sealed);
  ASSERT_TRUE(GcmTransform(keys_, AesGcm::Use::opening).open_rtp(packet, 12, kRtpIndex));
  packet.resize(plain.size());
  EXPECT_EQ(packet, plain);
}

TEST_P(GcmExample, DoesNotOpenWithAnotherIndex) {
  Buffer packet = from_hex(kRtpHeader) + from_hex(GetParam().rtp_text_and_tag);
  EXPECT_FALSE(GcmTransform(keys_, AesGcm::Use::opening).open_rtp(packet, 12, kRtpIndex + 0x10000));
}

TEST_P(GcmExample, IsSealedAndOpenedAsRtcp) {
  const Buffer plain = from_hex(kRtcpClear) + from_hex(kRtcpText);
  const Buffer sealed = from_hex(kRtcpClear) + from_hex(GetParam().rtcp_text_and_tag) + from_hex("800005d4");
  Buffer packet = plain + Buffer(GcmTransform::kRtcpOverhead);
  ASSERT_TRUE(GcmTransform(keys_, AesGcm::Use::sealing).seal_rtcp(packet, kRtcpIndex));
  EXPECT_EQ(packet, sealed);
  ASSERT_TRUE(GcmTransform(keys_, AesGcm::Use::opening).open_rtcp(packet));
  packet.resize(plain.size());
  EXPECT_EQ(packet, plain);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc7714, GcmExample,
    ::testing::Values(Example{"Aes128", Profile::aead_aes_128_gcm, "000102030405060708090a0b0c0d0e0f",
                              "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833"
                              "899d7f27beb16a9152cf765ee4390cce",
                              "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded"
                              "0bb9275bc84aa45896cf4d2fc5abf87245d9eade"},
                      Example{"Aes256", Profile::aead_aes_256_gcm,
                              "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                              "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b"
                              "7aa3db36dfffd6b0f9bb7878d7a76c13",
                              "d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad"
                              "1d1eb30c4446839f57ff6f6cb26ac3be"}),
    [](const auto& example) { return example.param.name; });

}  // namespace
}  // namespace mediacore::srtp
