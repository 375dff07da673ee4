// The senders of one viewer, one for each SSRC, as negotiated.
//
// Elements of the header: mid, abs-send-time and the transport-wide sequence number in all of them; playout-delay in the
// video and its retransmissions, abs-capture-time in the video alone: a receiver wants it once a second.
// Threads: one owner.
#pragma once

#include <optional>

#include "core/egress/egress_config.hpp"
#include "core/egress/feedback.hpp"
#include "core/egress/rtp_sender.hpp"

namespace mediacore::egress {

struct Senders {
  explicit Senders(const EgressConfig& config) noexcept;

  OwnSsrcs ssrcs() const noexcept { return {video.ssrc(), rtx ? rtx->ssrc() : 0, audio ? audio->ssrc() : 0}; }

  RtpSender video;
  std::optional<RtpSender> rtx;
  std::optional<RtpSender> audio;
};

}  // namespace mediacore::egress
