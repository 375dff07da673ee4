// NAL unit header and types (H.264 7.3.1, table 7-1).
//
// Policy: pure functions over the header byte; types that the standard leaves open (0, 22-31) are carried, not
//   judged.
// Threads: plain values.
#pragma once

#include <cstdint>

namespace mediacore::h264 {

enum class NalType : std::uint8_t {
  unspecified = 0,
  slice = 1,
  slice_partition_a = 2,
  slice_partition_b = 3,
  slice_partition_c = 4,
  idr_slice = 5,
  sei = 6,
  sps = 7,
  pps = 8,
  access_unit_delimiter = 9,
  end_of_sequence = 10,
  end_of_stream = 11,
  filler = 12,
  sps_extension = 13,
  prefix = 14,
  subset_sps = 15,
  depth_parameter_set = 16,
  reserved_17 = 17,
  reserved_18 = 18,
  auxiliary_slice = 19,
  slice_extension = 20,
  slice_extension_depth = 21,
};

struct NalHeader {
  NalType type;
  std::uint8_t ref_idc;
  bool forbidden;

  friend bool operator==(const NalHeader&, const NalHeader&) = default;
};

constexpr NalHeader parse_nal_header(std::uint8_t byte) noexcept {
  return {static_cast<NalType>(byte & 0x1f), static_cast<std::uint8_t>((byte >> 5) & 3), (byte & 0x80) != 0};
}

// One NAL unit of an access unit.
struct NalUnit {
  std::uint8_t type;
  std::uint8_t ref_idc;
  std::uint32_t offset;  // of the header byte in the access unit's data
  std::uint32_t size;    // header byte included, trailing zeros excluded

  friend bool operator==(const NalUnit&, const NalUnit&) = default;
};

// Slices and partitions that open with a slice header of the primary coded picture.
constexpr bool has_slice_header(NalType type) noexcept {
  return type == NalType::slice || type == NalType::slice_partition_a || type == NalType::idr_slice;
}

// NAL units that carry a part of a picture: 1-5 and 19-21 (table 7-1).
constexpr bool is_picture_data(NalType type) noexcept {
  const auto value = static_cast<std::uint8_t>(type);
  return (value >= 1 && value <= 5) || (value >= 19 && value <= 21);
}

// NAL units that, after the picture of an access unit, can only belong to the next one (7.4.1.2.3).
constexpr bool opens_access_unit(NalType type) noexcept {
  const auto value = static_cast<std::uint8_t>(type);
  return (value >= 6 && value <= 9) || (value >= 14 && value <= 18);
}

}  // namespace mediacore::h264
