// One access unit as the parser gives it: a view of its bytes and what is known about it (H.264 7.4.1.2).
//
// Policy: valid only during the call that hands it over; who keeps it copies `data` and `nal_offsets`.
// Threads: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "core/h264/nal_unit.hpp"
#include "core/h264/sps.hpp"

namespace mediacore::h264 {

inline constexpr std::size_t kStartCodeBytes = 3;  // 00 00 01

// The NAL unit number `index`, from the bytes of an access unit and the offsets of its header bytes.
inline NalUnit nal_unit_at(std::span<const std::uint8_t> data, std::span<const std::uint32_t> offsets,
                           std::size_t index) noexcept {
  const std::uint32_t offset = offsets[index];
  std::size_t end = index + 1 < offsets.size() ? offsets[index + 1] - kStartCodeBytes : data.size();
  while (end > offset + 1U && data[end - 1] == 0) --end;  // trailing_zero_8bits and zero_byte
  const NalHeader header = parse_nal_header(data[offset]);
  return {static_cast<std::uint8_t>(header.type), header.ref_idc, offset, static_cast<std::uint32_t>(end - offset)};
}

struct AccessUnitView {
  // Annex B: from the start code of the first NAL unit (4 bytes if it came so) to the last byte of the last one.
  std::span<const std::uint8_t> data;
  std::span<const std::uint32_t> nal_offsets;  // of each header byte in `data`
  std::uint64_t position = 0;                  // bytes given to the parser before the first one of `data`
  bool is_idr = false;
  bool is_random_access = false;   // IDR picture, or a recovery point message stands before the picture
  std::shared_ptr<const Sps> sps;  // what the picture refers to; null if it was never seen

  NalUnit nal_unit(std::size_t index) const noexcept { return nal_unit_at(data, nal_offsets, index); }
};

}  // namespace mediacore::h264
