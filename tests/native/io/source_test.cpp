// One source's socket, without a loop.
#include "io/source.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "io/clock.hpp"
#include "loop_fixture.hpp"
#include "streams.hpp"

namespace mediacore::io::testing {
namespace {

using h264::operator+;

constexpr std::int64_t kIdleUs = 2'000;

class SourceTest : public ::testing::Test {
 protected:
  // What was written is read, and gives so many units.
  std::size_t read(bool held_back) {
    std::vector<SourceUnit> units;
    source_.read(buffer_, io::monotonic_us(), held_back, units);
    return units.size();
  }

  Device device_;
  Source source_{{.id = 1, .rendition = 2, .flush = h264::BurstFlush(kIdleUs)},
                 Descriptor(device_.give()),
                 std::make_shared<SourceShared>()};
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(Source::kReadBytes);
};

// Looks that are 5 ms apart taught pauses of 5 ms, and all units were given later for it.
TEST_F(SourceTest, TheTimeBetweenLooksIsNoPauseOfTheLink) {
  device_.write(key_unit());
  read(true);
  for (unsigned i = 0; i <= h264::BurstFlush::kCautiousUnits; ++i) {
    device_.write(delta_unit(i + 1));
    read(true);
  }
  ASSERT_EQ(source_.flush().idle_us(), kIdleUs);
  const auto unit = delta_unit(12, 400);
  for (std::size_t at = 0; at < unit.size(); at += 50) {
    device_.write(std::span(unit).subspan(at, std::min<std::size_t>(50, unit.size() - at)));
    usleep(3'000);
    read(true);
  }
  EXPECT_EQ(source_.flush().idle_us(), kIdleUs);
}

// Readings were taken for units: one busy device was a crowd.
TEST_F(SourceTest, IsAsActiveAsItsUnits) {
  device_.write(key_unit() + delta_unit(1));
  EXPECT_EQ(read(false), 1U) << "the second may go on";
  EXPECT_EQ(source_.take_activity(), 1U);
  EXPECT_EQ(source_.take_activity(), 0U);
  const auto unit = delta_unit(2, 400);
  for (const std::uint8_t& byte : unit) {
    device_.write(std::span(&byte, 1));
    read(false);
  }
  EXPECT_EQ(source_.take_activity(), 1U);
}

}  // namespace
}  // namespace mediacore::io::testing
