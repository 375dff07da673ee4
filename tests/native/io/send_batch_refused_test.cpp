#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "io/send_batch.hpp"
#include "loopback.hpp"
#include "packets.hpp"

namespace mediacore::io {
namespace {

using testing::open_port;
using testing::packet;
using testing::put;

// A kernel that says what it is told to, one answer a call; then it takes everything.
class SendBatchRefused : public ::testing::Test {
 protected:
  struct Answer {
    int count;  // messages taken; -1: none, with this error
    int error = 0;
  };

  int answer(mmsghdr* messages, unsigned count) {
    Answer now{static_cast<int>(count)};
    if (!answers_.empty()) {
      now = answers_.front();
      answers_.erase(answers_.begin());
    }
    for (int i = 0; i < now.count; ++i) {
      const msghdr& header = messages[i].msg_hdr;
      std::size_t segment = header.msg_iov->iov_len;
      if (const cmsghdr* const control = CMSG_FIRSTHDR(&header)) {
        std::uint16_t told = 0;
        std::memcpy(&told, CMSG_DATA(control), sizeof told);
        segment = told;
      }
      taken_.push_back({static_cast<const std::uint8_t*>(header.msg_iov->iov_base)[0],
                        (header.msg_iov->iov_len + segment - 1) / segment});
    }
    errno = now.error;
    return now.count;
  }

  void gather(std::uint8_t first, std::size_t packets, std::uint16_t port = 1000, std::size_t size = 1000) {
    batch_.to(endpoint_of("127.0.0.1", port, 0).value());
    for (std::size_t i = 0; i < packets; ++i) put(batch_, packet(size, static_cast<std::uint8_t>(first + i)));
  }

  struct Taken {
    std::uint8_t first;
    std::size_t packets;
    bool operator==(const Taken&) const = default;
    friend void PrintTo(const Taken& taken, std::ostream* out) { *out << int{taken.first} << "x" << taken.packets; }
  };

