// Writes RTCP packets, one after the other, into the caller's buffer.
//
// Policy: a packet that does not fit is not written, and the call returns false; what was written stays.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/rtcp/reader.hpp"

namespace mediacore::rtcp {

class Writer {
 public:
  explicit Writer(std::span<std::uint8_t> out) noexcept : out_(out) {}

  std::size_t size() const noexcept { return size_; }
  std::span<const std::uint8_t> view() const noexcept { return out_.first(size_); }

  bool sender_report(std::uint32_t ssrc, std::uint64_t ntp, std::uint32_t rtp_timestamp, std::uint32_t packets,
                     std::uint32_t octets, std::span<const ReportBlock> reports = {}) noexcept;
  bool receiver_report(std::uint32_t ssrc, std::span<const ReportBlock> reports) noexcept;
  bool sdes_cname(std::uint32_t ssrc, std::string_view cname) noexcept;
  bool bye(std::span<const std::uint32_t> ssrcs) noexcept;
  // `lost` in order of sending; makes as few PID/BLP pairs as can be.
  bool nack(std::uint32_t sender_ssrc, std::uint32_t media_ssrc, std::span<const std::uint16_t> lost) noexcept;
  bool picture_loss(std::uint32_t sender_ssrc, std::uint32_t media_ssrc) noexcept;
  bool full_intra_request(std::uint32_t sender_ssrc, std::uint32_t media_ssrc, std::uint8_t sequence_number) noexcept;
  bool remb(std::uint32_t sender_ssrc, std::uint64_t bitrate_bps, std::span<const std::uint32_t> ssrcs) noexcept;

  struct Arrival {
    std::uint16_t sequence;
    bool received;
    std::int32_t delta_250us;  // -32768 to 32767
  };
  // `arrivals`: consecutive sequence numbers.
  bool transport_feedback(std::uint32_t sender_ssrc, std::uint32_t media_ssrc, std::int32_t reference_time_64ms,
                          std::uint8_t feedback_count, std::span<const Arrival> arrivals) noexcept;

 private:
  std::span<std::uint8_t> out_;
  std::size_t size_ = 0;
};

}  // namespace mediacore::rtcp
