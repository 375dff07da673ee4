// Slice header (H.264 7.3.3) up to redundant_pic_cnt, and the rule that tells a new picture by it (7.4.1.2.4).
//
// Policy: works on the first bytes of a slice; too few of them is the error `truncated`, and more bytes then give the
//   full answer. A slice whose parameter sets are not known is parsed as far as that goes (`complete` is false).
// Threads: plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/h264/nal_unit.hpp"
#include "core/h264/parse_result.hpp"
#include "core/h264/pps.hpp"
#include "core/h264/sps.hpp"

namespace mediacore::h264 {

// Enough for every field that is read: below 300 bits at their longest valid codes, half as much again with emulation
// prevention after each second byte.
inline constexpr std::size_t kSliceHeaderBytes = 96;

inline constexpr std::uint32_t kMaxSliceType = 9;       // table 7-6
inline constexpr std::uint32_t kMaxIdrPicId = 65535;    // 7.4.3
inline constexpr std::uint32_t kMaxRedundantPic = 127;  // 7.4.3

// The parameter sets known so far, by id. A PPS names the SPS that is there when the PPS is used (7.4.1.2.1).
struct ParameterSetTable {
  std::array<std::shared_ptr<const Sps>, kMaxSpsId + 1> sps;
  std::array<std::optional<Pps>, kMaxPpsId + 1> pps;
};

struct SliceHeader {
  NalHeader nal{};
  std::uint32_t first_mb_in_slice = 0;
  std::uint8_t slice_type = 0;
  std::uint8_t pps_id = 0;
  bool complete = false;                            // the fields below are read: PPS and SPS were known
  const std::shared_ptr<const Sps>* sps = nullptr;  // in the table; valid until the table changes
  std::uint8_t colour_plane_id = 0;
  std::uint16_t frame_num = 0;
  bool field_pic_flag = false;
  bool bottom_field_flag = false;
  std::uint16_t idr_pic_id = 0;
  std::uint8_t pic_order_cnt_type = 0;
  std::uint16_t pic_order_cnt_lsb = 0;
  std::int32_t delta_pic_order_cnt_bottom = 0;
  std::array<std::int32_t, 2> delta_pic_order_cnt{};
  std::uint8_t redundant_pic_cnt = 0;

  bool is_idr() const noexcept { return nal.type == NalType::idr_slice; }
};

// `nal` is the beginning of a NAL unit of type 1, 2 or 5.
ParseResult<SliceHeader> parse_slice_header(std::span<const std::uint8_t> nal, const ParameterSetTable& sets) noexcept;

// The slices of one picture seen so far.
class PictureSlices {
 public:
  // True if `next` is the first slice of another primary coded picture. By 7.4.1.2.4; also if the picture already
  // has a slice that begins with its first macroblock, which tells equal IDR pictures apart. While parameter sets
  // are unknown: a first_mb_in_slice that does not grow.
  bool ends_before(const SliceHeader& next) const noexcept;

  void begin(const SliceHeader& first) noexcept;
  void add(const SliceHeader& next) noexcept;

 private:
  SliceHeader last_;
  std::uint8_t planes_begun_ = 0;  // one bit per colour plane that has a slice with first_mb_in_slice 0
};

}  // namespace mediacore::h264