  UdpPort port_ = open_port("127.0.0.1");
  std::vector<Answer> answers_;
  std::vector<Taken> taken_;
  SendBatch batch_{{port_.descriptor()}, true, [this](int, mmsghdr* messages, unsigned count, int) {
                     return answer(messages, count);
                   }};
};

TEST_F(SendBatchRefused, AnErrorCostsItsMessageOnly) {
  gather(1, 2, 1001);
  gather(11, 3, 1002);
  gather(21, 4, 1003);
  answers_ = {{1}, {-1, ENETUNREACH}};
  EXPECT_TRUE(batch_.flush());
  EXPECT_EQ(taken_, (std::vector<Taken>{{1, 2}, {21, 4}}));
  EXPECT_EQ(batch_.stats().dropped_error, 3U);
  EXPECT_EQ(batch_.stats().packets, 6U);
  EXPECT_EQ(batch_.stats().calls, 3U);
}

TEST_F(SendBatchRefused, AFullBufferKeepsTheRest) {
  gather(1, 2, 1001);
  gather(11, 3, 1002);
  answers_ = {{1}, {-1, EAGAIN}, {-1, EAGAIN}};
  EXPECT_FALSE(batch_.flush());
  EXPECT_TRUE(batch_.blocked(0));
  gather(21, 2, 1003);
  gather(23, 2, 1003);  // joins what is there
  EXPECT_FALSE(batch_.flush());
  EXPECT_TRUE(batch_.flush());
  EXPECT_FALSE(batch_.blocked(0));
  EXPECT_EQ(taken_, (std::vector<Taken>{{1, 2}, {11, 3}, {21, 4}}));
  EXPECT_EQ(batch_.stats().packets, 9U);
  EXPECT_EQ(batch_.stats().dropped_full, 0U);
}

TEST_F(SendBatchRefused, WhatIsKeptIsBounded) {
  constexpr std::size_t kSize = 1000;
  constexpr std::size_t kMost = kMaxKeptBytes / kSize;
  answers_.assign(100, {-1, EAGAIN});
  std::size_t gathered = 0;
  for (std::uint16_t i = 0; i < 40; ++i, gathered += 60) gather(1, 60, static_cast<std::uint16_t>(2000 + i), kSize);
  ASSERT_GT(gathered * kSize, 2 * kBlockBytes);  // `reserve` had to flush
  EXPECT_FALSE(batch_.flush());
  answers_.clear();
  EXPECT_TRUE(batch_.flush());
  const SendStats& stats = batch_.stats();
  EXPECT_EQ(stats.packets + stats.dropped_full, gathered);
  EXPECT_LE(stats.packets, kMost);
  EXPECT_GT(stats.packets, kMost - kMaxGsoSegments);
  // The oldest were kept.
  EXPECT_EQ(taken_.front(), (Taken{1, 60}));
}

TEST_F(SendBatchRefused, AFullDeviceQueueIsAFullBuffer) {
  gather(1, 2, 1001);
  gather(11, 3, 1002);
  answers_ = {{-1, ENOBUFS}};
  EXPECT_TRUE(batch_.flush());
  EXPECT_EQ(taken_, (std::vector<Taken>{{11, 3}}));
  EXPECT_EQ(batch_.stats().dropped_full, 2U);
}

TEST_F(SendBatchRefused, ASignalCostsNothing) {
  gather(1, 2);
  answers_ = {{-1, EINTR}};
  EXPECT_TRUE(batch_.flush());
  EXPECT_EQ(taken_, (std::vector<Taken>{{1, 2}}));
}

TEST_F(SendBatchRefused, WithoutGsoPacketsGoOneByOne) {
  for (const int error : {EINVAL, EIO, EMSGSIZE}) {
    const auto port = static_cast<std::uint16_t>(3000 + error);
    taken_.clear();
    gather(1, 3, port);
    gather(11, 2, 5000);
    answers_ = {{-1, error}};
    EXPECT_TRUE(batch_.flush());
    EXPECT_EQ(taken_, (std::vector<Taken>{{1, 1}, {2, 1}, {3, 1}, {11, 2}})) << error;
    // The place is remembered, others are not concerned.
    taken_.clear();
    gather(1, 2, port);
    gather(11, 2, 5000);
    EXPECT_TRUE(batch_.flush());
    EXPECT_EQ(taken_, (std::vector<Taken>{{1, 1}, {2, 1}, {11, 2}})) << error;
  }
  EXPECT_EQ(batch_.stats().gso_refused, 3U);
  EXPECT_EQ(batch_.stats().dropped_error, 0U);
}

TEST_F(SendBatchRefused, AFullBufferInTheMiddleOfASplitKeepsTheRest) {
  gather(1, 4);
  answers_ = {{-1, EIO}, {2}, {-1, EAGAIN}};
  EXPECT_FALSE(batch_.flush());
  EXPECT_TRUE(batch_.flush());
  EXPECT_EQ(taken_, (std::vector<Taken>{{1, 1}, {2, 1}, {3, 1}, {4, 1}}));
}

TEST_F(SendBatchRefused, APlaceThatTakesNothingIsNotGsosFault) {
  for (int i = 0; i < 20; ++i) {
    gather(1, 3, 1001);
    gather(11, 2, 1002);
    answers_ = {{-1, EINVAL}, {-1, EINVAL}};
    taken_.clear();
    EXPECT_TRUE(batch_.flush());
    EXPECT_EQ(taken_, (std::vector<Taken>{{11, 2}}));
  }
  EXPECT_EQ(batch_.stats().dropped_error, 60U);
  taken_.clear();
  gather(1, 3, 1001);
  EXPECT_TRUE(batch_.flush());
  EXPECT_EQ(taken_, (std::vector<Taken>{{1, 3}}));
}

TEST_F(SendBatchRefused, ADeviceWithoutItTurnsGsoOff) {
  for (std::uint16_t i = 0; i < kGsoRefusals; ++i) {
    gather(1, 2, static_cast<std::uint16_t>(4000 + i));
    answers_ = {{-1, EIO}};
    EXPECT_TRUE(batch_.flush());
  }
  taken_.clear();
  gather(1, 2, 5000);
  EXPECT_TRUE(batch_.flush());
  EXPECT_EQ(taken_, (std::vector<Taken>{{1, 1}, {2, 1}}));
  EXPECT_EQ(batch_.stats().gso_refused, kGsoRefusals);
}

TEST_F(SendBatchRefused, SomeNarrowPathsTurnNothingOff) {
  for (std::uint16_t i = 0; i < 3 * kGsoRefusals; ++i) {
    gather(1, 2, static_cast<std::uint16_t>(4000 + i));
    answers_ = {{-1, EMSGSIZE}};
    EXPECT_TRUE(batch_.flush());
    gather(11, 2, 5000);
    EXPECT_TRUE(batch_.flush());
  }
  EXPECT_EQ(taken_.back(), (Taken{11, 2}));
}

TEST_F(SendBatchRefused, MoreMessagesThanACallTakesNeedASecondOne) {
  constexpr std::size_t kMessages = 1500;
  for (std::size_t i = 0; i < kMessages; ++i) gather(1, 1, static_cast<std::uint16_t>(1000 + i), 100);
  EXPECT_TRUE(batch_.flush());
  EXPECT_EQ(batch_.stats().calls, 2U);
  EXPECT_EQ(batch_.stats().packets, kMessages);
  EXPECT_EQ(taken_.size(), kMessages);
}

}  // namespace
}  // namespace mediacore::io
