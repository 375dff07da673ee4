// Our RTCP on the way out: sender reports with the CNAME, and BYE (RFC 3550 6.4.1, 6.5, 6.6).
//
// Policy: a CNAME longer than an SDES item can be is cut. When SRTCP's index is used up (after 2^31 packets), no report is
//   written any more.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/egress/packet_sink.hpp"
#include "core/egress/rtp_sender.hpp"
#include "core/srtp/srtp.hpp"

namespace mediacore::egress {

class ReportWriter {
 public:
  static constexpr std::size_t kMostCnameBytes = 255;
  static constexpr std::size_t kMostStreams = 3;  // video, RTX, audio
  // SR; SDES head, SSRC and the longest item, padded; BYE; what SRTCP adds.
  static constexpr std::size_t kMostBytes = 28 + 8 + 260 + 4 * (1 + kMostStreams) + srtp::kMaxRtcpOverhead;

  ReportWriter(const srtp::KeyMaterial& keys, std::string_view cname)
      : sealer_(keys), cname_(cname.substr(0, kMostCnameBytes)) {}

  // The report of one SSRC; BYE for those that leave. Returns the bytes of the datagram; 0: not written.
  std::size_t write(const RtpSender& sender, std::uint64_t ntp, std::uint32_t timestamp,
                    std::span<const std::uint32_t> leaving, PacketSink& out);

 private:
  srtp::RtcpSealer sealer_;
  std::string cname_;
};

}  // namespace mediacore::egress
