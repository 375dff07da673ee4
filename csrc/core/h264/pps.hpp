// Picture parameter set (H.264 7.3.2.2): the fields that a slice header depends on.
//
// Policy: parsing stops after redundant_pic_cnt_present_flag; what follows needs the SPS, which may come later.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <span>

#include "core/h264/parse_result.hpp"

namespace mediacore::h264 {

inline constexpr std::uint32_t kMaxPpsId = 255;             // 7.4.2.2
inline constexpr std::uint32_t kMaxSliceGroups = 8;         // A.2: num_slice_groups_minus1 up to 7
inline constexpr std::uint32_t kMaxMapUnits = 1055 * 1055;  // kMaxSizeInMbs squared
inline constexpr std::uint32_t kMaxRefIndices = 32;         // 7.4.2.2

struct Pps {
  std::uint8_t id = 0;
  std::uint8_t sps_id = 0;
  bool bottom_field_pic_order_in_frame_present_flag = false;
  bool redundant_pic_cnt_present_flag = false;

  friend bool operator==(const Pps&, const Pps&) = default;
};

// Parses a whole NAL unit (header byte first, no start code).
ParseResult<Pps> parse_pps(std::span<const std::uint8_t> nal) noexcept;

}  // namespace mediacore::h264
