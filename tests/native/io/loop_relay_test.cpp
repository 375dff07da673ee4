// Viewers behind a TURN server.
#include <gtest/gtest.h>

#include "remote_viewer.hpp"

namespace mediacore::io::testing {
namespace {

using egress::testing::config;
using LoopRelay = ViewerTest;

TEST_F(LoopRelay, ARelayHasASocketOfItsOwn) {
  const Id rendition = add_rendition();
  Viewer viewer = add_viewer(rendition, "a", config());
  UdpPort server = open_port("127.0.0.1");
  const auto relay = loop.open_relay_socket(viewer.id, "127.0.0.1", address_of(server));
  ASSERT_TRUE(relay);
  EXPECT_GE(relay->index, MediaLoop::kFirstRelaySocket);
  const ice::Endpoint to = address_of(server, relay->index);
  const auto allocate = ice::testing::StunBytes(ice::testing::kAllocateRequest, 5).bytes();
  ASSERT_TRUE(loop.send_datagram(viewer.id, to, allocate));
  const auto request = receive(server, 1);
  ASSERT_EQ(request.size(), 1U);
  EXPECT_EQ(request[0].data, allocate);
  EXPECT_EQ(request[0].from.port, relay->port);

  const ice::Endpoint peer = endpoint_of("203.0.113.9", 7000, relay->index).value();
  ice::Endpoint channel = to;
  channel.channel = 0x4001;
  loop.bind_channel(viewer.id, channel, peer);
  settle();
  const Buffer check = ice::testing::check("a:remote", kPassword, 9, false);
  const Buffer wrapped = ice::testing::channel_data(0x4001, check);
  sockaddr_in loop_address{};
  loop_address.sin_family = AF_INET;
  loop_address.sin_port = htons(relay->port);
  loop_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_GT(sendto(server.descriptor(), wrapped.data(), wrapped.size(), 0,
                   reinterpret_cast<const sockaddr*>(&loop_address), sizeof loop_address),
            0);
  const auto up = wait_for<DatagramUp>();
  ASSERT_TRUE(up);
  EXPECT_EQ(up->from, peer) << "as from the peer";
  EXPECT_EQ(up->data, check);
  const auto answer = receive(server, 1);
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_EQ(answer[0].data[0], 0x40) << "the answer is wrapped";
  const Buffer dtls(50, 22);
  ASSERT_TRUE(loop.send_datagram(viewer.id, peer, dtls));
  const auto out = receive(server, 1);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].data, ice::testing::channel_data(0x4001, dtls));

  for (std::size_t i = 1; i < MediaLoop::kRelaySockets; ++i) {
    EXPECT_TRUE(loop.open_relay_socket(viewer.id, "127.0.0.1", address_of(server)));
  }
  EXPECT_THROW(loop.open_relay_socket(viewer.id, "127.0.0.1", address_of(server)), TooMany);
  remove(viewer.id);
  const Id next = loop.add_viewer(rendition, "b", kPassword, 0, 0);
  EXPECT_LT(loop.open_relay_socket(next, "127.0.0.1", address_of(server))->index,
            MediaLoop::kFirstRelaySocket + MediaLoop::kRelaySockets)
      << "indices are used again";
}

}  // namespace
}  // namespace mediacore::io::testing
