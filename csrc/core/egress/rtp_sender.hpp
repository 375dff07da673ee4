// One SSRC's packets: sequence number, rollover counter and SRTP index, header, seal, and what its sender reports count.
//
// Guarantees: `write` numbers packets upwards from first_sequence for as long as the sender lives, one number for each
//   packet that was committed. 2^48 of them are 89 years at 100 000 a second.
// Memory: packets are written into the caller's buffer; nothing is allocated.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/egress/header_template.hpp"
#include "core/egress/report_schedule.hpp"
#include "core/srtp/srtp.hpp"

namespace mediacore::egress {

class RtpSender {
 public:
  // With `elements.capture_time`, packets may carry one; the others have a shorter header.
  RtpSender(const HeaderElements& elements, std::uint16_t first_sequence, const rtp::ExtensionIds& ids) noexcept;

  std::uint32_t ssrc() const noexcept { return ssrc_; }
  std::uint64_t next_index() const noexcept { return next_index_; }
  bool has_transport_sequence() const noexcept { return plain_.has_transport_sequence(); }

  // Of a sealed packet, at most.
  std::size_t packet_bytes(const PacketFields& fields, std::size_t payload_bytes) const noexcept {
    return header(fields).size() + payload_bytes + srtp::kMaxRtpOverhead;
  }

  // Writes and seals a packet; `out` has room for packet_bytes(). The payload is `prefix` and `payload`. Returns the
  // size. Has no effect on the sender: a packet may be written again, and is the same then.
  std::size_t write(const PacketFields& fields, std::span<const std::uint8_t> prefix,
                    std::span<const std::uint8_t> payload, srtp::RtpSealer& sealer, std::uint8_t* out) const noexcept;

  // The packet with next_index() is on its way.
  void advance() noexcept { ++next_index_; }
  // A packet is on its way, be it a repetition.
  void count(std::size_t payload_bytes, std::int64_t now_us) noexcept {
    ++packets_;
    octets_ += static_cast<std::uint32_t>(payload_bytes);
    reports_.start(now_us);
  }

  // As sender reports have them: they wrap (RFC 3550 6.4.1).
  std::uint32_t packets() const noexcept { return packets_; }
  std::uint32_t octets() const noexcept { return octets_; }
  ReportSchedule& reports() noexcept { return reports_; }

 private:
  const HeaderTemplate& header(const PacketFields& fields) const noexcept {
    return fields.capture_ntp != 0 ? with_capture_time_ : plain_;
  }

  std::uint32_t ssrc_;
  HeaderTemplate plain_;
  HeaderTemplate with_capture_time_;
  std::uint64_t next_index_;
  std::uint32_t packets_ = 0;
  std::uint32_t octets_ = 0;
  ReportSchedule reports_;
};

}  // namespace mediacore::egress
