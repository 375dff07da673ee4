// The other side of a viewer: a browser's socket, as far as the media loop sees one. It nominates by STUN, opens what
// comes, puts pictures together again, and sends RTCP.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "../egress/viewer.hpp"
#include "../ice/stun_bytes.hpp"
#include "core/rtcp/reader.hpp"
#include "core/rtp/h264_depacketizer.hpp"
#include "loop_fixture.hpp"

namespace mediacore::io::testing {

inline const std::string kPassword = "abcdefghijklmnopqrstuv";

struct Picture {
  Buffer data;
  std::uint32_t timestamp;
  bool is_key;
};

class RemoteViewer {
 public:
  RemoteViewer(std::string ufrag, const egress::EgressConfig& config)
      : ufrag_(std::move(ufrag)),
        port_(open_port("127.0.0.1")),
        opener_(config.send),
        rtcp_opener_(config.send),
        rtcp_sealer_(config.receive) {}

  const std::string& ufrag() const { return ufrag_; }
  UdpPort& port() { return port_; }

  void send(std::uint16_t to_port, std::span<const std::uint8_t> data) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(to_port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(
        sendto(port_.descriptor(), data.data(), data.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to),
        static_cast<ssize_t>(data.size()));
  }
  void check(std::uint16_t to_port, bool nominates) {
    send(to_port, ice::testing::check(ufrag_ + ":remote", kPassword, ++transaction_, nominates));
  }
  // What the viewer says, sealed.
  void send_rtcp(std::uint16_t to_port, const std::function<void(rtcp::Writer&)>& write) {
    Buffer buffer(1500);
    rtcp::Writer writer{std::span(buffer).first(1400)};
    write(writer);
    const auto size = rtcp_sealer_.seal(buffer, writer.size());
    ASSERT_TRUE(size);
    send(to_port, std::span(buffer).first(*size));
  }

  // Reads until it is true, at most kPatienceMs without anything.
  ::testing::AssertionResult until(const std::function<bool()>& is_true) {
    while (!is_true()) {
      if (!readable(port_, kPatienceMs)) return ::testing::AssertionFailure() << "nothing came";
      read();
    }
    return ::testing::AssertionSuccess();
  }
  ::testing::AssertionResult until_pictures(std::size_t count) {
    return until([&] { return pictures.size() >= count; });
  }
  void read() {
    for (const UdpPort::Datagram& datagram : port_.read(testing::monotonic_us(), clock_ns(CLOCK_REALTIME))) {
      take(datagram.data);
    }
  }

  std::vector<Picture> pictures;
  std::vector<Buffer> stun;                                     // with what came by then
  std::map<std::uint32_t, std::vector<std::uint16_t>> numbers;  // by SSRC, in order of arrival
  std::size_t sender_reports = 0;
  std::size_t goodbyes = 0;
  std::size_t refused = 0;

 private:
  void take(std::span<std::uint8_t> data) {
    if (data.size() < 2) return;
    if (data[0] <= 3) {
      stun.emplace_back(data.begin(), data.end());
    } else if (data[1] >= 192 && data[1] <= 223) {
      take_rtcp(data);
    } else {
      take_rtp(data);
    }
  }
  void take_rtp(std::span<std::uint8_t> data) {
    srtp::Refusal refusal{};
    const auto size = opener_.open(data, refusal);
    if (!size) {
      ++refused;
      return;
    }
    const auto packet = rtp::parse_packet(data.first(*size));
    ASSERT_TRUE(packet);
    numbers[packet->header.ssrc].push_back(packet->header.sequence_number.value);
    if (packet->header.ssrc != egress::testing::kVideo) return;
    depacketizer_.push(
        {packet->header.sequence_number, packet->header.timestamp, packet->header.marker}, packet->payload,
        [&](const rtp::FrameView& frame) {
          pictures.push_back({{frame.data.begin(), frame.data.end()}, frame.timestamp.value, frame.is_key});
        });
  }
  void take_rtcp(std::span<std::uint8_t> data) {
    srtp::Refusal refusal{};
    const auto size = rtcp_opener_.open(data, refusal);
    if (!size) {
      ++refused;
      return;
    }
    rtcp::Reader reader(data.first(*size));
    while (const auto item = reader.next()) {
      if (std::holds_alternative<rtcp::SenderReport>(*item)) ++sender_reports;
      if (std::holds_alternative<rtcp::Bye>(*item)) ++goodbyes;
    }
  }

  std::string ufrag_;
  UdpPort port_;
  srtp::RtpOpener opener_;
  srtp::RtcpOpener rtcp_opener_;
  srtp::RtcpSealer rtcp_sealer_;
  rtp::H264Depacketizer depacketizer_;
  std::uint32_t transaction_ = 0x1000;
};

// A loop with viewers that reach it.
class ViewerTest : public LoopTest {
 protected:
  using LoopTest::LoopTest;

  struct Viewer {
    Id id;
    std::unique_ptr<RemoteViewer> remote;
  };

  std::uint16_t port() { return loop.sockets(0).at(0).port; }

  Viewer add_viewer(Id rendition, const std::string& ufrag, const egress::EgressConfig& config,
                    std::int64_t quiet_us = 0, std::int64_t silent_us = 0) {
    Viewer viewer{loop.add_viewer(rendition, ufrag, kPassword, quiet_us, silent_us),
                  std::make_unique<RemoteViewer>(ufrag, config)};
    return viewer;
  }

  // Makes its address the viewer's destination, as ICE does: a check of ours is answered, and it nominates.
  void nominate(Viewer& viewer) {
    const std::uint32_t transaction = ++transaction_;
    const auto request = ice::testing::StunBytes(ice::testing::kBindingRequest, transaction).bytes();
    ASSERT_TRUE(loop.send_datagram(viewer.id, address_of(viewer.remote->port()), request));
    std::vector<Buffer>& stun = viewer.remote->stun;
    ASSERT_TRUE(viewer.remote->until([&] { return !stun.empty(); }));
    stun.clear();
    viewer.remote->send(port(), ice::testing::StunBytes(ice::testing::kBindingSuccess, transaction).bytes());
    viewer.remote->check(port(), true);
    ASSERT_TRUE(wait_for<DestinationMoved>([&](const DestinationMoved& event) { return event.viewer == viewer.id; }));
    ASSERT_TRUE(viewer.remote->until([&] { return !stun.empty(); })) << "the check is answered";
    stun.clear();
  }

  // With keys and a destination, and attached.
  Viewer watch(Id rendition, const std::string& ufrag, const egress::EgressConfig& config) {
    Viewer viewer = add_viewer(rendition, ufrag, config);
    nominate(viewer);
    loop.start_viewer(viewer.id, config);
    loop.attach(viewer.id, rendition, 0);
    return viewer;
  }

 private:
  std::uint32_t transaction_ = 0x100;
};

}  // namespace mediacore::io::testing
