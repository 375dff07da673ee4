#include "core/h264/sps.hpp"

#include <array>
#include <string_view>

#include "core/h264/bit_reader.hpp"
#include "core/h264/nal_unit.hpp"

namespace mediacore::h264 {
namespace {

constexpr std::uint64_t kMacroblock = 16;  // luma samples a side

// Profiles whose SPS has the chroma and scaling part (7.3.2.1.1).
constexpr bool is_high_profile(std::uint8_t profile_idc) noexcept {
  constexpr std::array<std::uint8_t, 13> profiles{100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135};
  for (const std::uint8_t profile : profiles) {
    if (profile == profile_idc) return true;
  }
  return false;
}

// Remembers the first value that is out of range, so that the parser reads on without a branch per field.
class Fields {
 public:
  explicit Fields(std::span<const std::uint8_t> nal) noexcept : in(nal) {}

  std::uint32_t ue(std::uint32_t most, ErrorCode code = ErrorCode::value_out_of_range) noexcept {
    const std::size_t at = in.byte_offset();
    const std::uint32_t value = in.ue();
    if (value <= most) return value;
    reject(code, at);
    return 0;
  }

  void reject(ErrorCode code, std::size_t at) noexcept {
    if (!rejected_ && in.ok()) {
      rejected_ = true;
      rejection_ = {code, at};
    }
  }

  bool ok() const noexcept { return in.ok() && !rejected_; }
  bool rejected() const noexcept { return rejected_; }
  ParseError error() const noexcept { return rejected_ ? rejection_ : in.error(); }

  BitReader in;

