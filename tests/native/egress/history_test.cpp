#include "core/egress/history.hpp"

#include <gtest/gtest.h>

#include "frames.hpp"

namespace mediacore::egress {
namespace {

using testing::delta_frame;

SentPacket sent(std::uint64_t index, std::int64_t sent_us, FrameRef frame) {
  SentPacket packet;
  packet.fields.index = index;
  packet.frame = std::move(frame);
  packet.sent_us = sent_us;
  return packet;
}

std::uint16_t number(std::uint64_t index) {
  return static_cast<std::uint16_t>(index);
}

TEST(History, IsEmptyAtFirst) {
  History history;
  for (const int any : {0, 1, 32'767, 65'535}) EXPECT_EQ(history.find(static_cast<std::uint16_t>(any)), nullptr);
  EXPECT_EQ(history.find_index(0), nullptr);
}

TEST(History, FindsWhatWasSentAndNothingElse) {
  History history;
  const FrameRef frame = delta_frame(0, 3);
  for (std::uint32_t i = 0; i < 3; ++i) {
    SentPacket packet = sent(100 + i, 10, frame);
    packet.payload = i;
    history.add(packet);
  }
  for (std::uint32_t i = 0; i < 3; ++i) {
    SentPacket* const found = history.find(number(100 + i));
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->fields.index, 100 + i);
    EXPECT_EQ(found->bytes().data(), frame->payloads[i].data()) << "a reference, not a copy";
    EXPECT_EQ(history.find_index(100 + i), found);
  }
  EXPECT_EQ(history.find(99), nullptr);
  EXPECT_EQ(history.find(103), nullptr);
  EXPECT_EQ(history.find_index(99), nullptr);
  EXPECT_EQ(history.find_index(103), nullptr);
  EXPECT_EQ(history.find_index(100 + 65'536), nullptr);
}

TEST(History, KeepsTheLast1024PacketsHoweverOld) {
  History history;
  const FrameRef frame = delta_frame(0);
  for (std::uint64_t i = 0; i < 3000; ++i) history.add(sent(i, static_cast<std::int64_t>(i) * 1'000'000, frame));
  EXPECT_EQ(history.size(), History::kLeastPackets);
  EXPECT_NE(history.find(number(3000 - 1024)), nullptr);
  EXPECT_EQ(history.find(number(3000 - 1025)), nullptr);
  EXPECT_EQ(frame.use_count(), 1 + 1024) << "the others are let go of";
}

TEST(History, KeepsASecondHoweverManyPackets) {
  History history;
  const FrameRef frame = delta_frame(0);
  constexpr std::int64_t kStepUs = 100;  // 10 000 packets/s
  constexpr std::uint64_t kCount = 30'000;
  for (std::uint64_t i = 0; i < kCount; ++i) history.add(sent(i, static_cast<std::int64_t>(i) * kStepUs, frame));
  EXPECT_EQ(history.size(), 10'001U);
  for (std::uint64_t i = kCount - 10'001; i < kCount; ++i) {
    SentPacket* const found = history.find(number(i));
    ASSERT_NE(found, nullptr) << i;
    EXPECT_EQ(found->fields.index, i);
  }
  EXPECT_EQ(history.find(number(kCount - 10'002)), nullptr);
  // The rate falls: what is older than a second goes, down to 1024 packets.
  history.add(sent(kCount, 60'000'000, frame));
  EXPECT_EQ(history.size(), History::kLeastPackets);
}

TEST(History, IsBoundedByHalfTheCircle) {
  History history;
  const FrameRef frame = delta_frame(0);
  for (std::uint64_t i = 0; i < 100'000; ++i) history.add(sent(i, 0, frame));
  EXPECT_EQ(history.size(), History::kMostPackets);
  EXPECT_EQ(history.find(number(100'000 - 32'769)), nullptr);
  EXPECT_EQ(history.find(number(100'000 - 32'768))->fields.index, 100'000U - 32'768);
}

TEST(History, NumbersThatWrapNameThePacketOfTheLastRound) {
  History history;
  const FrameRef frame = delta_frame(0);
  for (std::uint64_t i = 65'000; i < 66'000; ++i) history.add(sent(i, 0, frame));
  EXPECT_EQ(history.find(65'535)->fields.index, 65'535U);
  EXPECT_EQ(history.find(0)->fields.index, 65'536U);
  EXPECT_EQ(history.find(463)->fields.index, 65'999U);
  EXPECT_EQ(history.find(464), nullptr);
}

}  // namespace
}  // namespace mediacore::egress
