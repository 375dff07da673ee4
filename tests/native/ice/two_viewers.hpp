// Two viewers on one port, and what they send: for the tests of the demultiplexer.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>

#include "core/ice/demultiplexer.hpp"
#include "stun_bytes.hpp"

namespace mediacore::ice::testing {

inline constexpr ViewerId kAnna = 11;
inline constexpr ViewerId kBert = 12;

// 192.0.2.host
inline Endpoint v4(std::uint8_t host, std::uint16_t port = 5000, std::uint16_t socket = 0) {
  return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, host}, port, socket};
}

inline Endpoint v6(std::uint8_t host, std::uint16_t port = 5000, std::uint16_t socket = 1) {
  return {{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host}, port, socket};
}

inline Endpoint with_channel(Endpoint server, std::uint16_t channel) {
  server.channel = channel;
  return server;
}

inline const Buffer kDtls{22, 254, 253, 0, 0};
inline const Buffer kRtcp{0x81, 201, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9};
inline const Buffer kRtp{0x80, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 7};

class DemultiplexerTest : public ::testing::Test {
 protected:
  DemultiplexerTest() {
    EXPECT_TRUE(demux_.add(kAnna, "anna+1", "anna's password 123456"));
    EXPECT_TRUE(demux_.add(kBert, "bert+1", "bert's password 123456"));
  }

  Verdict classify(Buffer datagram, const Endpoint& from) {
    last_ = std::move(datagram);
    return demux_.classify(last_, from, now_us_);
  }

  Buffer request_of(ViewerId viewer, bool nominates = false) {
    const bool is_anna = viewer == kAnna;
    return check(is_anna ? "anna+1:x" : "bert+1:y", is_anna ? "anna's password 123456" : "bert's password 123456",
                 ++transaction_, nominates);
  }

  // Our check of that address, and its answer.
  Verdict prove(ViewerId viewer, const Endpoint& at) {
    demux_.note_transaction(viewer, id_of(++transaction_), at, now_us_);
    return classify(StunBytes(kBindingSuccess, transaction_).bytes(), at);
  }

  void connect(ViewerId viewer, const Endpoint& at) {
    classify(request_of(viewer, true), at);
    EXPECT_TRUE(prove(viewer, at).moved);
    EXPECT_EQ(demux_.destination(viewer), at);
  }

  Demultiplexer demux_;
  Buffer last_;
  std::int64_t now_us_ = 1'000'000;
  std::uint32_t transaction_ = 0;
};

}  // namespace mediacore::ice::testing
