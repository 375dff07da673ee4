// Sequence parameter set (H.264 7.3.2.1.1) with its VUI (E.1.1).
//
// Policy: every value is checked against the limits below; the first bad one is the error. A VUI that is cut off
//   keeps what stands before it (`vui_truncated`), since geometry and profile are still true. Field names are the
//   standard's.
// Threads: plain values; shared ones are const.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/h264/parse_result.hpp"

namespace mediacore::h264 {

// Limits, with their reason.
inline constexpr std::uint32_t kMaxSpsId = 31;                   // 7.4.2.1.1
inline constexpr std::uint32_t kMaxChromaFormatIdc = 3;          // table 6-1
inline constexpr std::uint32_t kMaxBitDepthMinus8 = 6;           // 7.4.2.1.1: 14 bits
inline constexpr std::uint32_t kMaxLog2Minus4 = 12;              // 7.4.2.1.1: frame_num and POC lsb of 16 bits
inline constexpr std::uint32_t kMaxPocCycle = 255;               // 7.4.2.1.1
inline constexpr std::uint32_t kMaxRefFrames = 16;               // A.3.1: MaxDpbFrames
inline constexpr std::uint32_t kMaxSizeInMbs = 1055;             // A.3.1: sqrt(8 * MaxFS) of level 6.2
inline constexpr std::uint32_t kMaxCpbCount = 32;                // E.2.2
inline constexpr std::uint8_t kExtendedSampleAspectRatio = 255;  // table E-1

// Offsets in units of the crop unit of 7.4.2.1.1.
struct FrameCropping {
  std::uint32_t left = 0;
  std::uint32_t right = 0;
  std::uint32_t top = 0;
  std::uint32_t bottom = 0;

  friend bool operator==(const FrameCropping&, const FrameCropping&) = default;
};

struct TimingInfo {
  std::uint32_t num_units_in_tick = 0;
  std::uint32_t time_scale = 0;
  bool fixed_frame_rate_flag = false;

  friend bool operator==(const TimingInfo&, const TimingInfo&) = default;
};

struct HrdSchedule {
  std::uint32_t bit_rate_value_minus1 = 0;
  std::uint32_t cpb_size_value_minus1 = 0;
  bool cbr_flag = false;

  friend bool operator==(const HrdSchedule&, const HrdSchedule&) = default;
};

struct HrdParameters {
  std::vector<HrdSchedule> schedules;  // cpb_cnt_minus1 + 1 of them
  std::uint8_t bit_rate_scale = 0;
  std::uint8_t cpb_size_scale = 0;
  std::uint8_t initial_cpb_removal_delay_length_minus1 = 0;
  std::uint8_t cpb_removal_delay_length_minus1 = 0;
  std::uint8_t dpb_output_delay_length_minus1 = 0;
  std::uint8_t time_offset_length = 0;

  friend bool operator==(const HrdParameters&, const HrdParameters&) = default;
};

struct BitstreamRestriction {
  bool motion_vectors_over_pic_boundaries_flag = false;
  std::uint32_t max_bytes_per_pic_denom = 0;
  std::uint32_t max_bits_per_mb_denom = 0;
  std::uint32_t log2_max_mv_length_horizontal = 0;
  std::uint32_t log2_max_mv_length_vertical = 0;
  std::uint32_t max_num_reorder_frames = 0;
  std::uint32_t max_dec_frame_buffering = 0;

  friend bool operator==(const BitstreamRestriction&, const BitstreamRestriction&) = default;
};

struct Vui {
  bool aspect_ratio_info_present_flag = false;
  std::uint8_t aspect_ratio_idc = 0;
  std::uint16_t sar_width = 0;
  std::uint16_t sar_height = 0;
  bool overscan_info_present_flag = false;
  bool overscan_appropriate_flag = false;
  bool video_signal_type_present_flag = false;
  std::uint8_t video_format = 5;
  bool video_full_range_flag = false;
  bool colour_description_present_flag = false;
  std::uint8_t colour_primaries = 2;
  std::uint8_t transfer_characteristics = 2;
  std::uint8_t matrix_coefficients = 2;
  bool chroma_loc_info_present_flag = false;
  std::uint32_t chroma_sample_loc_type_top_field = 0;
  std::uint32_t chroma_sample_loc_type_bottom_field = 0;
  std::optional<TimingInfo> timing_info;
  std::optional<HrdParameters> nal_hrd;
  std::optional<HrdParameters> vcl_hrd;
  bool low_delay_hrd_flag = false;
  bool pic_struct_present_flag = false;
  std::optional<BitstreamRestriction> bitstream_restriction;

  friend bool operator==(const Vui&, const Vui&) = default;
};

struct Sps {
  std::uint8_t profile_idc = 0;
  std::uint8_t constraint_flags = 0;  // constraint_set0_flag is the top bit; the two reserved bits are the lowest
  std::uint8_t level_idc = 0;
  std::uint8_t id = 0;
  std::uint8_t chroma_format_idc = 1;
  bool separate_colour_plane_flag = false;
  std::uint8_t bit_depth_luma = 8;
  std::uint8_t bit_depth_chroma = 8;
  bool qpprime_y_zero_transform_bypass_flag = false;
  bool seq_scaling_matrix_present_flag = false;
  std::uint8_t log2_max_frame_num = 4;
  std::uint8_t pic_order_cnt_type = 0;
  std::uint8_t log2_max_pic_order_cnt_lsb = 4;
  bool delta_pic_order_always_zero_flag = false;
  std::int32_t offset_for_non_ref_pic = 0;
  std::int32_t offset_for_top_to_bottom_field = 0;
  std::vector<std::int32_t> offset_for_ref_frame;
  std::uint8_t max_num_ref_frames = 0;
  bool gaps_in_frame_num_value_allowed_flag = false;
  std::uint16_t pic_width_in_mbs = 0;
  std::uint16_t pic_height_in_map_units = 0;
  bool frame_mbs_only_flag = true;
  bool mb_adaptive_frame_field_flag = false;
  bool direct_8x8_inference_flag = false;
  std::optional<FrameCropping> frame_cropping;
  std::optional<Vui> vui;
  bool vui_truncated = false;
  std::uint32_t width = 0;   // of the cropped picture, in luma samples
  std::uint32_t height = 0;  // of the cropped picture, in luma samples

  friend bool operator==(const Sps&, const Sps&) = default;

  // profile_idc, constraint flags and level_idc as 6 hex digits (RFC 6184 8.1).
  std::string profile_level_id() const;

  // Frames per second of the VUI's timing (two ticks a frame, E.2.1); none if it says nothing.
  std::optional<double> fps() const noexcept;
};

// Bit positions in the RBSP that starts with the NAL header: what a rewrite of the VUI has to know.
struct SpsLayout {
  std::size_t vui_present_flag = 0;
  std::size_t video_signal_type = 0;      // video_signal_type_present_flag; only with a VUI
  std::size_t video_signal_type_end = 0;  // the bit after that part
  std::size_t restriction_flag = 0;       // bitstream_restriction_flag; only with a VUI
  std::size_t end = 0;                    // the bit after the last field
};

// Parses a whole NAL unit (header byte first, no start code) of type 7, or the base part of a type 15.
ParseResult<Sps> parse_sps(std::span<const std::uint8_t> nal, SpsLayout* layout = nullptr);

}  // namespace mediacore::h264
