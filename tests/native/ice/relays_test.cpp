#include "core/ice/relays.hpp"

#include <gtest/gtest.h>

#include <array>

#include "two_viewers.hpp"

namespace mediacore::ice {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the other half of this file

// A TURN server at 192.0.2.250:3478, reached from a socket of Anna's own.
class DemultiplexerRelay : public DemultiplexerTest {
 protected:
  DemultiplexerRelay() {
    EXPECT_TRUE(demux_.dedicate_socket(kAnna, kSocket));
    EXPECT_TRUE(demux_.add_relay(kAnna, kServer));
    EXPECT_TRUE(demux_.bind_channel(kAnna, with_channel(kServer, kChannel), kPeer));
  }

  Buffer in_channel(const Buffer& payload) { return channel_data(kChannel, payload); }

  static constexpr std::uint16_t kSocket = 40;
  static constexpr std::uint16_t kChannel = 0x4001;
  const Endpoint kServer = v4(250, 3478, kSocket);
  const Endpoint kPeer = v4(9, 0x1234);
};

TEST_F(DemultiplexerRelay, APeersChecksAreAnsweredThroughTheChannel) {
  const Verdict verdict = classify(in_channel(request_of(kAnna, true)), kServer);
  EXPECT_EQ(verdict.kind, Kind::up);
  EXPECT_EQ(verdict.viewer, kAnna);
  EXPECT_TRUE(verdict.authenticated);
  EXPECT_EQ(verdict.from, with_channel(kServer, kChannel));
  EXPECT_EQ(verdict.payload.data(), last_.data() + 4);
  EXPECT_EQ(verdict.payload.size(), last_.size() - 4);
  // The peer's address, not the server's.
  EXPECT_EQ(rtp::load_be<2>(&verdict.response[26]) ^ 0x2112U, 0x1234U);

  // Our check through the channel.
  EXPECT_TRUE(demux_.note_sent(kAnna, in_channel(StunBytes(kBindingRequest, 900).bytes()), kServer, now_us_));
  const Verdict answered = classify(in_channel(StunBytes(kBindingSuccess, 900).bytes()), kServer);
  EXPECT_TRUE(answered.moved);
  EXPECT_EQ(demux_.destination(kAnna), with_channel(kServer, kChannel));
  EXPECT_EQ(classify(in_channel(kDtls), kServer).kind, Kind::up);
  EXPECT_EQ(classify(in_channel(kRtcp), kServer).kind, Kind::rtcp);
  EXPECT_EQ(classify(in_channel(kRtcp), kServer).payload.size(), kRtcp.size());
}

TEST_F(DemultiplexerRelay, AnswersOfPythonInTheChannelAreSwallowedToo) {
  classify(in_channel(request_of(kAnna)), kServer);
  EXPECT_FALSE(demux_.note_sent(kAnna, in_channel(StunBytes(kBindingSuccess, transaction_).bytes()), kServer, now_us_));
}

TEST_F(DemultiplexerRelay, ChannelDataMayBePadded) {
  Buffer padded = in_channel(kDtls);
  padded.resize(padded.size() + 3);
  classify(in_channel(request_of(kAnna)), kServer);
  EXPECT_EQ(classify(padded, kServer).payload.size(), kDtls.size());
  padded = in_channel(StunBytes(kBindingRequest, 900).bytes());
  padded.resize(padded.size() + 4);
  EXPECT_TRUE(demux_.note_sent(kAnna, padded, kServer, now_us_));
  EXPECT_EQ(classify(in_channel(StunBytes(kBindingSuccess, 900).bytes()), kServer).viewer, kAnna);
  Buffer cut = in_channel(kDtls);
  cut.pop_back();
  EXPECT_EQ(classify(cut, kServer).kind, Kind::dropped);
}

TEST_F(DemultiplexerRelay, TheServersOwnMessagesGoUp) {
  demux_.note_transaction(kAnna, id_of(900), kServer, now_us_);
  const Verdict allocated = classify(StunBytes(kAllocateSuccess, 900).bytes(), kServer);
  EXPECT_EQ(allocated.kind, Kind::up);
  EXPECT_EQ(allocated.viewer, kAnna);
  EXPECT_FALSE(allocated.authenticated);
  EXPECT_EQ(classify(StunBytes(kAllocateSuccess, 900).bytes(), kServer).kind, Kind::dropped);
  EXPECT_EQ(classify(StunBytes(kDataIndication, 1).bytes(), kServer).kind, Kind::up);
  EXPECT_EQ(classify(StunBytes(kBindingIndication, 1).bytes(), kServer).kind, Kind::dropped);
  EXPECT_EQ(classify(request_of(kAnna), kServer).kind, Kind::dropped);
  EXPECT_EQ(classify(kDtls, kServer).kind, Kind::dropped);
  // A channel that Python has not told yet.
  const Verdict unbound = classify(channel_data(0x4002, kDtls), kServer);
  EXPECT_EQ(unbound.kind, Kind::up);
  EXPECT_EQ(unbound.viewer, kAnna);
  EXPECT_EQ(unbound.from, kServer);
}

TEST_F(DemultiplexerRelay, AChannelLeadsToItsViewerOnly) {
  EXPECT_EQ(classify(in_channel(request_of(kBert, true)), kServer).kind, Kind::dropped);
  EXPECT_EQ(demux_.stats().unknown_ufrag, 1U);
  EXPECT_EQ(classify(in_channel(kDtls), kServer).kind, Kind::dropped);
  EXPECT_EQ(demux_.stats().unknown_address, 1U);
}

TEST_F(DemultiplexerRelay, NobodyElseIsHeardOnItsSocket) {
  const Endpoint other = v4(1, 5000, kSocket);
  EXPECT_EQ(classify(request_of(kAnna), other).kind, Kind::dropped);
  EXPECT_EQ(classify(request_of(kBert), other).kind, Kind::dropped);
  EXPECT_EQ(demux_.stats().unknown_address, 2U);
  EXPECT_FALSE(demux_.dedicate_socket(kBert, kSocket));
  EXPECT_FALSE(demux_.add_relay(kBert, v4(251, 3478, kSocket)));
}

TEST_F(DemultiplexerRelay, OneServerIsOneViewersOnASocket) {
  EXPECT_TRUE(demux_.add_relay(kAnna, v4(250, 3478)));
  EXPECT_TRUE(demux_.add_relay(kAnna, v4(250, 3478)));
  EXPECT_FALSE(demux_.add_relay(kBert, v4(250, 3478)));
  EXPECT_TRUE(demux_.add_relay(kBert, v4(250, 3478, 1)));
  EXPECT_FALSE(demux_.bind_channel(kBert, with_channel(v4(250, 3478), kChannel), kPeer));
  // The same channel number on Bert's own socket is another channel.
  EXPECT_TRUE(demux_.bind_channel(kBert, with_channel(v4(250, 3478, 1), kChannel), kPeer));
  EXPECT_EQ(classify(in_channel(request_of(kBert)), v4(250, 3478, 1)).viewer, kBert);
}

TEST_F(DemultiplexerRelay, RelaysAndChannelsAreBounded) {
  for (std::uint16_t i = 1; i < kMaxRelays; ++i) {
    const auto port = static_cast<std::uint16_t>(4000 + i);
    EXPECT_TRUE(demux_.add_relay(kAnna, v4(250, port, kSocket)));
  }
  EXPECT_FALSE(demux_.add_relay(kAnna, v4(250, 5000, kSocket)));
  for (const std::uint16_t number : std::to_array<std::uint16_t>({0, 1, 0x3fff, 0x5000, 0xffff})) {
    EXPECT_FALSE(demux_.bind_channel(kAnna, with_channel(kServer, number), kPeer)) << number;
  }
  for (std::uint16_t i = 1; i < kMaxChannels; ++i) {
    EXPECT_TRUE(demux_.bind_channel(kAnna, with_channel(kServer, static_cast<std::uint16_t>(kChannel + i)), kPeer));
  }
  EXPECT_FALSE(demux_.bind_channel(kAnna, with_channel(kServer, 0x4fff), kPeer));
  // Binding again refreshes, and may name another peer.
  EXPECT_TRUE(demux_.bind_channel(kAnna, with_channel(kServer, kChannel), v4(9, 0x4321)));
  const Verdict verdict = classify(in_channel(request_of(kAnna)), kServer);
  EXPECT_EQ(rtp::load_be<2>(&verdict.response[26]) ^ 0x2112U, 0x4321U);
}

TEST_F(DemultiplexerRelay, NothingIsLeftOfAReleasedSocket) {
  classify(in_channel(request_of(kAnna, true)), kServer);
  EXPECT_TRUE(prove(kAnna, v4(1)).authenticated);  // another address, which stays
  demux_.note_transaction(kAnna, id_of(900), with_channel(kServer, kChannel), now_us_);
  classify(in_channel(StunBytes(kBindingSuccess, 900).bytes()), kServer);
  ASSERT_EQ(demux_.destination(kAnna), with_channel(kServer, kChannel));

  demux_.release_socket(kBert, kSocket);  // not Bert's
  EXPECT_EQ(classify(in_channel(kDtls), kServer).viewer, kAnna);
  demux_.release_socket(kAnna, kSocket);
  EXPECT_EQ(demux_.destination(kAnna), std::nullopt);
  EXPECT_EQ(classify(in_channel(kDtls), kServer).kind, Kind::dropped);
  EXPECT_EQ(classify(kDtls, v4(1)).viewer, kAnna);
  // The number may be used again.
  EXPECT_TRUE(demux_.dedicate_socket(kBert, kSocket));
  EXPECT_TRUE(demux_.add_relay(kBert, kServer));
}

TEST_F(DemultiplexerRelay, NothingIsLeftOfARemovedViewer) {
  classify(in_channel(request_of(kAnna)), kServer);
  demux_.remove(kAnna);
  EXPECT_EQ(classify(in_channel(kDtls), kServer).kind, Kind::dropped);
  EXPECT_TRUE(demux_.dedicate_socket(kBert, kSocket));
  EXPECT_TRUE(demux_.add_relay(kBert, kServer));
  EXPECT_FALSE(demux_.bind_channel(kAnna, with_channel(kServer, kChannel), kPeer));
}

}  // namespace
}  // namespace mediacore::ice
