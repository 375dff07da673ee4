#include "core/egress/senders.hpp"

namespace mediacore::egress {
namespace {

HeaderElements video_elements(const EgressConfig& config) noexcept {
  return {.ssrc = config.video.ssrc,
          .payload_type = config.video.payload_type,
          .mid = config.video.mid,
          .playout_delay = config.playout_delay,
          .capture_time = true};
}

std::optional<RtpSender> rtx_sender(const EgressConfig& config) noexcept {
  if (!config.video.rtx) return std::nullopt;
  HeaderElements elements = video_elements(config);
  elements.ssrc = config.video.rtx->ssrc;
  elements.payload_type = config.video.rtx->payload_type;
  elements.capture_time = false;
  return RtpSender(elements, config.video.rtx->first_sequence, config.extensions);
}

std::optional<RtpSender> audio_sender(const EgressConfig& config) noexcept {
  if (!config.audio) return std::nullopt;
  const HeaderElements elements{.ssrc = config.audio->ssrc,
                                .payload_type = config.audio->payload_type,
                                .mid = config.audio->mid,
                                .playout_delay = std::nullopt,
                                .capture_time = false};
  return RtpSender(elements, config.audio->first_sequence, config.extensions);
}

}  // namespace

Senders::Senders(const EgressConfig& config) noexcept
    : video(video_elements(config), config.video.first_sequence, config.extensions),
      rtx(rtx_sender(config)),
      audio(audio_sender(config)) {}

}  // namespace mediacore::egress
