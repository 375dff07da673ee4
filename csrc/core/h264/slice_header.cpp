#include "core/h264/slice_header.hpp"

#include "core/h264/bit_reader.hpp"

namespace mediacore::h264 {

ParseResult<SliceHeader> parse_slice_header(std::span<const std::uint8_t> nal, const ParameterSetTable& sets) noexcept {
  if (nal.empty()) return ParseError{ErrorCode::truncated, 0};
  SliceHeader slice;
  slice.nal = parse_nal_header(nal[0]);
  BitReader in(nal);
  in.bits(8);
  slice.first_mb_in_slice = in.ue();
  const std::uint32_t slice_type = in.ue();
  if (slice_type > kMaxSliceType) return ParseError{ErrorCode::value_out_of_range, in.byte_offset()};
  const std::uint32_t pps_id = in.ue();
  if (pps_id > kMaxPpsId) return ParseError{ErrorCode::id_out_of_range, in.byte_offset()};
  if (!in.ok()) return in.error();
  slice.slice_type = static_cast<std::uint8_t>(slice_type);
  slice.pps_id = static_cast<std::uint8_t>(pps_id);

  const std::optional<Pps>& pps = sets.pps[pps_id];
  if (!pps || !sets.sps[pps->sps_id]) return slice;
  slice.sps = &sets.sps[pps->sps_id];
  const Sps& sps = **slice.sps;
  slice.complete = true;
  if (sps.separate_colour_plane_flag) slice.colour_plane_id = static_cast<std::uint8_t>(in.bits(2));
  slice.frame_num = static_cast<std::uint16_t>(in.bits(sps.log2_max_frame_num));
  if (!sps.frame_mbs_only_flag) {
    slice.field_pic_flag = in.flag();
    if (slice.field_pic_flag) slice.bottom_field_flag = in.flag();
  }
  if (slice.is_idr()) {
    const std::uint32_t idr_pic_id = in.ue();
    if (idr_pic_id > kMaxIdrPicId) return ParseError{ErrorCode::value_out_of_range, in.byte_offset()};
    slice.idr_pic_id = static_cast<std::uint16_t>(idr_pic_id);
  }
  slice.pic_order_cnt_type = sps.pic_order_cnt_type;
  const bool bottom_delta = pps->bottom_field_pic_order_in_frame_present_flag && !slice.field_pic_flag;
  if (sps.pic_order_cnt_type == 0) {
    slice.pic_order_cnt_lsb = static_cast<std::uint16_t>(in.bits(sps.log2_max_pic_order_cnt_lsb));
    if (bottom_delta) slice.delta_pic_order_cnt_bottom = in.se();
  } else if (sps.pic_order_cnt_type == 1 && !sps.delta_pic_order_always_zero_flag) {
    slice.delta_pic_order_cnt[0] = in.se();
    if (bottom_delta) slice.delta_pic_order_cnt[1] = in.se();
  }
  if (pps->redundant_pic_cnt_present_flag) {
    const std::uint32_t redundant = in.ue();
    if (redundant > kMaxRedundantPic) return ParseError{ErrorCode::value_out_of_range, in.byte_offset()};
    slice.redundant_pic_cnt = static_cast<std::uint8_t>(redundant);
  }
  if (!in.ok()) return in.error();
  return slice;
}

bool PictureSlices::ends_before(const SliceHeader& next) const noexcept {
  if (next.redundant_pic_cnt > 0) return false;
  if (next.is_idr() != last_.is_idr() || next.pps_id != last_.pps_id) return true;
  if ((next.nal.ref_idc == 0) != (last_.nal.ref_idc == 0)) return true;
  if (!next.complete || !last_.complete) return next.first_mb_in_slice <= last_.first_mb_in_slice;
  if (next.frame_num != last_.frame_num || next.field_pic_flag != last_.field_pic_flag ||
      next.bottom_field_flag != last_.bottom_field_flag) {
    return true;
  }
  if (next.is_idr() && next.idr_pic_id != last_.idr_pic_id) return true;
  if (next.pic_order_cnt_type == last_.pic_order_cnt_type &&
      (next.pic_order_cnt_lsb != last_.pic_order_cnt_lsb ||
       next.delta_pic_order_cnt_bottom != last_.delta_pic_order_cnt_bottom ||
       next.delta_pic_order_cnt != last_.delta_pic_order_cnt)) {
    return true;
  }
  return next.first_mb_in_slice == 0 && (planes_begun_ & (1U << next.colour_plane_id)) != 0;
}

void PictureSlices::begin(const SliceHeader& first) noexcept {
  planes_begun_ = 0;
  last_ = first;
  add(first);
}

void PictureSlices::add(const SliceHeader& next) noexcept {
  if (next.redundant_pic_cnt > 0) return;
  last_ = next;
  last_.sps = nullptr;
  if (next.first_mb_in_slice == 0) {
    planes_begun_ = static_cast<std::uint8_t>(planes_begun_ | (1U << next.colour_plane_id));
  }
}

}  // namespace mediacore::h264
