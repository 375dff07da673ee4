// Keeps the SPS and PPS of a stream and puts them before the random access points that lack them.
//
// What it guarantees: all sets are kept, each id the latest; a completed unit has SPS before PPS, an access unit
//   delimiter stays first, and sets of its own stay where they are and are not repeated.
// What it does not: check whether a set is used; keep SPS extensions and subset SPS (types 13, 15).
// Policy: a set that does not parse or is larger than kMaxParameterSetBytes is not kept.
// Threads: one owner.
// Specification: H.264 7.4.1.2.1 (order), 7.4.1.2.3 (delimiter first).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/h264/pps.hpp"
#include "core/h264/sps.hpp"

namespace mediacore::h264 {

// A PPS with an explicit slice-group map of the largest picture has 52 KiB; all 288 sets stay below 19 MiB.
inline constexpr std::size_t kMaxParameterSetBytes = std::size_t{64} << 10;

class ParameterSets {
 public:
  // `data` and the offsets of the header bytes in it, as an access unit has them.
  void observe(std::span<const std::uint8_t> data, std::span<const std::uint32_t> nal_offsets);

  // Writes the unit with the missing sets into `out`; false, with `out` untouched, if none is missing.
  bool complete(std::span<const std::uint8_t> data, std::span<const std::uint32_t> nal_offsets,
                std::vector<std::uint8_t>& out) const;

 private:
  std::array<std::vector<std::uint8_t>, kMaxSpsId + 1> sps_;
  std::array<std::vector<std::uint8_t>, kMaxPpsId + 1> pps_;
};

}  // namespace mediacore::h264
