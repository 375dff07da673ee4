// The H.264 payload format, receiving (RFC 6184 modes 0 and 1): an access unit as Annex B with 4-byte start codes.
//
// Policy when wrong: STAP-B, MTAP and FU-B (mode 2), types 30 and 31, empty and cut aggregation entries, and fragments
//   that do not follow each other are errors. What NAL units hold is not looked at; the H.264 parser judges that.
// Accepted, because cameras do it: S and E in one fragment; Annex B inside a packet or a fragment.
// Threads: one owner.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/rtp/depacketizer.hpp"
#include "core/rtp/result.hpp"

namespace mediacore::rtp {

class H264Format {
 public:
  static constexpr bool kFramePerPacket = false;

  void reset() noexcept;
  std::optional<Error> take(std::span<const std::uint8_t> payload, FrameBytes& frame);
  std::optional<Error> finish(const FrameBytes& frame) noexcept;
  bool is_key() const noexcept { return has_idr_; }

 private:
  std::optional<Error> take_aggregation(std::span<const std::uint8_t> payload, FrameBytes& frame);
  std::optional<Error> take_fragment(std::span<const std::uint8_t> payload, FrameBytes& frame);

  bool fragment_open_ = false;
  std::uint8_t fragment_header_ = 0;  // of the NAL unit that comes in fragments
  bool has_idr_ = false;
};

using H264Depacketizer = Depacketizer<H264Format>;

}  // namespace mediacore::rtp
