// Where all RTP packets of a viewer leave, whatever their SSRC: seal, transport-wide sequence number, pacer, counts.
//
// Guarantee: a packet that did not leave (the sink has no room, or OpenSSL no memory) has changed nothing: the next one
//   gets its numbers.
// Memory: refers to the pacer and the counts of its viewer, which live longer; packets are written into the sink's buffer.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/egress/egress_stats.hpp"
#include "core/egress/frame.hpp"
#include "core/egress/pacer.hpp"
#include "core/egress/packet_sink.hpp"
#include "core/egress/rtp_sender.hpp"
#include "core/srtp/srtp.hpp"

namespace mediacore::egress {

inline constexpr std::size_t kUdpIpBytes = 28;  // IPv4: what a path counts besides

class Outlet {
 public:
  Outlet(const srtp::KeyMaterial& keys, Pacer& pacer, EgressStats& stats)
      : sealer_(keys), pacer_(pacer), stats_(stats) {}

  // Of a packet that would be sent, on the path.
  static std::size_t wire_bytes(const RtpSender& sender, const PacketFields& fields,
                                std::size_t payload_bytes) noexcept {
    return sender.packet_bytes(fields, payload_bytes) + kUdpIpBytes;
  }

  // A new packet, with the next numbers, which `fields` then have. Its payload is `prefix` and `payload`.
  bool write(RtpSender& sender, PacketFields& fields, std::span<const std::uint8_t> prefix,
             std::span<const std::uint8_t> payload, Now now, PacketSink& out);
  // A packet again, as it was. Sealed with its index it has the same nonce, so the same payload must be given.
  bool repeat(RtpSender& sender, const PacketFields& fields, std::span<const std::uint8_t> payload, Now now,
              PacketSink& out);

  // When a packet could not leave, since `clear_stuck`.
  std::optional<std::int64_t> stuck_us() const noexcept { return stuck_us_; }
  void clear_stuck() noexcept { stuck_us_.reset(); }

 private:
  bool put(RtpSender& sender, const PacketFields& fields, std::span<const std::uint8_t> prefix,
           std::span<const std::uint8_t> payload, Now now, PacketSink& out);

  srtp::RtpSealer sealer_;
  Pacer& pacer_;
  EgressStats& stats_;
  std::uint16_t transport_sequence_ = 0;
  std::optional<std::int64_t> stuck_us_;
};

}  // namespace mediacore::egress
