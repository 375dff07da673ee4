// NAL units of a stream found the plain way (H.264 B.1.1): what the core's answers are held against.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/h264/access_unit.hpp"
#include "input.hpp"

namespace mediacore::fuzz {

inline bool is_start_code(Bytes data, std::size_t at) {
  return at + 3 <= data.size() && data[at] == 0 && data[at + 1] == 0 && data[at + 2] == 1;
}

// Offset of the first byte after each 00 00 01.
inline std::vector<std::size_t> after_start_codes(Bytes data) {
  std::vector<std::size_t> offsets;
  for (std::size_t at = 0; at + 3 <= data.size(); ++at) {
    if (is_start_code(data, at)) offsets.push_back(at + 3);
  }
  return offsets;
}

struct FoundNal {
  std::size_t offset;
  Bytes bytes;
};

// With at least one byte, without the zeros after them.
inline std::vector<FoundNal> nal_units_of(Bytes data) {
  std::vector<FoundNal> nals;
  const auto begins = after_start_codes(data);
  for (std::size_t i = 0; i < begins.size(); ++i) {
    std::size_t end = i + 1 < begins.size() ? begins[i + 1] - 3 : data.size();
    while (end > begins[i] && data[end - 1] == 0) --end;
    if (end > begins[i]) nals.push_back({begins[i], data.subspan(begins[i], end - begins[i])});
  }
  return nals;
}

// What holds for each unit, whatever came in.
inline void check_form(const h264::AccessUnitView& unit, std::size_t most_bytes, std::size_t most_nals) {
  expect(!unit.data.empty() && unit.data.size() <= most_bytes, "a unit has bytes, and no more than the limit");
  expect(!unit.nal_offsets.empty() && unit.nal_offsets.size() <= most_nals, "a unit has NAL units up to the limit");
  expect(unit.data[0] == 0 && unit.data.back() != 0, "a unit goes from its start code to its last byte");
  expect(!unit.is_idr || unit.is_random_access, "an IDR picture is a random access point");
  const auto nals = nal_units_of(unit.data);
  expect(nals.size() == unit.nal_offsets.size(), "all NAL units have their offsets");
  for (std::size_t i = 0; i < nals.size(); ++i) {
    const h264::NalUnit nal = unit.nal_unit(i);
    expect(nals[i].offset == nal.offset && nals[i].bytes.size() == nal.size, "offset and size of a NAL unit");
    expect(nal.type == (nals[i].bytes[0] & 0x1f), "type of a NAL unit");
    expect((nals[i].bytes[0] & 0x80) == 0, "no NAL unit has its forbidden bit set");
  }
}

}  // namespace mediacore::fuzz
