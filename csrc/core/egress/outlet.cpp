#include "core/egress/outlet.hpp"

namespace mediacore::egress {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint32_t abs_send_time(std::uint64_t ntp) noexcept {
  return static_cast<std::uint32_t>(ntp >> 14) & 0xffffff;  // 6.18 bits of 32.32
}

}  // namespace

bool Outlet::write(RtpSender& sender, PacketFields& fields, Bytes prefix, Bytes payload, Now now, PacketSink& out) {
  fields.index = sender.next_index();
  fields.abs_send_time = abs_send_time(now.ntp);
  fields.transport_sequence = transport_sequence_;
  if (!put(sender, fields, prefix, payload, now, out)) return false;
  sender.advance();
  if (sender.has_transport_sequence()) ++transport_sequence_;
  return true;
}

bool Outlet::repeat(RtpSender& sender, const PacketFields& fields, Bytes payload, Now now, PacketSink& out) {
  return put(sender, fields, {}, payload, now, out);
}

bool Outlet::put(RtpSender& sender, const PacketFields& fields, Bytes prefix, Bytes payload, Now now, PacketSink& out) {
  const std::size_t payload_bytes = prefix.size() + payload.size();
  std::uint8_t* const buffer = out.reserve(sender.packet_bytes(fields, payload_bytes));
  const std::size_t size = buffer == nullptr ? 0 : sender.write(fields, prefix, payload, sealer_, buffer);
  if (size == 0) {
    stuck_us_ = now.us;
    return false;
  }
  out.commit(size);
  pacer_.take(size + kUdpIpBytes);
  sender.count(payload_bytes, now.us);
  ++stats_.packets;
  stats_.bytes += size;
  if (stats_.first_packet_us < 0) stats_.first_packet_us = now.us;
  return true;
}

}  // namespace mediacore::egress
