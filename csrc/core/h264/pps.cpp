#include "core/h264/pps.hpp"

#include <bit>

#include "core/h264/bit_reader.hpp"
#include "core/h264/nal_unit.hpp"
#include "core/h264/sps.hpp"

namespace mediacore::h264 {
namespace {

// slice_group_map_type and what depends on it (7.3.2.2); false if a value is out of range.
bool skip_slice_groups(BitReader& in, std::uint32_t groups) noexcept {
  switch (in.ue()) {
    case 0:
      for (std::uint32_t i = 0; i < groups; ++i) in.ue();  // run_length_minus1
      return true;
    case 1: return true;
    case 2:
      for (std::uint32_t i = 0; i + 1 < groups; ++i) {
        in.ue();  // top_left
        in.ue();  // bottom_right
      }
      return true;
    case 3:
    case 4:
    case 5:
      in.flag();  // slice_group_change_direction_flag
      in.ue();    // slice_group_change_rate_minus1
      return true;
    case 6: {
      const std::uint32_t last = in.ue();  // pic_size_in_map_units_minus1
      if (last >= kMaxMapUnits) return false;
      const auto bits = static_cast<unsigned>(std::bit_width(groups - 1));
      for (std::uint32_t i = 0; i <= last && in.ok(); ++i) in.bits(bits);  // slice_group_id
      return true;
    }
    default: return false;
  }
}

}  // namespace

ParseResult<Pps> parse_pps(std::span<const std::uint8_t> nal) noexcept {
  if (nal.empty()) return ParseError{ErrorCode::empty, 0};
  const NalHeader header = parse_nal_header(nal[0]);
  if (header.forbidden) return ParseError{ErrorCode::forbidden_bit, 0};
  if (header.type != NalType::pps) return ParseError{ErrorCode::wrong_type, 0};

  BitReader in(nal);
  in.bits(8);
  Pps pps;
  const std::uint32_t id = in.ue();
  if (id > kMaxPpsId) return ParseError{ErrorCode::id_out_of_range, 1};
  const std::uint32_t sps_id = in.ue();
  if (sps_id > kMaxSpsId) return ParseError{ErrorCode::id_out_of_range, in.byte_offset()};
  pps.id = static_cast<std::uint8_t>(id);
  pps.sps_id = static_cast<std::uint8_t>(sps_id);
  in.flag();  // entropy_coding_mode_flag
  pps.bottom_field_pic_order_in_frame_present_flag = in.flag();
  const std::uint32_t groups = in.ue() + 1;
  if (groups == 0 || groups > kMaxSliceGroups) return ParseError{ErrorCode::value_out_of_range, in.byte_offset()};
  if (groups > 1 && !skip_slice_groups(in, groups)) return ParseError{ErrorCode::value_out_of_range, in.byte_offset()};
  const std::uint32_t ref_l0 = in.ue();
  const std::uint32_t ref_l1 = in.ue();
  if (ref_l0 >= kMaxRefIndices || ref_l1 >= kMaxRefIndices) {
    return ParseError{ErrorCode::value_out_of_range, in.byte_offset()};
  }
  in.bits(3);  // weighted_pred_flag, weighted_bipred_idc
  in.se();     // pic_init_qp_minus26
  in.se();     // pic_init_qs_minus26
  in.se();     // chroma_qp_index_offset
  in.bits(2);  // deblocking_filter_control_present_flag, constrained_intra_pred_flag
  pps.redundant_pic_cnt_present_flag = in.flag();
  if (!in.ok()) return in.error();
  return pps;
}

}  // namespace mediacore::h264
