// The queue of commands: when it wakes the thread, and when not.
#include "io/command_queue.hpp"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

namespace mediacore::io {
namespace {

// How often it was woken since the last call.
std::uint64_t wakes(const CommandQueue& queue) {
  eventfd_t count = 0;
  return eventfd_read(queue.descriptor(), &count) == 0 ? count : 0;
}

bool push(CommandQueue& queue, bool can_wait) {
  Command command = Detach{1};
  return queue.push(command, can_wait);
}

TEST(CommandQueue, WakesTheThreadOnceForAllThatIsThere) {
  CommandQueue queue;
  ASSERT_TRUE(push(queue, false));
  ASSERT_TRUE(push(queue, false));
  EXPECT_EQ(wakes(queue), 1U);
  std::vector<Command> taken;
  queue.take(taken);
  EXPECT_EQ(taken.size(), 2U);
  ASSERT_TRUE(push(queue, false));
  EXPECT_EQ(wakes(queue), 1U);
}

TEST(CommandQueue, WhatCanWaitWakesNobodyAndKeepsNobodyFromIt) {
  CommandQueue queue;
  ASSERT_TRUE(push(queue, true));
  EXPECT_EQ(wakes(queue), 0U);
  ASSERT_TRUE(push(queue, false));
  EXPECT_EQ(wakes(queue), 1U);
  ASSERT_TRUE(push(queue, true));
  EXPECT_EQ(wakes(queue), 0U);
  std::vector<Command> taken;
  queue.take(taken);
  EXPECT_EQ(taken.size(), 3U);
}

}  // namespace
}  // namespace mediacore::io
