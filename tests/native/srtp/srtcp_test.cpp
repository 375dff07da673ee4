#include <gtest/gtest.h>
#include <openssl/err.h>

#include "core/srtp/packet_index.hpp"
#include "core/srtp/source_table.hpp"
#include "packets.hpp"

namespace mediacore::srtp {
namespace {

using namespace testing;

class SrtcpPackets : public ::testing::TestWithParam<Profile> {
 protected:
  // A sealed packet with this index.
  static Buffer seal_as(std::uint32_t index, std::uint32_t ssrc = kSsrc) {
    RtcpSealer sealer(keys_of(GetParam()), index);
    return sealed(sealer, rtcp_packet(5, ssrc));
  }
  Opened open_as(std::uint32_t index, std::uint32_t ssrc = kSsrc) { return opened(opener_, seal_as(index, ssrc)); }
  static Opened plain(std::uint32_t ssrc = kSsrc) { return plainly(rtcp_packet(5, ssrc)); }
  // Where the flag "encrypted" and the index stand.
  static std::size_t word_at(const Buffer& bytes) { return bytes.size() - (is_gcm(GetParam()) ? 4 : 14); }

  RtcpSealer sealer_{keys_of(GetParam())};
  RtcpOpener opener_{keys_of(GetParam())};
};

INSTANTIATE_TEST_SUITE_P(Profiles, SrtcpPackets, ::testing::ValuesIn(kProfiles),
                         [](const auto& profile) { return name_of(profile.param); });

// libsrtp begins with index 1.
TEST(Srtcp, SealsTheReferencePacketOfLibsrtp) {
  KeyMaterial keys{Profile::aes128_cm_sha1_80, {}, {}};
  std::ranges::copy(from_hex("e1f97a0d3e018be0d64fa32c06de4139"), keys.key.begin());
  std::ranges::copy(from_hex("0ec675ad498afeebb6960b3aabe6"), keys.salt.begin());
  RtcpSealer sealer(keys, 1);
  EXPECT_EQ(sealed(sealer, from_hex("81c8000bcafebabe") + Buffer(16, 0xab)),
            from_hex("81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798"));
}

TEST_P(SrtcpPackets, ComeBackWhateverTheirSize) {
  for (const std::size_t words : {0, 1, 5, 100, 350, 15'000}) {
    const Buffer plain = rtcp_packet(words);
    const Buffer bytes = sealed(sealer_, plain);
    ASSERT_EQ(bytes.size(), plain.size() + rtcp_overhead(GetParam()));
    EXPECT_EQ(to_buffer(std::span(bytes).first(8)), to_buffer(std::span(plain).first(8))) << "stays readable";
    EXPECT_EQ(opened(opener_, bytes), plainly(plain));
  }
}

TEST_P(SrtcpPackets, AreCountedFromZeroForAllSenders) {
  for (std::uint32_t index = 0; index < 300; ++index) {
    const Buffer bytes = sealed(sealer_, rtcp_packet(5, kSsrc + index % 2));
    EXPECT_EQ(rtp::load_be<4>(&bytes[word_at(bytes)]), 0x8000'0000 | index);
    EXPECT_EQ(opened(opener_, bytes), plain(kSsrc + index % 2));
  }
}

TEST_P(SrtcpPackets, EndWithTheLastIndex) {
  RtcpSealer sealer(keys_of(GetParam()), 0x7fff'fffe);
  EXPECT_EQ(opened(opener_, sealed(sealer, rtcp_packet())), plain());
  EXPECT_EQ(opened(opener_, sealed(sealer, rtcp_packet())), plain());
  Buffer buffer = rtcp_packet() + Buffer(kMaxRtcpOverhead);
  const Buffer before = buffer;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(sealer.seal(buffer, rtcp_packet().size()));
  EXPECT_EQ(buffer, before) << "nothing is written then";
  EXPECT_FALSE(RtcpSealer(keys_of(GetParam()), UINT32_MAX).seal(buffer, rtcp_packet().size()));
}

TEST_P(SrtcpPackets, AreNotSealedIfSizesContradictAndCostNoIndex) {
  Buffer buffer = rtcp_packet() + Buffer(kMaxRtcpOverhead);
  const std::size_t size = rtcp_packet().size();
  EXPECT_FALSE(sealer_.seal(std::span(buffer).first(size + rtcp_overhead(GetParam()) - 1), size));
  EXPECT_FALSE(sealer_.seal(buffer, 7));
  EXPECT_FALSE(sealer_.seal({}, 0));
  EXPECT_FALSE(sealer_.seal(buffer, SIZE_MAX));
  Buffer large(kMaxPacketBytes + 1 + kMaxRtcpOverhead, 0x80);
  EXPECT_FALSE(sealer_.seal(large, kMaxPacketBytes + 1));
  EXPECT_EQ(sealed(sealer_, rtcp_packet()), seal_as(0));
}

TEST_P(SrtcpPackets, AreOpenedOnceAndTooOldBelowTheWindow) {
  EXPECT_EQ(open_as(1000), plain());
  EXPECT_EQ(open_as(1000), refused(Refusal::repeated));
  EXPECT_EQ(open_as(1000 - 127), plain());
  EXPECT_EQ(open_as(1000 - 127), refused(Refusal::repeated));
  EXPECT_EQ(open_as(1000 - 128), refused(Refusal::too_old));
  EXPECT_EQ(open_as(0), refused(Refusal::too_old));
  EXPECT_EQ(open_as(0x7fff'ffff), plain());
  EXPECT_EQ(open_as(1001), refused(Refusal::too_old));
}

// libsrtp counts for each SSRC: with one window for all, a second sender's first reports would count as repeated.
TEST_P(SrtcpPackets, HaveAWindowForEachSender) {
  EXPECT_EQ(open_as(500, 1), plain(1));
  EXPECT_EQ(open_as(0, 2), plain(2));
  EXPECT_EQ(open_as(500, 2), plain(2));
  EXPECT_EQ(open_as(500, 1), refused(Refusal::repeated));
}

TEST_P(SrtcpPackets, OfTooManySendersAreRefusedAndTheOthersGoOn) {
  for (std::uint32_t ssrc = 0; ssrc < kMaxSources; ++ssrc) {
    Buffer forged = seal_as(1, 1000 + ssrc);
    forged[9] ^= 1;
    EXPECT_EQ(opened(opener_, forged), refused(Refusal::forged)) << "and costs no place";
    EXPECT_EQ(open_as(1, ssrc), plain(ssrc));
  }
  EXPECT_EQ(open_as(1, kMaxSources), refused(Refusal::too_many_sources));
  for (std::uint32_t ssrc = 0; ssrc < kMaxSources; ++ssrc) EXPECT_EQ(open_as(2, ssrc), plain(ssrc));
}

TEST_P(SrtcpPackets, AreForgedIfAnyBitIsAnother) {
  const Buffer bytes = seal_as(3);
  const std::size_t flag = 8 * word_at(bytes);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    Buffer changed = bytes;
    changed[bit / 8] ^= static_cast<std::uint8_t>(0x80 >> bit % 8);
    const Refusal reason = bit < 2 ? Refusal::malformed : bit == flag ? Refusal::not_encrypted : Refusal::forged;
    EXPECT_EQ(opened(opener_, changed), refused(reason)) << "bit " << bit;
  }
  EXPECT_EQ(ERR_peek_error(), 0U) << "nothing is left in OpenSSL's queue of errors";
  EXPECT_EQ(opened(opener_, bytes), plain()) << "and none of them has changed a state";
}

TEST_P(SrtcpPackets, AreForgedWithOtherKeys) {
  RtcpSealer other(keys_of(GetParam(), 2));
  EXPECT_EQ(opened(opener_, sealed(other, rtcp_packet())), refused(Refusal::forged));
}

TEST_P(SrtcpPackets, CutShortAreRefused) {
  const Buffer bytes = seal_as(0x0080'8080);  // so that no cut packet looks unencrypted
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Opened result = opened(opener_, to_buffer(std::span(bytes).first(size)));
    if (size < 8 + rtcp_overhead(GetParam())) {
      EXPECT_EQ(result, refused(Refusal::malformed)) << size;
    } else {
      EXPECT_TRUE(result == refused(Refusal::forged) || result == refused(Refusal::not_encrypted)) << size;
    }
  }
}

TEST_P(SrtcpPackets, OfOneByteRepeatedAreRefused) {
  const std::size_t least = 8 + rtcp_overhead(GetParam());
  for (std::size_t size = 0; size <= 60; ++size) {
    EXPECT_EQ(opened(opener_, Buffer(size, 0)), refused(Refusal::malformed));
    EXPECT_EQ(opened(opener_, Buffer(size, 0xff)), refused(Refusal::malformed));
    EXPECT_EQ(opened(opener_, Buffer(size, 0x80)), refused(size < least ? Refusal::malformed : Refusal::forged));
  }
  EXPECT_EQ(opened(opener_, Buffer(80'000, 0x80)), refused(Refusal::malformed));
}

TEST_P(SrtcpPackets, GoOnAfterAMove) {
  EXPECT_EQ(opened(opener_, sealed(sealer_, rtcp_packet())), plain());
  RtcpOpener opener = std::move(opener_);
  RtcpSealer sealer = std::move(sealer_);
  EXPECT_EQ(opened(opener, seal_as(0)), refused(Refusal::repeated));
  EXPECT_EQ(sealed(sealer, rtcp_packet()), seal_as(1));
  opener_ = std::move(opener);
  sealer_ = std::move(sealer);
  EXPECT_EQ(opened(opener_, sealed(sealer_, rtcp_packet())), plain());
}

// Keys of RTP and RTCP differ, so neither's packets open as the other's.
TEST_P(SrtcpPackets, DoNotOpenAsRtp) {
  RtpSealer sealer(keys_of(GetParam()));
  RtpOpener opener(keys_of(GetParam()));
  EXPECT_EQ(opened(opener, seal_as(1)), refused(Refusal::forged));
  const Opened result = opened(opener_, sealed(sealer, rtp_packet(1, 40), 1));
  EXPECT_TRUE(result == refused(Refusal::forged) || result == refused(Refusal::not_encrypted));
}

}  // namespace
}  // namespace mediacore::srtp
