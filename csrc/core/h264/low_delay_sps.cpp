#include "core/h264/low_delay_sps.hpp"

#include "core/h264/bit_writer.hpp"
#include "core/h264/nal_unit.hpp"
#include "core/h264/sps.hpp"

namespace mediacore::h264 {
namespace {

constexpr std::uint8_t kUnspecifiedFormat = 5;  // table E-2

// video_signal_type_present_flag and what follows it.
struct SignalType {
  bool present = false;
  std::uint8_t format = kUnspecifiedFormat;
  bool full_range = false;
  bool has_colour = false;
  SpsColour colour;

  friend bool operator==(const SignalType& a, const SignalType& b) noexcept {
    return a.present == b.present && a.format == b.format && a.full_range == b.full_range &&
           a.has_colour == b.has_colour && a.colour.primaries == b.colour.primaries &&
           a.colour.transfer == b.colour.transfer && a.colour.matrix == b.colour.matrix;
  }
};

SignalType signal_type_of(const Sps& sps) noexcept {
  if (!sps.vui || !sps.vui->video_signal_type_present_flag) return {};
  const Vui& vui = *sps.vui;
  SignalType type{true, vui.video_format, vui.video_full_range_flag, vui.colour_description_present_flag, {}};
  if (type.has_colour) {
    type.colour = {vui.colour_primaries, vui.transfer_characteristics, vui.matrix_coefficients, type.full_range};
  }
  return type;
}

SignalType with_colour(SignalType type, const SpsColour& wanted) noexcept {
  type.full_range = wanted.full_range;
  type.has_colour = wanted.primaries != kUnspecifiedColour || wanted.transfer != kUnspecifiedColour ||
                    wanted.matrix != kUnspecifiedColour;
  type.colour = type.has_colour ? wanted : SpsColour{};
  type.present = type.format != kUnspecifiedFormat || type.full_range || type.has_colour;
  return type;
}

void write_signal_type(BitWriter& out, const SignalType& type) {
  out.flag(type.present);
  if (!type.present) return;
  out.bits(type.format, 3);
  out.flag(type.full_range);
  out.flag(type.has_colour);
  if (!type.has_colour) return;
  out.bits(type.colour.primaries, 8);
  out.bits(type.colour.transfer, 8);
  out.bits(type.colour.matrix, 8);
}

bool has_low_delay(const Sps& sps) noexcept {
  if (!sps.vui || !sps.vui->bitstream_restriction) return false;
  const BitstreamRestriction& limits = *sps.vui->bitstream_restriction;
  return limits.max_num_reorder_frames == 0 && limits.max_dec_frame_buffering <= sps.max_num_ref_frames;
}

// bitstream_restriction_flag and what follows it.
void write_restriction(BitWriter& out, const Sps& sps) {
  BitstreamRestriction limits;
  if (sps.vui && sps.vui->bitstream_restriction) {
    limits = *sps.vui->bitstream_restriction;
  } else {
    // The values that E.2.1 infers when there is none.
    limits.motion_vectors_over_pic_boundaries_flag = true;
    limits.max_bytes_per_pic_denom = 2;
    limits.max_bits_per_mb_denom = 1;
    limits.log2_max_mv_length_horizontal = 16;
    limits.log2_max_mv_length_vertical = 16;
  }
  if (!has_low_delay(sps)) {
    limits.max_num_reorder_frames = 0;
    limits.max_dec_frame_buffering = sps.max_num_ref_frames;
  }
  out.flag(true);
  out.flag(limits.motion_vectors_over_pic_boundaries_flag);
  out.ue(limits.max_bytes_per_pic_denom);
  out.ue(limits.max_bits_per_mb_denom);
  out.ue(limits.log2_max_mv_length_horizontal);
  out.ue(limits.log2_max_mv_length_vertical);
  out.ue(limits.max_num_reorder_frames);
  out.ue(limits.max_dec_frame_buffering);
}

// A VUI that says nothing but the signal type and the restriction.
void write_new_vui(BitWriter& out, const Sps& sps, const SignalType& type) {
  out.flag(true);  // vui_parameters_present_flag
  out.bits(0, 2);  // aspect_ratio_info_present_flag, overscan_info_present_flag
  write_signal_type(out, type);
  out.bits(0, 5);  // chroma location, timing, NAL HRD, VCL HRD, pic_struct
  write_restriction(out, sps);
}

// The stop bit, if the source has one after its last field; what follows is padding. In a subset SPS the fields of the
// extension stand before it (7.3.2.1.3), and the stop bit is the last one that is set.
void write_trailing_bits(BitWriter& out, std::span<const std::uint8_t> rbsp, std::size_t end) {
  const bool has_extension = parse_nal_header(rbsp[0]).type == NalType::subset_sps;
  std::size_t copy_end = end;
  for (std::size_t bit = end; bit < rbsp.size() * 8; ++bit) {
    if (((rbsp[bit / 8] >> (7 - bit % 8)) & 1) == 0) continue;
    copy_end = bit + 1;
    if (!has_extension) break;
  }
  out.copy(rbsp, end, copy_end);
}

}  // namespace

ParseResult<std::vector<std::uint8_t>> low_delay_sps(std::span<const std::uint8_t> nal,
                                                     const std::optional<SpsColour>& colour) {
  SpsLayout layout;
  const auto sps = parse_sps(nal, &layout);
  if (!sps) return sps.error();
  if (sps->vui_truncated) return ParseError{ErrorCode::truncated, nal.size()};

  const SignalType type = signal_type_of(*sps);
  const SignalType wanted = colour ? with_colour(type, *colour) : type;
  if (has_low_delay(*sps) && type == wanted) return std::vector<std::uint8_t>(nal.begin(), nal.end());

  std::vector<std::uint8_t> rbsp;
  append_unescaped(nal, rbsp);
  BitWriter out;
  out.copy(rbsp, 0, layout.vui_present_flag);
  if (!sps->vui) {
    write_new_vui(out, *sps, wanted);
  } else {
    out.copy(rbsp, layout.vui_present_flag, layout.video_signal_type);
    write_signal_type(out, wanted);
    out.copy(rbsp, layout.video_signal_type_end, layout.restriction_flag);
    write_restriction(out, *sps);
  }
  write_trailing_bits(out, rbsp, layout.end);

  std::vector<std::uint8_t> result;
  append_escaped(out.bytes(), result);
  return result;
}

}  // namespace mediacore::h264
