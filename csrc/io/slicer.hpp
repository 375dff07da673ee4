// Cuts units into RTP payloads, once for all viewers of a rendition.
//
// Policy: a unit that is no bitstream of the codec gives none. VP8 and VP9 number their pictures, so theirs must be cut
//   all, in order; the others may be cut in any order or not at all.
// Memory: a frame has one block, as large as it needs, which is used again when nobody refers to the frame any more.
// Threads: one owner.
#pragma once

#include <variant>

#include "core/egress/frame.hpp"
#include "core/rtp/av1.hpp"
#include "core/rtp/h264_packetizer.hpp"
#include "core/rtp/opus.hpp"
#include "core/rtp/vp8.hpp"
#include "core/rtp/vp9.hpp"
#include "io/recycler.hpp"
#include "io/unit.hpp"

namespace mediacore::io {

class Slicer {
 public:
  explicit Slicer(Codec codec);

  // True if every unit must be cut.
  bool numbers_pictures() const noexcept;
  // Null if the unit cannot be cut.
  egress::FrameRef slice(const Unit& unit);

 private:
  using Packetizer = std::variant<rtp::H264Packetizer, rtp::Vp8Packetizer, rtp::Vp9Packetizer, rtp::Av1Packetizer,
                                  rtp::OpusPacketizer>;

  static Packetizer packetizer_of(Codec codec);

  Packetizer packetizer_;
  Recycler<egress::Frame> frames_;
};

}  // namespace mediacore::io
