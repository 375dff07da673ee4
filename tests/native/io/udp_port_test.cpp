#include "io/udp_port.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "io/socket_address.hpp"
#include "loopback.hpp"

namespace mediacore::io {
namespace {

using testing::Buffer;

void send(const UdpPort& from, const ice::Endpoint& to, const Buffer& data) {
  SocketAddress address{};
  const socklen_t size = to_socket_address(to, address);
  ASSERT_EQ(sendto(from.descriptor(), data.data(), data.size(), 0, &address.any, size),
            static_cast<ssize_t>(data.size()));
}

int option(const UdpPort& port, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(getsockopt(port.descriptor(), level, name, &value, &size), 0);
  return value;
}

TEST(EndpointOf, ReadsAddresses) {
  const auto v4 = endpoint_of("192.0.2.7", 5000, 3);
  ASSERT_TRUE(v4);
  EXPECT_TRUE(v4->is_ipv4());
  EXPECT_EQ(v4->port, 5000);
  EXPECT_EQ(v4->socket, 3);
  EXPECT_EQ(host_of(*v4), "192.0.2.7");
  EXPECT_EQ(endpoint_of("::ffff:192.0.2.7", 5000, 3), v4);

  const auto v6 = endpoint_of("2001:db8::1", 1, 0);
  ASSERT_TRUE(v6);
  EXPECT_FALSE(v6->is_ipv4());
  EXPECT_EQ(host_of(*v6), "2001:db8::1");
}

TEST(EndpointOf, RefusesWhatIsNoAddress) {
  for (const char* text : {"", "localhost", "1.2.3", "1.2.3.4:5", "fe80::1%lo", "[::1]", "1.2.3.256"}) {
    EXPECT_FALSE(endpoint_of(text, 1, 0)) << text;
  }
}

class UdpPortOf : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Families, UdpPortOf, ::testing::Values("127.0.0.1", "::1"));

TEST_P(UdpPortOf, ReadsDatagramsWithTheirOrigin) {
  UdpPort receiver = testing::open_port(GetParam(), 9);
  const UdpPort sender = testing::open_port(GetParam());
  const std::int64_t before_us = testing::monotonic_us();
  send(sender, testing::address_of(receiver), {1, 2, 3});
  send(sender, testing::address_of(receiver), {4});
  const auto received = testing::receive(receiver, 2);
  const std::int64_t after_us = testing::monotonic_us();
  ASSERT_EQ(received.size(), 2U);
  EXPECT_EQ(received[0].data, (Buffer{1, 2, 3}));
  EXPECT_EQ(received[1].data, (Buffer{4}));
  EXPECT_EQ(received[0].from, testing::address_of(sender, 9));
  // The two clocks are read one after the other, and cut to microseconds.
  for (const auto& datagram : received) {
    EXPECT_GE(datagram.arrived_us, before_us - 1000);
    EXPECT_LE(datagram.arrived_us, after_us);
  }
}

TEST_P(UdpPortOf, TellsArrivalNotReading) {
  UdpPort receiver = testing::open_port(GetParam());
  send(testing::open_port(GetParam()), testing::address_of(receiver), {1});
  ASSERT_TRUE(testing::readable(receiver, 2000));
  const std::uint64_t realtime_ns = testing::clock_ns(CLOCK_REALTIME);
  // As if it were read 3 s later.
  const auto datagrams = receiver.read(10'000'000, realtime_ns + 3'000'000'000);
  ASSERT_EQ(datagrams.size(), 1U);
  // A kernel that has only just begun to stamp does so at the reading, a little after the clock was looked at.
  EXPECT_LE(datagrams[0].arrived_us, 7'100'000);
  EXPECT_GT(datagrams[0].arrived_us, 5'000'000);
}

TEST_P(UdpPortOf, TakesNowForAStampOfAnotherTime) {
  UdpPort receiver = testing::open_port(GetParam());
  const UdpPort sender = testing::open_port(GetParam());
  for (const std::int64_t wrong_ns : {-3'000'000'000LL, 3'600'000'000'000LL}) {
    send(sender, testing::address_of(receiver), {1});
    ASSERT_TRUE(testing::readable(receiver, 2000));
    const auto realtime_ns = static_cast<std::int64_t>(testing::clock_ns(CLOCK_REALTIME)) + wrong_ns;
    const auto datagrams = receiver.read(77, static_cast<std::uint64_t>(realtime_ns));
    ASSERT_EQ(datagrams.size(), 1U);
    EXPECT_EQ(datagrams[0].arrived_us, 77) << wrong_ns;
  }
}

TEST_P(UdpPortOf, ReadsManyInBatches) {
  UdpPort receiver = testing::open_port(GetParam());
  const UdpPort sender = testing::open_port(GetParam());
  for (std::uint8_t i = 0; i < kDatagramsPerRead + 3; ++i) send(sender, testing::address_of(receiver), {i});
  const std::uint64_t realtime_ns = testing::clock_ns(CLOCK_REALTIME);
  EXPECT_EQ(receiver.read(0, realtime_ns).size(), kDatagramsPerRead);
  const auto rest = receiver.read(0, realtime_ns);
  ASSERT_EQ(rest.size(), 3U);
  EXPECT_EQ(rest[2].data[0], kDatagramsPerRead + 2);
  EXPECT_TRUE(receiver.read(0, realtime_ns).empty());
}

TEST_P(UdpPortOf, TellsThatADatagramWasTooLong) {
  UdpPort receiver = testing::open_port(GetParam());
  const UdpPort sender = testing::open_port(GetParam());
  send(sender, testing::address_of(receiver), Buffer(kDatagramBytes + 1, 7));
  send(sender, testing::address_of(receiver), Buffer(kDatagramBytes, 8));
  send(sender, testing::address_of(receiver), {});
  const auto received = testing::receive(receiver, 3);
  ASSERT_EQ(received.size(), 3U);
  EXPECT_TRUE(received[0].data.empty());
  EXPECT_EQ(received[1].data, Buffer(kDatagramBytes, 8));
  EXPECT_TRUE(received[2].data.empty());
  EXPECT_EQ(received[2].from.port, sender.port());
}

TEST_P(UdpPortOf, IgnoresThatSomebodyWasNotThere) {
  UdpPort receiver = testing::open_port(GetParam());
  std::optional<UdpPort> peer = testing::open_port(GetParam());
  const std::uint16_t number = peer->port();
  // On a connected socket the refusal of a datagram is the error of the next call.
  SocketAddress address{};
  const socklen_t size = to_socket_address(testing::address_of(*peer), address);
  ASSERT_EQ(connect(receiver.descriptor(), &address.any, size), 0);
  peer.reset();
  ASSERT_EQ(::send(receiver.descriptor(), "x", 1, 0), 1);
  ASSERT_EQ(recv(receiver.descriptor(), nullptr, 0, MSG_DONTWAIT), -1);
  ASSERT_EQ(errno, ECONNREFUSED);

  ASSERT_EQ(::send(receiver.descriptor(), "x", 1, 0), 1);
  std::error_code error;
  peer = UdpPort::open(GetParam(), number, 0, error);
  ASSERT_TRUE(peer) << error.message();
  send(*peer, testing::address_of(receiver), {5});
  const auto datagrams = receiver.read(0, 0);
  ASSERT_EQ(datagrams.size(), 1U);
  EXPECT_EQ(datagrams[0].data[0], 5);
}

TEST_P(UdpPortOf, IsNonBlockingWithRaisedBuffers) {
  UdpPort port = testing::open_port(GetParam());
  EXPECT_NE(port.port(), 0);
  EXPECT_EQ(port.host(), GetParam());
  EXPECT_TRUE(port.read(0, 0).empty());
  // Whatever the system allows: more than what a socket has by itself.
  const int plain = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int before = 0;
  socklen_t size = sizeof before;
  ASSERT_EQ(getsockopt(plain, SOL_SOCKET, SO_SNDBUF, &before, &size), 0);
  close(plain);
  EXPECT_GE(port.send_buffer_bytes(), before);
  EXPECT_GE(port.receive_buffer_bytes(), before);
}

TEST_P(UdpPortOf, LetsPacketsBeCut) {
  const UdpPort port = testing::open_port(GetParam());
  if (endpoint_of(GetParam(), 0, 0)->is_ipv4()) {
    EXPECT_EQ(option(port, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_OMIT);
  } else {
    EXPECT_EQ(option(port, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_DONT);
    EXPECT_EQ(option(port, IPPROTO_IPV6, IPV6_V6ONLY), 1);
  }
}

TEST_P(UdpPortOf, TellsThatAPortIsTaken) {
  const UdpPort first = testing::open_port(GetParam());
  std::error_code error;
  EXPECT_FALSE(UdpPort::open(GetParam(), first.port(), 0, error));
  EXPECT_EQ(error, std::errc::address_in_use);
}

TEST(UdpPort, TellsWhatIsNoLocalAddress) {
  std::error_code error;
  EXPECT_FALSE(UdpPort::open("localhost", 0, 0, error));
  EXPECT_EQ(error, std::errc::invalid_argument);
  EXPECT_FALSE(UdpPort::open("192.0.2.1", 0, 0, error));
  EXPECT_EQ(error, std::errc::address_not_available);
}

TEST(UdpPort, OneNumberServesBothFamilies) {
  // Another program may have the number in the other family: then the next free one is tried.
  std::optional<UdpPort> v6;
  for (int attempt = 0; attempt < 20 && !v6; ++attempt) {
    const UdpPort v4 = testing::open_port("0.0.0.0");
    std::error_code error;
    v6 = UdpPort::open("::", v4.port(), 1, error);
  }
  EXPECT_TRUE(v6);  // while IPv4 had it
}

}  // namespace
}  // namespace mediacore::io
