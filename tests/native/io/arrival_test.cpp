// When the kernel got what is read.
#include "io/arrival.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "io/source.hpp"

namespace mediacore::io {
namespace {

constexpr std::int64_t kNowUs = 100'000'000;
constexpr std::int64_t kRealtimeUs = 1'700'000'000'000'000;

// The arrival of what was stamped so long ago.
std::int64_t arrival_of(std::int64_t age_us, std::int64_t oldest_us) {
  ArrivalControl control{};
  msghdr header{};
  header.msg_control = &control;
  header.msg_controllen = sizeof control;
  const std::int64_t stamp_us = kRealtimeUs - age_us;
  const timespec stamp{.tv_sec = stamp_us / 1'000'000, .tv_nsec = stamp_us % 1'000'000 * 1000};
  cmsghdr& message = *CMSG_FIRSTHDR(&header);
  message.cmsg_level = SOL_SOCKET;
  message.cmsg_type = SCM_TIMESTAMPNS;
  message.cmsg_len = CMSG_LEN(sizeof stamp);
  std::memcpy(CMSG_DATA(&message), &stamp, sizeof stamp);
  return arrival_us(header, kNowUs, std::uint64_t{kRealtimeUs} * 1000, oldest_us);
}

TEST(Arrival, IsThatOfTheStamp) {
  EXPECT_EQ(arrival_of(0, 5'000), kNowUs);
  EXPECT_EQ(arrival_of(5'000, 5'000), kNowUs - 5'000);
}

TEST(Arrival, WithoutAStampIsNow) {
  msghdr header{};
  EXPECT_EQ(arrival_us(header, kNowUs, std::uint64_t{kRealtimeUs} * 1000, 5'000), kNowUs);
}

// A clock that was set forward by a second made the pause of a source seem over, and cut the unit.
TEST(Arrival, BeforeTheClockWasSetIsNow) {
  EXPECT_EQ(arrival_of(5'001, 5'000), kNowUs);
  EXPECT_EQ(arrival_of(-1'000'000, 5'000), kNowUs);
  EXPECT_EQ(arrival_of(1'000'000, Source::kOldestArrivalUs), kNowUs);
}

}  // namespace
}  // namespace mediacore::io
