#include "core/egress/rtp_sender.hpp"

#include <cstring>

namespace mediacore::egress {
namespace {

HeaderElements without_capture_time(HeaderElements elements) noexcept {
  elements.capture_time = false;
  return elements;
}

}  // namespace

RtpSender::RtpSender(const HeaderElements& elements, std::uint16_t first_sequence,
                     const rtp::ExtensionIds& ids) noexcept
    : ssrc_(elements.ssrc),
      plain_(without_capture_time(elements), ids),
      with_capture_time_(elements, ids),
      next_index_(first_sequence) {}

std::size_t RtpSender::write(const PacketFields& fields, std::span<const std::uint8_t> prefix,
                             std::span<const std::uint8_t> payload, srtp::RtpSealer& sealer,
                             std::uint8_t* out) const noexcept {
  const HeaderTemplate& head = header(fields);
  head.write(fields, out);
  std::size_t size = head.size();
  if (!prefix.empty()) {
    std::memcpy(out + size, prefix.data(), prefix.size());
    size += prefix.size();
  }
  if (!payload.empty()) std::memcpy(out + size, payload.data(), payload.size());
  size += payload.size();
  return sealer.seal({out, size + srtp::kMaxRtpOverhead}, head.size(), size, fields.index);
}

}  // namespace mediacore::egress
