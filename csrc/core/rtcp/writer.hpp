// Writes RTCP packets, one after the other, into the caller's buffer.
//
// Guarantees: a packet that was written is whole, and the reader takes it.
// Policy: a packet that does not fit, or whose values have no place in it, is not written, and the call returns false;
//   what was written stays. Feedback about nothing has no place.
// Memory: the caller's. Nothing is allocated.
// Threads: one owner.
// Specification: as the reader's.
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
  // Up to 255 bytes.
  bool sdes_cname(std::uint32_t ssrc, std::string_view cname) noexcept;
  bool bye(std::span<const std::uint32_t> ssrcs) noexcept;
  // `lost` in order of sending, over the wrap too; makes as few PID/BLP pairs as can be.
  bool nack(std::uint32_t sender_ssrc, std::uint32_t media_ssrc, std::span<const std::uint16_t> lost) noexcept;
  bool picture_loss(std::uint32_t sender_ssrc, std::uint32_t media_ssrc) noexcept;
  bool full_intra_request(std::uint32_t sender_ssrc, std::uint32_t media_ssrc, std::uint8_t sequence_number) noexcept;
  // Rounded down to 18 significant bits.
  bool remb(std::uint32_t sender_ssrc, std::uint64_t bitrate_bps, std::span<const std::uint32_t> ssrcs) noexcept;

  struct Arrival {
    std::uint16_t sequence;
    bool received;
    std::int32_t delta_250us;  // -32768 to 32767; not looked at where not received
  };
  // `arrivals`: consecutive sequence numbers, kMaxStatuses at most. The reference time has 24 bits and wraps.
  bool transport_feedback(std::uint32_t sender_ssrc, std::uint32_t media_ssrc, std::int32_t reference_time_64ms,
                          std::uint8_t feedback_count, std::span<const Arrival> arrivals) noexcept;

 private:
  // Begins a packet of so many bytes; returns where it stands, or null if it does not fit.
  std::uint8_t* begin(PacketType type, std::size_t count, std::size_t bytes) noexcept;
  std::uint8_t* begin_feedback(PacketType type, std::size_t format, std::size_t bytes, std::uint32_t sender_ssrc,
                               std::uint32_t media_ssrc) noexcept;

  std::span<std::uint8_t> out_;
  std::size_t size_ = 0;
};

}  // namespace mediacore::rtcp
