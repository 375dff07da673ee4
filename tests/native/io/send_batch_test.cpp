#include "io/send_batch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "loopback.hpp"
#include "packets.hpp"

namespace mediacore::io {
namespace {

using testing::address_of;
using testing::Buffer;
using testing::open_port;
using testing::packet;
using testing::put;
using testing::receive;
using testing::Received;

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

}  // namespace
}  // namespace mediacore::io
