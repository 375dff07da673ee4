// Reads compound RTCP packets (RFC 3550 6, RFC 4585, RFC 5104, RFC 5506, transport-wide-cc, REMB).
//
// Guarantees: every view lies inside the given bytes; work is linear in them.
// Policy: a packet of an unknown type or format is skipped and counted, SDES is skipped; one that is malformed ends the
//   reading with an error, and what came before it has been given. Reduced-size packets are taken (RFC 5506). Padding
//   belongs to the last packet and is whole words (RFC 3550 6.4.1), but for transport-wide feedback: libwebrtc pads each
//   with one to three bytes.
// Memory: views into the caller's bytes.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>

#include "core/rtcp/packet_type.hpp"
#include "core/rtcp/transport_feedback.hpp"
#include "core/rtp/byte_order.hpp"
#include "core/rtp/result.hpp"

namespace mediacore::rtcp {

struct ReportBlock {
  std::uint32_t ssrc;                 // of the stream that is reported on
  std::uint8_t fraction_lost;         // of 256, since the report before
  std::int32_t cumulative_lost;       // 24 bits, signed
  std::uint32_t highest_sequence;     // extended
  std::uint32_t jitter;               // in RTP clock units
  std::uint32_t last_sr;              // middle 32 bits of the NTP time of the last SR; 0: none
  std::uint32_t delay_since_last_sr;  // in 1/65536 s
};

// Up to 31 blocks of 24 bytes.
class ReportBlocks {
 public:
  ReportBlocks() = default;
  explicit ReportBlocks(std::span<const std::uint8_t> bytes) noexcept : bytes_(bytes) {}
  std::size_t size() const noexcept { return bytes_.size() / kReportBlockBytes; }
  ReportBlock operator[](std::size_t index) const noexcept;

 private:
  std::span<const std::uint8_t> bytes_;
};

struct SenderReport {
  std::uint32_t ssrc;
  std::uint64_t ntp;
  std::uint32_t rtp_timestamp;
  std::uint32_t packets;
  std::uint32_t octets;
  ReportBlocks reports;
};

struct ReceiverReport {
  std::uint32_t ssrc;
  ReportBlocks reports;
};

// Generic NACK (RFC 4585 6.2.1): calls visit(std::uint16_t) for each lost sequence number, wrapping.
struct Nack {
  std::uint32_t media_ssrc;
  std::span<const std::uint8_t> pairs;  // PID and BLP, 4 bytes each

  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::size_t at = 0; at + 4 <= pairs.size(); at += 4) {
      const auto first = static_cast<std::uint16_t>(rtp::load_be<2>(&pairs[at]));
      visit(first);
      const auto bits = static_cast<std::uint32_t>(rtp::load_be<2>(&pairs[at + 2]));
      for (std::uint32_t bit = 0; bit < 16; ++bit) {
        if ((bits >> bit & 1U) != 0) visit(static_cast<std::uint16_t>(first + bit + 1));
      }
    }
  }
};

struct PictureLoss {
  std::uint32_t media_ssrc;
};

struct FullIntraRequest {  // RFC 5104 4.3.1; one entry each
  std::uint32_t media_ssrc;
  std::uint8_t sequence_number;
};

struct Remb {  // draft-alvestrand-rmcat-remb-03
  std::uint64_t bitrate_bps;
};

struct Bye {
  std::uint32_t ssrc;  // the first; 0 if there is none
};

using Item =
    std::variant<SenderReport, ReceiverReport, Nack, PictureLoss, FullIntraRequest, Remb, TransportFeedback, Bye>;

class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> compound) noexcept : data_(compound) {}

  // The next item; none at the end or after an error.
  std::optional<Item> next() noexcept;
  std::optional<rtp::Error> error() const noexcept { return error_; }
  // Packets of types and formats that are not known.
  std::uint32_t skipped() const noexcept { return skipped_; }

 private:
  // What follows the header of a packet, without padding.
  struct Packet {
    std::uint8_t type;
    std::uint8_t count;  // or format
    std::span<const std::uint8_t> body;
    std::size_t offset;  // of the body
  };

  std::optional<Packet> take_packet() noexcept;
  std::optional<Item> read(const Packet& packet) noexcept;
  std::optional<Item> read_reports(const Packet& packet) noexcept;
  std::optional<Item> read_transport_feedback(const Packet& packet) noexcept;
  std::optional<Item> read_payload_feedback(const Packet& packet) noexcept;
  std::optional<Item> read_remb(const Packet& packet) noexcept;
  std::optional<Item> take_full_intra() noexcept;
  std::nullopt_t fail(rtp::ErrorCode code, std::size_t byte_offset) noexcept;
  std::nullopt_t skip() noexcept;

  std::span<const std::uint8_t> data_;
  std::size_t at_ = 0;
  std::span<const std::uint8_t> full_intra_entries_;  // those that are still to be given
  std::optional<rtp::Error> error_;
  std::uint32_t skipped_ = 0;
};

}  // namespace mediacore::rtcp
