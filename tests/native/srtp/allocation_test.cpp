// What a packet takes from the heap, inside of OpenSSL too: its functions for memory are replaced by counting ones, which
// it takes before its first use only.
#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <atomic>
#include <cstdlib>

#include "packets.hpp"

namespace mediacore::srtp {
namespace {

using namespace testing;

std::atomic<std::uint64_t> allocations{0};
std::atomic<std::int64_t> blocks{0};

// NOLINTBEGIN(cppcoreguidelines-no-malloc): what OpenSSL uses itself
void* take(std::size_t size, const char*, int) {
  ++allocations;
  ++blocks;
  return std::malloc(size);
}

void* resize(void* block, std::size_t size, const char*, int) {
  ++allocations;
  if (block == nullptr) ++blocks;
  return std::realloc(block, size);
}

void give_back(void* block, const char*, int) {
  if (block != nullptr) --blocks;
  std::free(block);
}
// NOLINTEND(cppcoreguidelines-no-malloc)

const bool kCounting = CRYPTO_set_mem_functions(take, resize, give_back) == 1;

class SrtpAllocations : public ::testing::TestWithParam<Profile> {};

INSTANTIATE_TEST_SUITE_P(Profiles, SrtpAllocations, ::testing::ValuesIn(kProfiles),
                         [](const auto& profile) { return name_of(profile.param); });

TEST_P(SrtpAllocations, AreNoneForAPacket) {
  ASSERT_TRUE(kCounting) << "OpenSSL was in use before";
  RtpSealer rtp_sealer(keys_of(GetParam()));
  RtpOpener rtp_opener(keys_of(GetParam()));
  RtcpSealer rtcp_sealer(keys_of(GetParam()));
  RtcpOpener rtcp_opener(keys_of(GetParam()));
  const Buffer rtcp_plain = rtcp_packet();
  Buffer rtp;
  Buffer rtcp;
  constexpr std::uint64_t kRounds = 50;
  constexpr std::uint64_t kWarmUp = 2;
  std::uint64_t allocations_before = 0;
  std::int64_t blocks_before = 0;
  for (std::uint64_t index = 0; index < kRounds + kWarmUp; ++index) {
    if (index == kWarmUp) {
      allocations_before = allocations;
      blocks_before = blocks;
    }
    const PlainRtp plain = rtp_packet(index, 1100);
    rtp = plain.bytes + Buffer(kMaxRtpOverhead);
    rtcp = rtcp_plain + Buffer(kMaxRtcpOverhead);
    Refusal refusal{};
    rtp.resize(rtp_sealer.seal(rtp, plain.header_bytes, plain.bytes.size(), index));
    rtcp.resize(rtcp_sealer.seal(rtcp, rtcp_plain.size()).value_or(0));
    ASSERT_TRUE(rtp_opener.open(rtp, refusal));
    ASSERT_TRUE(rtcp_opener.open(rtcp, refusal));
  }
  EXPECT_EQ(blocks, blocks_before);
  // HMAC: a copy of a state to begin with, another one to end with.
  const std::uint64_t of_a_packet = is_gcm(GetParam()) ? 0 : 2;
  EXPECT_LE(allocations - allocations_before, 4 * kRounds * of_a_packet);
}

TEST_P(SrtpAllocations, AreGivenBack) {
  ASSERT_TRUE(kCounting);
  std::int64_t before = 0;
  for (int round = 0; round < 5; ++round) {
    {
      const RtpSealer rtp_sealer(keys_of(GetParam()));
      const RtpOpener rtp_opener(keys_of(GetParam()));
      const RtcpSealer rtcp_sealer(keys_of(GetParam()));
      const RtcpOpener rtcp_opener(keys_of(GetParam()));
      EXPECT_GT(blocks, 0);
    }
    if (round == 1) before = blocks;
  }
  EXPECT_EQ(blocks, before);
}

}  // namespace
}  // namespace mediacore::srtp
