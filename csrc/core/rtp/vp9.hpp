// The VP9 payload format (RFC 9628), one spatial and one temporal layer, in flexible or non-flexible mode.
//
// Policy: the scalability structure, which tells the size of the picture, goes with each key frame. In flexible mode
//   each other frame names the one before it as its reference, which stands for all earlier ones. A frame whose
//   uncompressed header does not begin as VP9's is an Error, and no payload is made. Received frames may have more
//   layers: they come as one super frame.
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

// What the uncompressed header says (VP9 bitstream specification 6.2).
struct Vp9Header {
  bool is_key = false;
  std::uint32_t width = 0;  // of key frames
  std::uint32_t height = 0;
};

Result<Vp9Header> parse_vp9_header(std::span<const std::uint8_t> frame) noexcept;

class Vp9Packetizer {
 public:
  // `limits` must be valid(kLeastCutPayloadBytes). `picture_id` (15 bits) and `tl0_pic_idx` are the first frame's.
  explicit Vp9Packetizer(PayloadLimits limits = {}, bool flexible = false, std::uint16_t picture_id = 0,
                         std::uint8_t tl0_pic_idx = 0) noexcept
      : limits_(limits), flexible_(flexible), picture_id_(picture_id), tl0_pic_idx_(tl0_pic_idx) {}

  std::optional<Error> packetize(std::span<const std::uint8_t> frame, PayloadBuffer& out);

 private:
  PayloadLimits limits_;
  bool flexible_;
  std::uint16_t picture_id_;  // of the next frame
  std::uint8_t tl0_pic_idx_;
};

class Vp9Format {
 public:
  static constexpr bool kFramePerPacket = false;

  void reset() noexcept;
  std::optional<Error> take(std::span<const std::uint8_t> payload, FrameBytes& frame);
  std::optional<Error> finish(const FrameBytes& frame) const noexcept;
  bool is_key() const noexcept { return is_key_; }

 private:
  bool layer_open_ = false;
  bool is_key_ = false;
};

using Vp9Depacketizer = Depacketizer<Vp9Format>;

}  // namespace mediacore::rtp
