// When sources are a crowd.
#include "io/crowd.hpp"

#include <gtest/gtest.h>

namespace mediacore::io {
namespace {

TEST(Crowd, TenDevicesAreOne) {
  Crowd crowd;
  EXPECT_FALSE(crowd.is_there());
  crowd.observe({.units = 74, .sources = 10});
  EXPECT_FALSE(crowd.is_there());
  crowd.observe({.units = 75, .sources = 10});
  EXPECT_TRUE(crowd.is_there());
}

// Readings were counted, of which a crowd makes fewer: it came and went with each tick.
TEST(Crowd, StaysUntilItIsHalfAsBusy) {
  Crowd crowd;
  crowd.observe({.units = 80, .sources = 10});
  crowd.observe({.units = 38, .sources = 10});
  EXPECT_TRUE(crowd.is_there());
  crowd.observe({.units = 36, .sources = 10});
  EXPECT_FALSE(crowd.is_there());
  crowd.observe({.units = 38, .sources = 10});
  EXPECT_FALSE(crowd.is_there());
}

TEST(Crowd, AFewBusySourcesAreNone) {
  Crowd crowd;
  crowd.observe({.units = 1000, .sources = 3});
  EXPECT_FALSE(crowd.is_there());
  crowd.observe({.units = 1000, .sources = 4});
  EXPECT_TRUE(crowd.is_there());
  crowd.observe({.units = 1000, .sources = 3});
  EXPECT_FALSE(crowd.is_there());
}

}  // namespace
}  // namespace mediacore::io
