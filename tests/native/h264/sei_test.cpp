#include "core/h264/sei.hpp"

#include <gtest/gtest.h>

#include "bitstream.hpp"

namespace mediacore::h264 {
namespace {

using testing::Buffer;
using testing::from_hex;

TEST(Sei, FindsARecoveryPoint) {
  EXPECT_TRUE(has_recovery_point(from_hex("060601c480")));
  EXPECT_TRUE(
      has_recovery_point(from_hex("060102aabb060184"
                                  "80")))
      << "after another message";
}

TEST(Sei, SkipsMessagesOfAnySize) {
  Buffer nal{0x06, 0xFF, 0x10, 0xFF, 0xFF, 0x02};  // type 271, 512 bytes
  nal.resize(nal.size() + 512, 0xAA);
  nal.insert(nal.end(), {0x06, 0x01, 0xC4, 0x80});
  EXPECT_TRUE(has_recovery_point(nal));
}

TEST(Sei, ABrokenMessageIsNoRecoveryPoint) {
  for (const char* hex : {"", "06", "0606", "060601", "0605ff", "0605046162", "06ffffff", "06060000", "0680"}) {
    EXPECT_FALSE(has_recovery_point(from_hex(hex))) << hex;
  }
}

}  // namespace
}  // namespace mediacore::h264
