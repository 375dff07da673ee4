// The RTP header of one SSRC, prepared once: what differs from packet to packet is patched into a copy.
//
// Guarantees: all packets written by one template have headers of one size; the same fields give the same bytes.
// Policy: elements are written in the one-byte form (RFC 8285 4.2), all in the two-byte form only if an id is above 14,
//   which a peer offers only if it reads that form. So a mid longer than 16 bytes, or an empty one, is left out: the
//   receiver then knows the SSRC and payload type from the description.
// Threads: plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/rtp/header_extensions.hpp"
#include "core/rtp/packet.hpp"

namespace mediacore::egress {

// In the two-byte form: a mid of 16 bytes, abs-send-time 3, transport-wide sequence number 2, playout-delay 3,
// abs-capture-time 8, a head of 2 bytes for each, rounded up to words.
inline constexpr std::size_t kMaxExtensionBytes = 44;
inline constexpr std::size_t kMaxHeaderBytes = rtp::kFixedHeaderBytes + rtp::kExtensionHeadBytes + kMaxExtensionBytes;

// What a packet has of its own. Of what is not negotiated nothing is written.
struct PacketFields {
  std::uint64_t index = 0;  // rollover counter and sequence number
  std::uint64_t capture_ntp = 0;
  std::uint32_t timestamp = 0;
  std::uint32_t abs_send_time = 0;
  std::uint16_t transport_sequence = 0;
  bool marker = false;
};

// What all packets have.
struct HeaderElements {
  std::uint32_t ssrc = 0;
  std::uint8_t payload_type = 0;
  std::string_view mid;
  std::optional<rtp::PlayoutDelay> playout_delay;
  bool capture_time = false;
};

class HeaderTemplate {
 public:
  HeaderTemplate(const HeaderElements& elements, const rtp::ExtensionIds& ids) noexcept;

  std::size_t size() const noexcept { return size_; }
  bool has_transport_sequence() const noexcept { return transport_sequence_at_ != 0; }

  // `out` has room for size().
  void write(const PacketFields& fields, std::uint8_t* out) const noexcept;

 private:
  std::array<std::uint8_t, kMaxHeaderBytes> bytes_{};
  std::size_t size_ = rtp::kFixedHeaderBytes;
  // Where the values stand; 0: nowhere.
  std::size_t abs_send_time_at_ = 0;
  std::size_t transport_sequence_at_ = 0;
  std::size_t capture_time_at_ = 0;
};

}  // namespace mediacore::egress
