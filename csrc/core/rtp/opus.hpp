// The Opus payload format (RFC 7587): one Opus packet is one RTP payload, unchanged.
//
// Policy: the marker is on the first packet after a pause (RFC 3551 4.1), also on the very first one. A packet of one
//   or two bytes says that nobody speaks (DTX, RFC 6716 2.1.9): it is sent, or left out with `skip_dtx`. Packets that
//   promise more than 120 ms are an Error (RFC 6716 3.2.5).
// Threads: one owner.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/rtp/depacketizer.hpp"
#include "core/rtp/result.hpp"

namespace mediacore::rtp {

inline constexpr std::uint32_t kOpusClockHz = 48'000;                // whatever the signal's bandwidth (RFC 7587 4.1)
inline constexpr std::uint32_t kMaxOpusTicks = 120 * 48;             // 120 ms
inline constexpr std::size_t kMaxOpusBytes = std::size_t{64} << 10;  // 48 frames of 1275 bytes

// Duration of an Opus packet in ticks of 48 kHz (RFC 6716 3.1, 3.2).
Result<std::uint32_t> opus_ticks(std::span<const std::uint8_t> packet) noexcept;

struct OpusPayload {
  bool marker = false;
  bool send = true;  // false: a pause that is left out
  std::uint32_t ticks = 0;
};

class OpusPacketizer {
 public:
  explicit OpusPacketizer(bool skip_dtx = false) noexcept : skip_dtx_(skip_dtx) {}

  // How the packet is to be sent; the timestamp grows by `ticks` also over what is left out.
  Result<OpusPayload> packetize(std::span<const std::uint8_t> packet) noexcept;

 private:
  bool skip_dtx_;
  bool in_pause_ = true;
};

class OpusFormat {
 public:
  static constexpr bool kFramePerPacket = true;

  void reset() noexcept {}
  std::optional<Error> take(std::span<const std::uint8_t> payload, FrameBytes& frame);
  std::optional<Error> finish(const FrameBytes&) const noexcept { return std::nullopt; }
  bool is_key() const noexcept { return true; }
};

using OpusDepacketizer = Depacketizer<OpusFormat>;

}  // namespace mediacore::rtp
