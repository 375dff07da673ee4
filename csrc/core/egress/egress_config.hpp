// What one viewer negotiated: its streams, their keys, and how they are paced.
//
// Threads: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/egress/pacer.hpp"
#include "core/rtp/header_extensions.hpp"
#include "core/srtp/keys.hpp"

namespace mediacore::egress {

struct Rtx {
  std::uint32_t ssrc = 0;
  std::uint8_t payload_type = 0;
  std::uint16_t first_sequence = 0;
};

struct Track {
  std::uint32_t ssrc = 0;
  std::uint8_t payload_type = 0;
  std::uint32_t clock_hz = 90'000;
  std::uint32_t timestamp_origin = 0;  // RTP timestamp of pts 0
  std::uint16_t first_sequence = 0;    // below 2^15, so that the first wrap is seen by every receiver
  std::optional<Rtx> rtx;
  std::string mid;
};

struct EgressConfig {
  Track video;
  std::optional<Track> audio;
  rtp::ExtensionIds extensions;
  rtp::PlayoutDelay playout_delay;
  std::string cname;
  srtp::KeyMaterial send;
  srtp::KeyMaterial receive;
  Pacing pacing;
};

}  // namespace mediacore::egress
