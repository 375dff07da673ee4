// A viewer of the tests: what leaves is kept with its time, opened and parsed as a receiver would; RTCP can be sent back.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/egress/viewer_egress.hpp"
#include "core/rtcp/writer.hpp"
#include "core/rtp/packet.hpp"
#include "core/srtp/srtp.hpp"
#include "frames.hpp"

namespace mediacore::egress::testing {

inline constexpr std::uint32_t kVideo = 0x11111111;
inline constexpr std::uint32_t kRtx = 0x22222222;
inline constexpr std::uint32_t kAudio = 0x33333333;
inline constexpr std::uint32_t kViewer = 0x77777777;

inline srtp::KeyMaterial keys(srtp::Profile profile, std::uint8_t seed) {
  srtp::KeyMaterial made;
  made.profile = profile;
  for (std::size_t i = 0; i < made.key.size(); ++i) made.key[i] = static_cast<std::uint8_t>(seed + i);
  for (std::size_t i = 0; i < made.salt.size(); ++i)
    made.salt[i] = static_cast<std::uint8_t>(3 * std::size_t{seed} + i);
  return made;
}

inline EgressConfig config(srtp::Profile profile = srtp::Profile::aead_aes_128_gcm) {
  EgressConfig made;
  made.video.ssrc = kVideo;
  made.video.payload_type = 102;
  made.video.timestamp_origin = 1'000;
  made.video.first_sequence = 100;
  made.video.rtx = Rtx{kRtx, 103, 500};
  made.video.mid = "0";
  made.audio = Track{.ssrc = kAudio,
                     .payload_type = 111,
                     .clock_hz = 48'000,
                     .timestamp_origin = 7,
                     .first_sequence = 900,
                     .rtx = std::nullopt,
                     .mid = "1"};
  made.extensions[rtp::ExtensionKind::mid] = 1;
  made.extensions[rtp::ExtensionKind::abs_send_time] = 2;
  made.extensions[rtp::ExtensionKind::transport_sequence_number] = 3;
  made.extensions[rtp::ExtensionKind::playout_delay] = 4;
  made.extensions[rtp::ExtensionKind::abs_capture_time] = 5;
  made.cname = "mediacore";
  made.send = keys(profile, 1);
  made.receive = keys(profile, 99);
  return made;
}

inline EgressConfig without_rtx(EgressConfig made = config()) {
  made.video.rtx.reset();
  return made;
}

inline EgressConfig unpaced(EgressConfig made = config()) {
  made.pacing.enabled = false;
  return made;
}

// A datagram as it was on the wire.
struct Sent {
  std::int64_t us;
  Buffer bytes;

  bool is_rtcp() const { return bytes[1] >= 192 && bytes[1] <= 223; }
  std::uint32_t ssrc() const { return static_cast<std::uint32_t>(rtp::load_be<4>(&bytes[is_rtcp() ? 4 : 8])); }
  std::uint16_t number() const { return static_cast<std::uint16_t>(rtp::load_be<2>(&bytes[2])); }
};

class KeepingSink final : public PacketSink {
 public:
  std::uint8_t* reserve(std::size_t capacity) override {
    if (room == 0) return nullptr;
    buffer_.assign(capacity, 0xee);
    return buffer_.data();
  }
  void commit(std::size_t size) override {
    ASSERT_LE(size, buffer_.size());
    --room;
    sent.push_back({now_us, {buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size)}});
  }

  std::vector<Sent> sent;
  std::int64_t now_us = 0;
  std::size_t room = SIZE_MAX;  // packets

 private:
  Buffer buffer_;
};

// A packet that a receiver opened.
struct Opened {
  std::int64_t us;
  rtp::Header header;
  rtp::Extensions extensions;  // its texts are not kept
  std::string mid;
  Buffer payload;
};

class Loop {
 public:
  explicit Loop(const EgressConfig& given, std::int64_t us = 0)
      : ids_(given.extensions),
        egress(given, at(us)),
        now_us(us),
        opener_(given.send),
        rtcp_opener_(given.send),
        rtcp_sealer_(given.receive) {}

