// The VP8 payload format (RFC 7741): one temporal layer, partitions not told apart.
//
// Policy: the frame is cut where the limit wants it, S only in the first packet, partition index 0 in all: allowed
//   (4.2), and as libwebrtc. An Error, and no payload, for a frame above kMaxFrameBytes.
// Threads: one owner.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/rtp/depacketizer.hpp"
#include "core/rtp/payload_buffer.hpp"
#include "core/rtp/payload_limits.hpp"
#include "core/rtp/result.hpp"

namespace mediacore::rtp {

inline constexpr std::uint16_t kMaxPictureId = 0x7fff;  // 15 bits

class Vp8Packetizer {
 public:
  // `limits` must be valid(kLeastCutPayloadBytes). `picture_id` and `tl0_pic_idx` are those of the first frame; they
  // grow by one a frame and wrap. Without them the descriptor is one byte.
  explicit Vp8Packetizer(PayloadLimits limits = {}, std::optional<std::uint16_t> picture_id = 0,
                         std::optional<std::uint8_t> tl0_pic_idx = std::nullopt) noexcept
      : limits_(limits), picture_id_(picture_id), tl0_pic_idx_(tl0_pic_idx) {}

  std::optional<Error> packetize(std::span<const std::uint8_t> frame, PayloadBuffer& out);

 private:
  PayloadLimits limits_;
  std::optional<std::uint16_t> picture_id_;  // of the next frame
  std::optional<std::uint8_t> tl0_pic_idx_;
};

class Vp8Format {
 public:
  static constexpr bool kFramePerPacket = false;

  void reset() noexcept { is_key_ = false; }
  std::optional<Error> take(std::span<const std::uint8_t> payload, FrameBytes& frame);
  std::optional<Error> finish(const FrameBytes&) const noexcept { return std::nullopt; }
  bool is_key() const noexcept { return is_key_; }

 private:
  bool is_key_ = false;
};

using Vp8Depacketizer = Depacketizer<Vp8Format>;

}  // namespace mediacore::rtp
