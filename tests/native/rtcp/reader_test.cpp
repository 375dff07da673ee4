#include "core/rtcp/reader.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "../rtp/bytes.hpp"

namespace mediacore::rtcp {
namespace {

using rtp::Error;
using rtp::ErrorCode;
using rtp::testing::Buffer;
using rtp::testing::from_hex;

TEST(RtcpReader, ReadsACompoundPacket) {
  const Buffer data = from_hex(
      "80c8 0006 00000001 e000000080000000 00015f90 00000064 000186a0"  // SR
      "81ca 0003 00000001 0102 6162 00000000"                           // SDES
      "81ce 0002 00000002 00000001");                                   // PLI
  Reader reader(data);
  const auto report = reader.next();
  ASSERT_TRUE(report);
  EXPECT_EQ(std::get<SenderReport>(*report).ntp, 0xe000000080000000U);
  const auto loss = reader.next();
  ASSERT_TRUE(loss);
  EXPECT_EQ(std::get<PictureLoss>(*loss).media_ssrc, 1U);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.error());
}

}  // namespace
}  // namespace mediacore::rtcp
