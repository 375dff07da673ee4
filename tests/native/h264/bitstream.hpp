// Small bitstreams, field by field, for the tests: parameter sets and slices that hold a header and some payload.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/h264/bit_writer.hpp"

namespace mediacore::h264::testing {

using Buffer = std::vector<std::uint8_t>;

inline Buffer from_hex(std::string_view hex) {
  const auto digit = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
  Buffer bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  }
  return bytes;
}

// The NAL unit with this header byte and RBSP, which gets its stop bit here.
inline Buffer nal_of(std::uint8_t header, BitWriter rbsp) {
  rbsp.flag(true);
  Buffer nal{header};
  append_escaped(rbsp.bytes(), nal);
  return nal;
}

struct SpsFields {
  std::uint32_t id = 0;
  std::uint32_t width_in_mbs = 20;
  std::uint32_t height_in_map_units = 15;
  std::uint32_t ref_frames = 1;
  std::uint32_t poc_type = 2;
  bool frame_mbs_only = true;
  std::array<std::uint32_t, 4> crop{0, 0, 0, 0};  // left, right, top, bottom
};

inline Buffer sps_nal(const SpsFields& fields = {}) {
  BitWriter out;
  out.bits(77, 8);  // Main
  out.bits(0, 8);
  out.bits(31, 8);
  out.ue(fields.id);
  out.ue(0);  // log2_max_frame_num_minus4
  out.ue(fields.poc_type);
  if (fields.poc_type == 0) out.ue(0);  // log2_max_pic_order_cnt_lsb_minus4
  out.ue(fields.ref_frames);
  out.flag(false);  // gaps_in_frame_num_value_allowed_flag
  out.ue(fields.width_in_mbs - 1);
  out.ue(fields.height_in_map_units - 1);
  out.flag(fields.frame_mbs_only);
  if (!fields.frame_mbs_only) out.flag(false);  // mb_adaptive_frame_field_flag
  out.flag(true);                               // direct_8x8_inference_flag
  const bool crop = std::ranges::any_of(fields.crop, [](std::uint32_t offset) { return offset != 0; });
  out.flag(crop);
  if (crop) {
    for (const std::uint32_t offset : fields.crop) out.ue(offset);
  }
  out.flag(false);  // vui_parameters_present_flag
  return nal_of(0x67, out);
}

struct PpsFields {
  std::uint32_t id = 0;
  std::uint32_t sps_id = 0;
  bool bottom_field_order = false;
  bool redundant = false;
};

inline Buffer pps_nal(const PpsFields& fields = {}) {
  BitWriter out;
  out.ue(fields.id);
  out.ue(fields.sps_id);
  out.flag(false);  // entropy_coding_mode_flag
  out.flag(fields.bottom_field_order);
  out.ue(0);       // num_slice_groups_minus1
  out.ue(0);       // num_ref_idx_l0_default_active_minus1
  out.ue(0);       // num_ref_idx_l1_default_active_minus1
  out.bits(0, 3);  // weighted_pred_flag, weighted_bipred_idc
  out.ue(0);       // pic_init_qp_minus26
  out.ue(0);       // pic_init_qs_minus26
  out.ue(0);       // chroma_qp_index_offset
  out.bits(0, 2);  // deblocking_filter_control_present_flag, constrained_intra_pred_flag
  out.flag(fields.redundant);
  return nal_of(0x68, out);
}

// A slice for an SPS of `sps_nal` (POC type 0 or 2) and a PPS of `pps_nal`.
struct SliceFields {
  bool idr = false;
  std::uint8_t ref_idc = 3;
  std::uint32_t first_mb = 0;
  std::uint32_t pps_id = 0;
  std::uint32_t frame_num = 0;
  std::uint32_t idr_pic_id = 0;
  int poc_lsb = -1;          // with POC type 0
  int redundant_pic = -1;    // with a PPS that has it
  std::size_t payload = 40;  // bytes after the header
};

inline Buffer slice_nal(const SliceFields& fields) {
  BitWriter out;
  out.ue(fields.first_mb);
  out.ue(fields.idr ? 7 : 5);
  out.ue(fields.pps_id);
  out.bits(fields.frame_num, 4);
  if (fields.idr) out.ue(fields.idr_pic_id);
  if (fields.poc_lsb >= 0) out.bits(static_cast<std::uint32_t>(fields.poc_lsb), 4);
  if (fields.redundant_pic >= 0) out.ue(static_cast<std::uint32_t>(fields.redundant_pic));
  for (std::size_t i = 0; i < fields.payload; ++i) out.bits(0xA5, 8);
  return nal_of(static_cast<std::uint8_t>((fields.ref_idc << 5) | (fields.idr ? 5 : 1)), out);
}

// The NAL units, each after a 4-byte start code.
inline Buffer annex_b(std::initializer_list<Buffer> nals) {
  Buffer stream;
  for (const Buffer& nal : nals) {
    stream.insert(stream.end(), {0, 0, 0, 1});
    stream.insert(stream.end(), nal.begin(), nal.end());
  }
  return stream;
}

// The value that a test has made sure of; throws if it is not there.
template <class T>
const T& present(const std::optional<T>& value) {
  if (!value) throw std::bad_optional_access();
  return *value;
}

}  // namespace mediacore::h264::testing

namespace mediacore::h264 {

// Here, where the tests are, since streams are plain vectors.
inline testing::Buffer operator+(testing::Buffer left, const testing::Buffer& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

}  // namespace mediacore::h264