 private:
  bool rejected_ = false;
  ParseError rejection_{ErrorCode::value_out_of_range, 0};
};

void skip_scaling_list(BitReader& in, unsigned size) noexcept {
  std::int64_t last = 8;
  std::int64_t next = 8;
  for (unsigned i = 0; i < size && in.ok(); ++i) {
    if (next != 0) next = (last + in.se() + 256) & 0xff;
    if (next != 0) last = next;
  }
}

void read_chroma(Fields& f, Sps& sps) noexcept {
  sps.chroma_format_idc = static_cast<std::uint8_t>(f.ue(kMaxChromaFormatIdc));
  if (sps.chroma_format_idc == 3) sps.separate_colour_plane_flag = f.in.flag();
  sps.bit_depth_luma = static_cast<std::uint8_t>(8 + f.ue(kMaxBitDepthMinus8));
  sps.bit_depth_chroma = static_cast<std::uint8_t>(8 + f.ue(kMaxBitDepthMinus8));
  sps.qpprime_y_zero_transform_bypass_flag = f.in.flag();
  sps.seq_scaling_matrix_present_flag = f.in.flag();
  if (!sps.seq_scaling_matrix_present_flag) return;
  const unsigned lists = sps.chroma_format_idc == 3 ? 12 : 8;
  for (unsigned i = 0; i < lists && f.ok(); ++i) {
    if (f.in.flag()) skip_scaling_list(f.in, i < 6 ? 16 : 64);
  }
}

void read_picture_order(Fields& f, Sps& sps) {
  sps.pic_order_cnt_type = static_cast<std::uint8_t>(f.ue(2));
  if (sps.pic_order_cnt_type == 0) {
    sps.log2_max_pic_order_cnt_lsb = static_cast<std::uint8_t>(4 + f.ue(kMaxLog2Minus4));
  } else if (sps.pic_order_cnt_type == 1) {
    sps.delta_pic_order_always_zero_flag = f.in.flag();
    sps.offset_for_non_ref_pic = f.in.se();
    sps.offset_for_top_to_bottom_field = f.in.se();
    const std::uint32_t count = f.ue(kMaxPocCycle);
    for (std::uint32_t i = 0; i < count && f.ok(); ++i) sps.offset_for_ref_frame.push_back(f.in.se());
  }
}

void read_geometry(Fields& f, Sps& sps) noexcept {
  sps.pic_width_in_mbs = static_cast<std::uint16_t>(1 + f.ue(kMaxSizeInMbs - 1, ErrorCode::picture_too_large));
  const std::size_t height_at = f.in.byte_offset();
  sps.pic_height_in_map_units = static_cast<std::uint16_t>(1 + f.ue(kMaxSizeInMbs - 1, ErrorCode::picture_too_large));
  sps.frame_mbs_only_flag = f.in.flag();
  const std::uint32_t height_in_mbs = sps.pic_height_in_map_units * (sps.frame_mbs_only_flag ? 1U : 2U);
  if (height_in_mbs > kMaxSizeInMbs) f.reject(ErrorCode::picture_too_large, height_at);
  if (!sps.frame_mbs_only_flag) sps.mb_adaptive_frame_field_flag = f.in.flag();
  sps.direct_8x8_inference_flag = f.in.flag();

  const std::size_t crop_at = f.in.byte_offset();
  std::uint64_t cut_width = 0;
  std::uint64_t cut_height = 0;
  if (f.in.flag()) {
    FrameCropping crop;
    crop.left = f.in.ue();
    crop.right = f.in.ue();
    crop.top = f.in.ue();
    crop.bottom = f.in.ue();
    // 7.4.2.1.1: CropUnitX and CropUnitY; ChromaArrayType is 0 for monochrome and for separate planes.
    const unsigned chroma = sps.separate_colour_plane_flag ? 0 : sps.chroma_format_idc;
    const std::uint64_t unit_x = chroma == 1 || chroma == 2 ? 2 : 1;
    const std::uint64_t unit_y = std::uint64_t{chroma == 1 ? 2U : 1U} * (sps.frame_mbs_only_flag ? 1U : 2U);
    cut_width = unit_x * (std::uint64_t{crop.left} + crop.right);
    cut_height = unit_y * (std::uint64_t{crop.top} + crop.bottom);
    sps.frame_cropping = crop;
  }
  const std::uint64_t width = std::uint64_t{sps.pic_width_in_mbs} * kMacroblock;
  const std::uint64_t height = std::uint64_t{height_in_mbs} * kMacroblock;
  if (cut_width >= width || cut_height >= height) {
    f.reject(ErrorCode::crop_too_large, crop_at);
    return;
  }
  sps.width = static_cast<std::uint32_t>(width - cut_width);
  sps.height = static_cast<std::uint32_t>(height - cut_height);
}

// None if the data ends inside it.
std::optional<HrdParameters> read_hrd(Fields& f) {
  HrdParameters hrd;
  const std::uint32_t count = 1 + f.ue(kMaxCpbCount - 1);
  hrd.bit_rate_scale = static_cast<std::uint8_t>(f.in.bits(4));
  hrd.cpb_size_scale = static_cast<std::uint8_t>(f.in.bits(4));
  for (std::uint32_t i = 0; i < count && f.ok(); ++i) {
    HrdSchedule schedule;
    schedule.bit_rate_value_minus1 = f.in.ue();
    schedule.cpb_size_value_minus1 = f.in.ue();
    schedule.cbr_flag = f.in.flag();
    hrd.schedules.push_back(schedule);
  }
  hrd.initial_cpb_removal_delay_length_minus1 = static_cast<std::uint8_t>(f.in.bits(5));
  hrd.cpb_removal_delay_length_minus1 = static_cast<std::uint8_t>(f.in.bits(5));
  hrd.dpb_output_delay_length_minus1 = static_cast<std::uint8_t>(f.in.bits(5));
  hrd.time_offset_length = static_cast<std::uint8_t>(f.in.bits(5));
  if (!f.in.ok()) return std::nullopt;
  return hrd;
}

void read_video_signal_type(BitReader& in, Vui& vui) noexcept {
  vui.video_signal_type_present_flag = in.flag();
  if (!vui.video_signal_type_present_flag) return;
  vui.video_format = static_cast<std::uint8_t>(in.bits(3));
  vui.video_full_range_flag = in.flag();
  vui.colour_description_present_flag = in.flag();
  if (!vui.colour_description_present_flag) return;
  vui.colour_primaries = static_cast<std::uint8_t>(in.bits(8));
  vui.transfer_characteristics = static_cast<std::uint8_t>(in.bits(8));
  vui.matrix_coefficients = static_cast<std::uint8_t>(in.bits(8));
}

// None if the data ends inside it.
std::optional<BitstreamRestriction> read_restriction(BitReader& in) noexcept {
  if (!in.flag()) return std::nullopt;
  BitstreamRestriction limits;
  limits.motion_vectors_over_pic_boundaries_flag = in.flag();
  limits.max_bytes_per_pic_denom = in.ue();
  limits.max_bits_per_mb_denom = in.ue();
  limits.log2_max_mv_length_horizontal = in.ue();
  limits.log2_max_mv_length_vertical = in.ue();
  limits.max_num_reorder_frames = in.ue();
  limits.max_dec_frame_buffering = in.ue();
  if (!in.ok()) return std::nullopt;
  return limits;
}

Vui read_vui(Fields& f, SpsLayout& layout) {
  BitReader& in = f.in;
  Vui vui;
  vui.aspect_ratio_info_present_flag = in.flag();
  if (vui.aspect_ratio_info_present_flag) {
    vui.aspect_ratio_idc = static_cast<std::uint8_t>(in.bits(8));
    if (vui.aspect_ratio_idc == kExtendedSampleAspectRatio) {
      vui.sar_width = static_cast<std::uint16_t>(in.bits(16));
      vui.sar_height = static_cast<std::uint16_t>(in.bits(16));
    }
  }
  vui.overscan_info_present_flag = in.flag();
  if (vui.overscan_info_present_flag) vui.overscan_appropriate_flag = in.flag();
  layout.video_signal_type = in.bit_position();
  read_video_signal_type(in, vui);
  layout.video_signal_type_end = in.bit_position();
  vui.chroma_loc_info_present_flag = in.flag();
  if (vui.chroma_loc_info_present_flag) {
    vui.chroma_sample_loc_type_top_field = in.ue();
    vui.chroma_sample_loc_type_bottom_field = in.ue();
  }
  if (in.flag()) {
    TimingInfo timing;
    timing.num_units_in_tick = in.bits(32);
    timing.time_scale = in.bits(32);
    timing.fixed_frame_rate_flag = in.flag();
    if (in.ok()) vui.timing_info = timing;
  }
  if (in.flag()) vui.nal_hrd = read_hrd(f);
  if (in.flag()) vui.vcl_hrd = read_hrd(f);
  if (vui.nal_hrd || vui.vcl_hrd) vui.low_delay_hrd_flag = in.flag();
  vui.pic_struct_present_flag = in.flag();
  layout.restriction_flag = in.bit_position();
  vui.bitstream_restriction = read_restriction(in);
  return vui;
}

}  // namespace

ParseResult<Sps> parse_sps(std::span<const std::uint8_t> nal, SpsLayout* layout) {
  if (nal.empty()) return ParseError{ErrorCode::empty, 0};
  const NalHeader header = parse_nal_header(nal[0]);
  if (header.forbidden) return ParseError{ErrorCode::forbidden_bit, 0};
  if (header.type != NalType::sps && header.type != NalType::subset_sps) return ParseError{ErrorCode::wrong_type, 0};

  Fields f(nal);
  f.in.bits(8);
  Sps sps;
  sps.profile_idc = static_cast<std::uint8_t>(f.in.bits(8));
  sps.constraint_flags = static_cast<std::uint8_t>(f.in.bits(8));
  sps.level_idc = static_cast<std::uint8_t>(f.in.bits(8));
  sps.id = static_cast<std::uint8_t>(f.ue(kMaxSpsId, ErrorCode::id_out_of_range));
  if (is_high_profile(sps.profile_idc)) read_chroma(f, sps);
  sps.log2_max_frame_num = static_cast<std::uint8_t>(4 + f.ue(kMaxLog2Minus4));
  read_picture_order(f, sps);
  sps.max_num_ref_frames = static_cast<std::uint8_t>(f.ue(kMaxRefFrames));
  sps.gaps_in_frame_num_value_allowed_flag = f.in.flag();
  read_geometry(f, sps);
  SpsLayout positions;
  positions.vui_present_flag = f.in.bit_position();
  const bool vui_present = f.in.flag();
  if (!f.ok()) return f.error();
  if (vui_present) {
    sps.vui = read_vui(f, positions);
    if (f.rejected()) return f.error();
    sps.vui_truncated = !f.in.ok();
  }
  positions.end = f.in.bit_position();
  if (layout != nullptr) *layout = positions;
  return sps;
}

std::string Sps::profile_level_id() const {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : {profile_idc, constraint_flags, level_idc}) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::optional<double> Sps::fps() const noexcept {
  if (!vui || !vui->timing_info) return std::nullopt;
  const TimingInfo& timing = *vui->timing_info;
  if (timing.num_units_in_tick == 0 || timing.time_scale == 0) return std::nullopt;
  return static_cast<double>(timing.time_scale) / (2.0 * static_cast<double>(timing.num_units_in_tick));
}

}  // namespace mediacore::h264
