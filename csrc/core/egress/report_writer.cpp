#include "core/egress/report_writer.hpp"

#include "core/rtcp/writer.hpp"

namespace mediacore::egress {

std::size_t ReportWriter::write(const RtpSender& sender, std::uint64_t ntp, std::uint32_t timestamp,
                                std::span<const std::uint32_t> leaving, PacketSink& out) {
  std::uint8_t* const buffer = out.reserve(kMostBytes);
  if (buffer == nullptr) return 0;
  rtcp::Writer writer({buffer, kMostBytes - srtp::kMaxRtcpOverhead});
  const bool fits = writer.sender_report(sender.ssrc(), ntp, timestamp, sender.packets(), sender.octets()) &&
                    writer.sdes_cname(sender.ssrc(), cname_) && (leaving.empty() || writer.bye(leaving));
  if (!fits) return 0;
  const auto size = sealer_.seal({buffer, writer.size() + srtp::kMaxRtcpOverhead}, writer.size());
  if (!size) return 0;
  out.commit(*size);
  return *size;
}

}  // namespace mediacore::egress
