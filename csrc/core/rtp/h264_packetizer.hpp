// An H.264 access unit to RTP payloads (RFC 6184): single NAL unit packets, STAP-A, FU-A.
//
// Guarantees
// - Every NAL unit is carried, in order. Not so access unit delimiters (9) and filler (12), which say nothing to a
//   receiver, types 24 to 31, which RFC 6184 uses for itself and H.264 for nothing, and empty NAL units.
// - NAL units that fit together into a packet go together (STAP-A: the highest NRI and any F bit of them), so an SPS
//   and PPS travel with the IDR picture if it is small, and in one packet if it is not.
// - A NAL unit that does not fit is cut into two FU-A fragments or more, sizes by PayloadLimits; S and E never
//   together.
// - No payload is larger than the limit.
//
// Policy when wrong: an Error, and no payload at all. Mode 0 cannot cut: a NAL unit above the limit is an error there.
// Memory: payloads are copies in the caller's buffer; nothing is allocated per unit after warm-up.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/rtp/payload_buffer.hpp"
#include "core/rtp/payload_limits.hpp"
#include "core/rtp/result.hpp"

namespace mediacore::rtp {

inline constexpr std::size_t kLeastH264PayloadBytes = 5;  // the FU-A head and some data

enum class PacketizationMode : std::uint8_t {
  single_nal = 0,       // RFC 6184 6.2
  non_interleaved = 1,  // RFC 6184 6.3
};

class H264Packetizer {
 public:
  // `limits` must be valid(kLeastH264PayloadBytes).
  explicit H264Packetizer(PayloadLimits limits = {},
                          PacketizationMode mode = PacketizationMode::non_interleaved) noexcept
      : limits_(limits), mode_(mode) {}

  // One access unit as Annex B; fills `out` with its payloads, the last of which gets the marker. Zeros may stand
  // before the first start code, nothing else.
  std::optional<Error> packetize(std::span<const std::uint8_t> unit, PayloadBuffer& out);

 private:
  std::optional<Error> split(std::span<const std::uint8_t> unit);
  void fragment(std::size_t index, PayloadBuffer& out) const;
  void aggregate(std::size_t begin, std::size_t end, std::size_t bytes, PayloadBuffer& out) const;

  PayloadLimits limits_;
  PacketizationMode mode_;
  std::vector<std::span<const std::uint8_t>> nals_;  // to carry, of the unit in work
};

}  // namespace mediacore::rtp
