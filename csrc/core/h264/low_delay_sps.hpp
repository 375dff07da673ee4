// Rewrites the VUI of an SPS so that a decoder gives each picture at once (H.264 E.2.1, bitstream_restriction).
//
// What it does, as libwebrtc: nothing if max_num_reorder_frames is 0 and max_dec_frame_buffering does not exceed
//   max_num_ref_frames. Otherwise the restriction is added or changed to reorder 0 and buffering =
//   max_num_ref_frames. Everything else is copied bit by bit; emulation prevention is put in again. The result is a
//   fixed point.
// What it does not: judge the stream. Only for streams whose pictures leave the decoder in the order they come in
//   (pic_order_cnt_type 2, or no B slices); on others it makes decoders show pictures in the wrong order.
// Policy: an SPS that does not parse, or whose VUI is cut off, is an error; nothing is guessed.
// Threads: pure function.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/h264/parse_result.hpp"

namespace mediacore::h264 {

inline constexpr std::uint8_t kUnspecifiedColour = 2;  // tables E-3, E-4, E-5

// Colour that the VUI shall tell (E.2.1).
struct SpsColour {
  std::uint8_t primaries = kUnspecifiedColour;
  std::uint8_t transfer = kUnspecifiedColour;
  std::uint8_t matrix = kUnspecifiedColour;
  bool full_range = false;
};

// The NAL unit (header byte first) with a low-delay VUI; the same bytes if it has one. Without a `colour` the colour
// is left as it is.
ParseResult<std::vector<std::uint8_t>> low_delay_sps(std::span<const std::uint8_t> nal,
                                                     const std::optional<SpsColour>& colour = std::nullopt);

}  // namespace mediacore::h264
