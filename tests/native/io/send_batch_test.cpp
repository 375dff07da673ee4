#include "io/send_batch.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <stdexcept>

#include "loopback.hpp"

namespace mediacore::io {
namespace {

using testing::address_of;
using testing::Buffer;
using testing::open_port;
using testing::receive;
using testing::Received;

// A packet whose bytes tell its number.
Buffer packet(std::size_t size, std::uint8_t number) {
  Buffer bytes(size, number);
  for (std::size_t i = 0; i < size; i += 7) bytes[i] = static_cast<std::uint8_t>(i);
  bytes[0] = number;
  return bytes;
}

void put(SendBatch& batch, const Buffer& bytes) {
  std::copy(bytes.begin(), bytes.end(), batch.reserve(bytes.size() + 30));
  batch.commit(bytes.size());
}

std::vector<Buffer> data_of(const std::vector<Received>& received) {
  std::vector<Buffer> data;
  for (const Received& datagram : received) data.push_back(datagram.data);
  return data;
}

struct Way {
  const char* host;
  bool gso;
};

void PrintTo(const Way& way, std::ostream* out) {
  *out << way.host << (way.gso ? " gso" : "");
}

class SendBatchOver : public ::testing::TestWithParam<Way> {
 protected:
  UdpPort sender_ = open_port(GetParam().host);
  UdpPort receiver_ = open_port(GetParam().host);
  SendBatch batch_{{sender_.descriptor()}, GetParam().gso};
};
INSTANTIATE_TEST_SUITE_P(Ways, SendBatchOver,
                         ::testing::Values(Way{"127.0.0.1", true}, Way{"127.0.0.1", false}, Way{"::1", true},
                                           Way{"::1", false}));

TEST_P(SendBatchOver, SendsEqualPacketsInOneMessage) {
  std::vector<Buffer> sent;
  batch_.to(address_of(receiver_));
  for (std::uint8_t i = 0; i < 10; ++i) sent.push_back(packet(i < 9 ? 1200 : 300, i));
  for (const Buffer& bytes : sent) put(batch_, bytes);
  EXPECT_TRUE(batch_.flush());
  EXPECT_FALSE(batch_.blocked(0));

  const auto received = receive(receiver_, sent.size());
  EXPECT_EQ(data_of(received), sent);
  EXPECT_EQ(received[0].from, address_of(sender_));
  const SendStats& stats = batch_.stats();
  EXPECT_EQ(stats.calls, 1U);
  EXPECT_EQ(stats.messages, GetParam().gso ? 1U : 10U);
  EXPECT_EQ(stats.packets, 10U);
  EXPECT_EQ(stats.bytes, 9 * 1200U + 300U);
  EXPECT_EQ(stats.gso_refused, 0U);
}

TEST_P(SendBatchOver, SendsUnequalPacketsInOneCall) {
  std::vector<Buffer> sent;
  batch_.to(address_of(receiver_));
  // Groups: 100 | 200 200 50 | 60 | 200 | 201 200: a longer one begins anew, and nothing follows a shorter one.
  for (const std::size_t size : {100, 200, 200, 50, 60, 200, 201, 200}) {
    sent.push_back(packet(size, static_cast<std::uint8_t>(sent.size())));
    put(batch_, sent.back());
  }
  EXPECT_TRUE(batch_.flush());
  EXPECT_EQ(data_of(receive(receiver_, sent.size())), sent);
  EXPECT_EQ(batch_.stats().calls, 1U);
  EXPECT_EQ(batch_.stats().messages, GetParam().gso ? 5U : 8U);
}

TEST_P(SendBatchOver, SendsToManyPlacesInOneCall) {
  constexpr std::size_t kPlaces = 16;
  std::vector<UdpPort> receivers;
  for (std::size_t i = 0; i < kPlaces; ++i) receivers.push_back(open_port(GetParam().host));
  for (std::uint8_t i = 0; i < kPlaces; ++i) {
    batch_.to(address_of(receivers[i]));
    for (std::uint8_t k = 0; k < 5; ++k) put(batch_, packet(1000, static_cast<std::uint8_t>(i + k)));
  }
  EXPECT_TRUE(batch_.flush());
  EXPECT_EQ(batch_.stats().calls, 1U);
  EXPECT_EQ(batch_.stats().messages, GetParam().gso ? kPlaces : 5 * kPlaces);
  for (std::uint8_t i = 0; i < kPlaces; ++i) {
    const auto received = receive(receivers[i], 5);
    ASSERT_EQ(received.size(), 5U);
    for (std::uint8_t k = 0; k < 5; ++k) EXPECT_EQ(received[k].data, packet(1000, static_cast<std::uint8_t>(i + k)));
  }
}

TEST_P(SendBatchOver, KeepsTheLimitsOfAMessage) {
  batch_.to(address_of(receiver_));
  for (std::size_t i = 0; i < 2 * kMaxGsoSegments + 1; ++i) put(batch_, packet(10, static_cast<std::uint8_t>(i)));
  EXPECT_TRUE(batch_.flush());
  EXPECT_EQ(receive(receiver_, 2 * kMaxGsoSegments + 1).size(), 2 * kMaxGsoSegments + 1);
  EXPECT_EQ(batch_.stats().messages, GetParam().gso ? 3U : 129U);

  // 46 packets of 1400 bytes are more than fits.
  for (std::uint8_t i = 0; i < 48; ++i) put(batch_, packet(1400, i));
  EXPECT_TRUE(batch_.flush());
  EXPECT_EQ(receive(receiver_, 48).size(), 48U);
  EXPECT_EQ(batch_.stats().messages, GetParam().gso ? 5U : 177U);
}

TEST_P(SendBatchOver, WritesChannelData) {
  ice::Endpoint relay = address_of(receiver_);
  relay.channel = 0x4abc;
  batch_.to(relay);
  for (std::uint8_t i = 0; i < 3; ++i) put(batch_, packet(258, i));
  put(batch_, packet(5, 3));
  relay.channel = 0x4abd;  // another one of the same server, with packets of the same size: no reason to begin anew
  batch_.to(relay);
  put(batch_, packet(1, 4));
  EXPECT_TRUE(batch_.flush());
  const auto received = receive(receiver_, 5);
  ASSERT_EQ(received.size(), 5U);
  for (std::uint8_t i = 0; i < 3; ++i) {
    Buffer wanted{0x4a, 0xbc, 1, 2};
    const Buffer inner = packet(258, i);
    wanted.insert(wanted.end(), inner.begin(), inner.end());
    EXPECT_EQ(received[i].data, wanted);
  }
  EXPECT_EQ(Buffer(received[3].data.begin(), received[3].data.begin() + 4), (Buffer{0x4a, 0xbc, 0, 5}));
  EXPECT_EQ(received[3].data.size(), 9U);  // not padded
  EXPECT_EQ(received[4].data, (Buffer{0x4a, 0xbd, 0, 1, 4}));
  EXPECT_EQ(batch_.stats().messages, GetParam().gso ? 2U : 5U);
}

TEST_P(SendBatchOver, ABadPlaceHurtsNobodyElse) {
  UdpPort other = open_port(GetParam().host);
  ice::Endpoint no_port = address_of(receiver_);
  no_port.port = 0;
  const bool is_ipv4 = no_port.is_ipv4();
  // Refused by the kernel: a broadcast without permission. (No IPv6 address is refused on every machine.)
  const ice::Endpoint refused = is_ipv4 ? endpoint_of("255.255.255.255", 9, 0).value() : no_port;
  const ice::Endpoint other_family = endpoint_of(is_ipv4 ? "::1" : "127.0.0.1", other.port(), 0).value();
  ice::Endpoint no_socket = address_of(receiver_);
  no_socket.socket = 7;
  for (int round = 0; round < 3; ++round) {
    for (const ice::Endpoint& place :
         {address_of(receiver_), no_port, refused, other_family, no_socket, address_of(other)}) {
      batch_.to(place);
      for (std::uint8_t i = 0; i < 4; ++i) put(batch_, packet(500, i));
    }
    EXPECT_TRUE(batch_.flush());
  }
  EXPECT_EQ(receive(receiver_, 12).size(), 12U);
  EXPECT_EQ(receive(other, 12).size(), 12U);
  EXPECT_EQ(batch_.stats().packets, 24U);
  EXPECT_EQ(batch_.stats().dropped_error, 48U);

  // And GSO works as before.
  const std::uint64_t messages = batch_.stats().messages;
  batch_.to(address_of(receiver_));
  for (std::uint8_t i = 0; i < 4; ++i) put(batch_, packet(500, i));
  EXPECT_TRUE(batch_.flush());
  EXPECT_EQ(batch_.stats().messages - messages, GetParam().gso ? 1U : 4U);
}

TEST_P(SendBatchOver, SendsMoreThanABlockHolds) {
  // More than a receive buffer holds, too: what matters here is that all of it left.
  constexpr std::size_t kPackets = kBlockBytes / 1200 + 100;
  batch_.to(address_of(receiver_));
  for (std::size_t i = 0; i < kPackets; ++i) put(batch_, packet(1200, static_cast<std::uint8_t>(i)));
  EXPECT_TRUE(batch_.flush());
  EXPECT_TRUE(batch_.flush());
  const SendStats& stats = batch_.stats();
  EXPECT_EQ(stats.packets, kPackets);
  EXPECT_EQ(stats.calls, 2U);
  EXPECT_EQ(stats.dropped_error + stats.dropped_full, 0U);
}

TEST_P(SendBatchOver, WhatIsNotCommittedIsNotSent) {
  batch_.to(address_of(receiver_));
  put(batch_, packet(100, 1));
  batch_.reserve(200);
  put(batch_, packet(100, 2));
  batch_.reserve(10);
  batch_.commit(0);
  batch_.commit(5);
  EXPECT_TRUE(batch_.flush());
  EXPECT_EQ(data_of(receive(receiver_, 2)), (std::vector{packet(100, 1), packet(100, 2)}));
  EXPECT_EQ(batch_.stats().packets, 2U);
  EXPECT_THROW(batch_.reserve(kMaxPacketBytes + 1), std::length_error);
}

TEST_P(SendBatchOver, SocketsComeAndGo) {
  const UdpPort relay = open_port(GetParam().host, 40);
  batch_.to(address_of(receiver_, 40));
  put(batch_, packet(10, 1));
  EXPECT_TRUE(batch_.flush());
  EXPECT_EQ(batch_.stats().dropped_error, 1U);

  batch_.add_socket(40, relay.descriptor());
  put(batch_, packet(10, 2));  // the same place: it is there now
  EXPECT_TRUE(batch_.flush());
  auto received = receive(receiver_, 1);
  ASSERT_EQ(received.size(), 1U);
  EXPECT_EQ(received[0].from.port, relay.port());

  put(batch_, packet(10, 3));
  put(batch_, packet(10, 4));
  batch_.remove_socket(40);
  put(batch_, packet(10, 5));
  EXPECT_TRUE(batch_.flush());
  EXPECT_EQ(batch_.stats().dropped_closed, 2U);
  EXPECT_EQ(batch_.stats().dropped_error, 2U);
  EXPECT_EQ(batch_.stats().packets, 1U);
  batch_.remove_socket(40);
  EXPECT_FALSE(batch_.blocked(40));
  EXPECT_FALSE(batch_.blocked(1000));
}

TEST_P(SendBatchOver, AllocatesNothingOnceItIsWarm) {
  batch_.to(address_of(receiver_));
  const auto burst = [&] {
    const std::uint8_t* first = nullptr;
    for (std::uint8_t i = 0; i < 100; ++i) {
      std::uint8_t* const place = batch_.reserve(1200);
      if (first == nullptr) first = place;
      std::fill_n(place, 1200, i);
      batch_.commit(1200);
    }
    batch_.flush();
    return first;
  };
  burst();
  const std::uint8_t* const second = burst();
  EXPECT_EQ(burst(), second);  // the same block
}

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
      if (header.msg_controllen > 0)
        segment = *reinterpret_cast<const std::uint16_t*>(CMSG_DATA(CMSG_FIRSTHDR(&header)));
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
