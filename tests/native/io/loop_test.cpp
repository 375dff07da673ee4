// The media loop itself: its sockets, its queues, its end.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "loop_fixture.hpp"

namespace mediacore::io::testing {
namespace {

using Loop = LoopTest;

TEST_F(Loop, RefusesAddressesThatAreNotOurs) {
  try {
    const MediaLoop other({.addresses = {"127.0.0.1", "192.0.2.1"}});
    FAIL() << "it was opened";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::address_not_available);
    EXPECT_NE(std::string(error.what()).find("192.0.2.1"), std::string::npos);
  }
}

TEST_F(Loop, TakesPortsOfARange) {
  const auto first = static_cast<std::uint16_t>(loop.sockets(0).at(0).port);
  const MediaLoop::Settings settings{.addresses = {"127.0.0.1", "127.0.0.2"},
                                     .port = first,
                                     .last_port = static_cast<std::uint16_t>(std::min(first + 50, 0xffff))};
  const MediaLoop other(settings);
  const auto names = other.sockets(0);
  ASSERT_EQ(names.size(), 2U);
  EXPECT_GT(names[0].port, first) << "it is taken on one of the addresses";
  EXPECT_EQ(names[0].port, names[1].port);
  const MediaLoop::Settings taken{.addresses = {"127.0.0.1"}, .port = first};
  EXPECT_THROW(MediaLoop third(taken), std::system_error);
}

TEST_F(Loop, RefusesCommandsBeyondItsQueue) {
  const Id rendition = add_rendition();
  std::size_t taken = 0;
  try {
    for (; taken < 1'000'000; ++taken) loop.request_key_frame(rendition);
  } catch (const QueueFull&) {
    EXPECT_GE(taken + 1, CommandQueue::kCapacity) << "the rendition may still wait, too";
    EXPECT_GE(loop.figures().commands_refused, 1U);
  }
  EXPECT_TRUE(eventually([&] {
    try {
      loop.request_key_frame(rendition);
      return true;
    } catch (const QueueFull&) {
      return false;
    }
  }));
}

TEST_F(Loop, RefusedSourcesStayTheCallers) {
  Device device;
  const int fd = device.give();
  loop.close();
  EXPECT_THROW(loop.add_source(1, fd, 2000, 0), LoopClosed);
  EXPECT_EQ(::close(fd), 0);
}

TEST_F(Loop, IsClosedOnce) {
  const Id rendition = add_rendition();
  Device device;
  add_source(rendition, device);
  loop.close();
  EXPECT_TRUE(device.is_left());
  loop.close();
  EXPECT_THROW(loop.take_events(), LoopClosed);
  EXPECT_THROW(loop.event_descriptor(), LoopClosed);
  EXPECT_THROW(loop.figures(), LoopClosed);
  EXPECT_THROW(loop.remove(rendition, 1), LoopClosed);
}

TEST_F(Loop, AnswersTheRemovalOfNothing) {
  loop.remove(kNobody, 77);
  const auto done = wait_for<Done>();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->token, 77U);
  EXPECT_EQ(done->error, "");
}

}  // namespace
}  // namespace mediacore::io::testing