  void poll() {
    sink.now_us = now_us;
    egress.poll(at(now_us), sink);
  }
  void send(FrameRef frame) {
    egress.send(std::move(frame), at(now_us));
    poll();
  }
  // Polls at each deadline until then, and no other time.
  void run_until(std::int64_t us) {
    for (auto deadline = egress.deadline_us(); deadline && *deadline <= us; deadline = egress.deadline_us()) {
      ASSERT_GE(*deadline, now_us - 1);
      now_us = std::max(now_us, *deadline);
      const std::size_t before = sink.sent.size();
      poll();
      ASSERT_GT(sink.sent.size(), before) << "woken for nothing";
    }
    now_us = us;
  }
  // Polls at each deadline until nothing waits.
  void drain() {
    while (const auto deadline = egress.deadline_us()) run_until(*deadline);
  }

  // RTP since the last call, opened; of one SSRC, or of all.
  std::vector<Opened> take(std::uint32_t ssrc = 0) {
    std::vector<Opened> packets;
    for (Sent& one : sink.sent) {
      if (one.is_rtcp() || (ssrc != 0 && one.ssrc() != ssrc)) continue;
      auto packet = open(one);
      if (packet) packets.push_back(std::move(*packet));
    }
    sink.sent.clear();
    return packets;
  }

  std::optional<Opened> open(const Sent& one) {
    Buffer bytes = one.bytes;
    srtp::Refusal refusal{};
    const auto size = opener_.open(bytes, refusal);
    if (!size) {
      ADD_FAILURE() << "refused: " << static_cast<int>(refusal) << ", number " << one.number();
      return std::nullopt;
    }
    const auto packet = rtp::parse_packet(std::span(bytes).first(*size));
    if (!packet) {
      ADD_FAILURE() << "no RTP";
      return std::nullopt;
    }
    const auto extensions = rtp::parse_extensions(packet->extension, ids_);
    if (!extensions) {
      ADD_FAILURE() << "extensions are damaged";
      return std::nullopt;
    }
    Opened opened{one.us,
                  packet->header,
                  *extensions,
                  std::string(extensions->mid.value_or("")),
                  {packet->payload.begin(), packet->payload.end()}};
    opened.extensions.mid.reset();
    return opened;
  }

  std::optional<Buffer> open_rtcp(const Sent& one) {
    Buffer bytes = one.bytes;
    srtp::Refusal refusal{};
    const auto size = rtcp_opener_.open(bytes, refusal);
    if (!size) {
      ADD_FAILURE() << "RTCP refused: " << static_cast<int>(refusal);
      return std::nullopt;
    }
    bytes.resize(*size);
    return bytes;
  }

  // What the viewer sends, sealed.
  template <class Write>
  Received receive(Write write) {
    Buffer buffer(1500);
    rtcp::Writer writer{std::span(buffer).first(1400)};
    write(writer);
    const auto size = rtcp_sealer_.seal(buffer, writer.size());
    EXPECT_TRUE(size);
    return egress.receive(std::span(buffer).first(size.value_or(0)), at(now_us));
  }
  Received nack(const std::vector<std::uint16_t>& lost) {
    return receive([&](rtcp::Writer& writer) { writer.nack(kViewer, kVideo, lost); });
  }
  // Any report on our video: from then on there is feedback.
  void report() {
    receive([](rtcp::Writer& writer) {
      rtcp::ReportBlock block{};
      block.ssrc = kVideo;
      writer.receiver_report(kViewer, std::array{block});
    });
  }

 private:
  rtp::ExtensionIds ids_;

 public:
  ViewerEgress egress;
  KeepingSink sink;
  std::int64_t now_us;

 private:
  srtp::RtpOpener opener_;
  srtp::RtcpOpener rtcp_opener_;
  srtp::RtcpSealer rtcp_sealer_;
};

}  // namespace mediacore::egress::testing
