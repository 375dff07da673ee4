#include <gtest/gtest.h>
#include <openssl/err.h>

#include <vector>

#include "core/srtp/packet_index.hpp"
#include "core/srtp/source_table.hpp"
#include "packets.hpp"

namespace mediacore::srtp {
namespace {

using namespace testing;

class SrtpPackets : public ::testing::TestWithParam<Profile> {
 protected:
  Buffer seal(std::uint64_t index, std::uint32_t ssrc = kSsrc) {
    return sealed(sealer_, rtp_packet(index, 20, ssrc), index);
  }
  // Opens a packet with this index, sealed by this sealer.
  Opened open(std::uint64_t index, std::uint32_t ssrc = kSsrc) { return opened(opener_, seal(index, ssrc)); }
  static Opened plain(std::uint64_t index, std::uint32_t ssrc = kSsrc) {
    return plainly(rtp_packet(index, 20, ssrc).bytes);
  }
  // The opener's highest index is raised to this one, in the steps in which it can follow.
  void go_to(std::uint64_t index) {
    for (; next_ < index; next_ += 0x7000) EXPECT_EQ(open(next_), plain(next_));
    EXPECT_EQ(open(index), plain(index));
    next_ = index + 0x7000;
  }

  std::uint64_t next_ = 0;
  RtpSealer sealer_{keys_of(GetParam())};
  RtpOpener opener_{keys_of(GetParam())};
};

INSTANTIATE_TEST_SUITE_P(Profiles, SrtpPackets, ::testing::ValuesIn(kProfiles),
                         [](const auto& profile) { return name_of(profile.param); });

// The packet that libsrtp's own tests begin with.
TEST(Srtp, SealsTheReferencePacketOfLibsrtp) {
  KeyMaterial keys{Profile::aes128_cm_sha1_80, {}, {}};
  std::ranges::copy(from_hex("e1f97a0d3e018be0d64fa32c06de4139"), keys.key.begin());
  std::ranges::copy(from_hex("0ec675ad498afeebb6960b3aabe6"), keys.salt.begin());
  RtpSealer sealer(keys);
  const PlainRtp plain{from_hex("800f1234decafbadcafebabe") + Buffer(16, 0xab), 12};
  EXPECT_EQ(sealed(sealer, plain, 0x1234),
            from_hex("800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb"));
}

TEST_P(SrtpPackets, ComeBackWhateverTheirShape) {
  std::uint64_t index = 100;
  for (const std::size_t payload : {0, 1, 15, 16, 17, 1100, 1460, 9000, 60'000}) {
    for (const std::size_t csrcs : {0, 1, 15}) {
      for (const std::optional<std::size_t> extension : {std::optional<std::size_t>{}, {0}, {1}, {255}}) {
        const PlainRtp packet = rtp_packet(++index, payload, kSsrc, csrcs, extension);
        const Buffer bytes = sealed(sealer_, packet, index);
        ASSERT_EQ(bytes.size(), packet.bytes.size() + rtp_overhead(GetParam()));
        EXPECT_TRUE(std::equal(packet.bytes.begin(), packet.bytes.begin() + static_cast<int>(packet.header_bytes),
                               bytes.begin()))
            << "the header stays readable";
        if (payload >= 15) {
          EXPECT_NE(to_buffer(std::span(bytes).subspan(packet.header_bytes, payload)),
                    to_buffer(std::span(packet.bytes).subspan(packet.header_bytes)));
        }
        EXPECT_EQ(opened(opener_, bytes), plainly(packet.bytes)) << payload << " " << csrcs;
      }
    }
  }
}

TEST_P(SrtpPackets, OfTheLargestSizeAreSealedAndNoLargerOnes) {
  EXPECT_EQ(sealed(sealer_, rtp_packet(1, kMaxPacketBytes - 12), 1).size(), kMaxPacketBytes + rtp_overhead(GetParam()));
  EXPECT_TRUE(sealed(sealer_, rtp_packet(2, kMaxPacketBytes - 11), 2).empty());
}

TEST_P(SrtpPackets, AreNotSealedIfSizesContradict) {
  const PlainRtp plain = rtp_packet(5);
  Buffer buffer = plain.bytes + Buffer(kMaxRtpOverhead);
  const Buffer before = buffer;
  const std::size_t size = plain.bytes.size();
  const auto short_of_room = std::span(buffer).first(size + rtp_overhead(GetParam()) - 1);
  EXPECT_EQ(sealer_.seal(short_of_room, 12, size, 5), 0U);
  EXPECT_EQ(sealer_.seal({}, 0, 0, 0), 0U);
  EXPECT_EQ(sealer_.seal(buffer, 11, size, 5), 0U);
  EXPECT_EQ(sealer_.seal(buffer, size + 1, size, 5), 0U);
  EXPECT_EQ(sealer_.seal(buffer, 12, SIZE_MAX, 5), 0U);
  EXPECT_EQ(sealer_.seal(buffer, 12, size, 6), 0U) << "not the packet's sequence number";
  EXPECT_EQ(sealer_.seal(buffer, 12, size, kRtpIndexes + 5), 0U) << "the indexes are used up";
  EXPECT_EQ(buffer, before);
  EXPECT_EQ(sealer_.seal(buffer, 12, size, kRtpIndexes - 0x10000 + 5), size + rtp_overhead(GetParam()));
}

TEST_P(SrtpPackets, FollowTheSequenceNumberOverItsWraps) {
  go_to(0xffff);
  EXPECT_EQ(open(0x10000), plain(0x10000));
  go_to(0x2'ffff);
  EXPECT_EQ(open(0x3'0000), plain(0x3'0000));
}

TEST_P(SrtpPackets, MayChangePlacesOverTheWrap) {
  go_to(0xfffd);
  for (const std::uint64_t index : {0x10001, 0xffff, 0x10000, 0xfffe, 0x10003, 0x10002}) {
    EXPECT_EQ(open(index), plain(index)) << index;
  }
  for (const std::uint64_t index : {0xfffd, 0xfffe, 0xffff, 0x10000, 0x10001, 0x10002, 0x10003}) {
    EXPECT_EQ(open(index), refused(Refusal::repeated)) << index;
  }
}

TEST_P(SrtpPackets, AreNotOpenedInAnotherRound) {
  go_to(0x10010);
  EXPECT_EQ(open(0x11), refused(Refusal::forged));
  EXPECT_EQ(open(0x20011), refused(Refusal::forged));
  EXPECT_EQ(open(0x10011), plain(0x10011));
}

TEST_P(SrtpPackets, MayJumpAheadByHalfARound) {
  EXPECT_EQ(open(0), plain(0));
  EXPECT_EQ(open(0x8000), plain(0x8000));
  EXPECT_EQ(open(0xffff), plain(0xffff));
  EXPECT_EQ(open(0xffff + 0x7fff), plain(0xffff + 0x7fff));
}

TEST_P(SrtpPackets, BeginAnywhereInTheFirstRound) {
  for (std::uint32_t ssrc = 0; const std::uint64_t index : {0, 1, 0x7fff, 0x8000, 0xffff}) {
    ++ssrc;
    EXPECT_EQ(open(index, ssrc), plain(index, ssrc)) << index;
  }
}

TEST_P(SrtpPackets, AreOpenedOnce) {
  EXPECT_EQ(open(7), plain(7));
  EXPECT_EQ(open(7), refused(Refusal::repeated));
  EXPECT_EQ(open(8), plain(8));
  EXPECT_EQ(open(7), refused(Refusal::repeated));
}

TEST_P(SrtpPackets, AreTooOldBelowTheWindow) {
  go_to(0x10200);
  EXPECT_EQ(open(0x10200 - 1023), plain(0x10200 - 1023));
  EXPECT_EQ(open(0x10200 - 1023), refused(Refusal::repeated));
  EXPECT_EQ(open(0x10200 - 1024), refused(Refusal::too_old));
  EXPECT_EQ(open(0x10200 - 0x7000), refused(Refusal::too_old));
}

TEST_P(SrtpPackets, AreForgedIfAnyBitIsAnother) {
  const PlainRtp plain = rtp_packet(0x1234, 5, kSsrc, 1, 1);
  const Buffer bytes = sealed(sealer_, plain, 0x1234);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    Buffer changed = bytes;
    changed[bit / 8] ^= static_cast<std::uint8_t>(0x80 >> bit % 8);
    const Opened result = opened(opener_, changed);
    const bool version = bit < 2;
    EXPECT_TRUE(result == refused(version ? Refusal::malformed : Refusal::forged) ||
                result == refused(Refusal::malformed))
        << "bit " << bit;
    // What says how long the header is may point behind the end; nothing else is malformed.
    const bool header_size = bit == 3 || (bit >= 4 && bit < 8) || (bit >= 8 * 18 && bit < 8 * 20);
    if (!version && !header_size) {
      EXPECT_EQ(result, refused(Refusal::forged)) << "bit " << bit;
    }
  }
  EXPECT_EQ(ERR_peek_error(), 0U) << "nothing is left in OpenSSL's queue of errors";
  EXPECT_EQ(opened(opener_, bytes), plainly(plain.bytes));
}

TEST_P(SrtpPackets, AreForgedWithOtherKeys) {
  RtpSealer other_key(keys_of(GetParam(), 2));
  EXPECT_EQ(opened(opener_, sealed(other_key, rtp_packet(1), 1)), refused(Refusal::forged));
  KeyMaterial keys = keys_of(GetParam());
  keys.salt[salt_bytes(GetParam()) - 1] ^= 1;
  RtpSealer other_salt(keys);
  EXPECT_EQ(opened(opener_, sealed(other_salt, rtp_packet(1), 1)), refused(Refusal::forged));
}

TEST_P(SrtpPackets, CutShortAreRefused) {
  for (const std::size_t payload : {0, 1, 40}) {
    const Buffer bytes = sealed(sealer_, rtp_packet(9, payload, kSsrc, 1, 1), 9);
    const std::size_t least = 24 + rtp_overhead(GetParam());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_EQ(opened(opener_, to_buffer(std::span(bytes).first(size))),
                refused(size < least ? Refusal::malformed : Refusal::forged))
          << size;
    }
  }
  EXPECT_EQ(open(9), plain(9));
}

TEST_P(SrtpPackets, OfZerosAndOnesAreRefused) {
  for (std::size_t size = 0; size <= 60; ++size) {
    EXPECT_EQ(opened(opener_, Buffer(size, 0)), refused(Refusal::malformed));
    EXPECT_EQ(opened(opener_, Buffer(size, 0xff)), refused(Refusal::malformed));
    EXPECT_EQ(opened(opener_, Buffer(size, 0x80)),
              refused(size < 12 + rtp_overhead(GetParam()) ? Refusal::malformed : Refusal::forged));
  }
  EXPECT_EQ(opened(opener_, Buffer(80'000, 0x80)), refused(Refusal::malformed));
}

// A forged packet with a high number would shut the window for the true ones.
TEST_P(SrtpPackets, ThatAreForgedChangeNoState) {
  EXPECT_EQ(open(0x100), plain(0x100));
  for (const std::uint64_t index : {0x101, 0x7000, 0x8100, 0xfffe}) {
    Buffer forged = seal(index);
    forged.back() ^= 1;
    EXPECT_EQ(opened(opener_, forged), refused(Refusal::forged));
  }
  EXPECT_EQ(open(0x101), plain(0x101));
  EXPECT_EQ(open(0xff), plain(0xff));
}

TEST_P(SrtpPackets, HaveAWindowForEachSource) {
  EXPECT_EQ(open(5, 1), plain(5, 1));
  EXPECT_EQ(open(5, 2), plain(5, 2));
  EXPECT_EQ(open(5, 1), refused(Refusal::repeated));
  EXPECT_EQ(open(5, 2), refused(Refusal::repeated));
}

TEST_P(SrtpPackets, OfTooManySourcesAreRefusedAndTheOthersGoOn) {
  for (std::uint32_t forged = 0; forged < 2 * kMaxSources; ++forged) {
    Buffer bytes = seal(1, 1000 + forged);
    bytes.back() ^= 1;
    EXPECT_EQ(opened(opener_, bytes), refused(Refusal::forged)) << "and costs no place";
  }
  for (std::uint32_t ssrc = 0; ssrc < kMaxSources; ++ssrc) EXPECT_EQ(open(1, ssrc), plain(1, ssrc));
  EXPECT_EQ(open(1, kMaxSources), refused(Refusal::too_many_sources));
  for (std::uint32_t ssrc = 0; ssrc < kMaxSources; ++ssrc) {
    EXPECT_EQ(open(1, ssrc), refused(Refusal::repeated));
    EXPECT_EQ(open(2, ssrc), plain(2, ssrc));
  }
}

TEST_P(SrtpPackets, GoOnAfterAMove) {
  EXPECT_EQ(open(1), plain(1));
  RtpOpener opener = std::move(opener_);
  RtpSealer sealer = std::move(sealer_);
  EXPECT_EQ(opened(opener, sealed(sealer, rtp_packet(1), 1)), refused(Refusal::repeated));
  opener_ = std::move(opener);
  sealer_ = std::move(sealer);
  EXPECT_EQ(open(2), plain(2));
}

TEST_P(SrtpPackets, InAnyOrderWithLossAndRepeatsAreOpenedOnceEach) {
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same run each time
  std::uint64_t next = 0xfff0;
  std::vector<bool> accepted(0x30000);
  std::uint64_t highest = 0;
  for (int i = 0; i < 20'000; ++i) {
    next += random() % 5;
    const std::uint64_t back = random() % 3 == 0 ? random() % 1100 : random() % 8;
    const std::uint64_t index = next - std::min<std::uint64_t>(back, next);
    if (index >= accepted.size()) break;
    const Opened result = open(index);
    if (i == 0 || index > highest) {
      ASSERT_EQ(result, plain(index)) << index;
    } else if (highest - index >= 1024) {
      ASSERT_EQ(result, refused(Refusal::too_old)) << index;
    } else if (accepted[index]) {
      ASSERT_EQ(result, refused(Refusal::repeated)) << index;
    } else {
      ASSERT_EQ(result, plain(index)) << index;
    }
    if (result.plain) accepted[index] = true;
    if (result.plain) highest = std::max(highest, index);
  }
  EXPECT_GT(highest, 0x10000U);
}

}  // namespace
}  // namespace mediacore::srtp
