#include "core/egress/frame_queue.hpp"

#include <gtest/gtest.h>

#include "frames.hpp"

namespace mediacore::egress {
namespace {

using testing::delta_frame;
using testing::key_frame;

constexpr std::size_t kOverhead = 50;
constexpr std::size_t kPacket = 1000 + kOverhead;

TEST(FrameQueue, CountsWhatWaitsPacketByPacket) {
  FrameQueue queue(kOverhead);
  queue.push(delta_frame(1, 3), 1);
  queue.push(delta_frame(2, 1), 2);
  EXPECT_EQ(queue.bytes(), 4 * kPacket);
  EXPECT_FALSE(queue.advance());
  EXPECT_EQ(queue.bytes(), 3 * kPacket);
  EXPECT_EQ(queue.front().next, 1U);
  EXPECT_FALSE(queue.advance());
  EXPECT_TRUE(queue.advance());
  EXPECT_EQ(queue.front().pts_us, 2);
  EXPECT_TRUE(queue.advance());
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0U);
}

TEST(FrameQueue, TheNewestKeyFrameIsNotBehindItself) {
  FrameQueue queue(kOverhead);
  queue.push(key_frame(1, 10), 1);
  EXPECT_EQ(queue.bytes_behind(), 0U);
  queue.push(delta_frame(2, 2), 2);
  EXPECT_EQ(queue.bytes_behind(), 2 * kPacket);
  queue.advance();
  EXPECT_EQ(queue.bytes_behind(), 2 * kPacket) << "a packet of the key frame left";
  queue.push(key_frame(3, 5), 3);
  EXPECT_EQ(queue.bytes_behind(), (9 + 2) * kPacket) << "the former key frame counts";
  EXPECT_EQ(queue.bytes(), (9 + 2 + 5) * kPacket);
  EXPECT_EQ(queue.keep(1), 2U);
  EXPECT_EQ(queue.bytes_behind(), 0U);
  EXPECT_EQ(queue.bytes(), 5 * kPacket);
  EXPECT_EQ(queue.front().pts_us, 3);
}

TEST(FrameQueue, AReplayCountsAsItsKeyFrame) {
  FrameQueue queue(kOverhead);
  queue.push(key_frame(1, 10), 1, true);
  queue.push(delta_frame(2, 2), 2, true);
  queue.push(delta_frame(3, 2), 3, true);
  EXPECT_EQ(queue.bytes_behind(), 0U);
  queue.push(delta_frame(4, 1), 4);
  EXPECT_EQ(queue.bytes_behind(), kPacket);
}

TEST(FrameQueue, DropsFromTheFront) {
  FrameQueue queue(kOverhead);
  queue.push(key_frame(1, 3), 1);
  queue.push(delta_frame(2), 2);
  queue.advance();
  EXPECT_EQ(queue.keep(5), 0U);
  EXPECT_EQ(queue.keep(0), 2U);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0U);
  EXPECT_EQ(queue.bytes_behind(), 0U);
}

TEST(FrameQueue, GrowsInOrder) {
  FrameQueue queue(kOverhead);
  const FrameRef frame = delta_frame(0);
  std::int64_t next = 0;
  std::int64_t front = 0;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 5; ++i) queue.push(frame, next++);
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(queue.front().pts_us, front++);
      ASSERT_TRUE(queue.advance());
    }
  }
  EXPECT_EQ(queue.size(), 100U);
  EXPECT_EQ(queue.bytes(), 100 * kPacket);
  EXPECT_EQ(frame.use_count(), 101) << "frames that left are let go of";
}

}  // namespace
}  // namespace mediacore::egress
