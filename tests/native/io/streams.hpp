// Small H.264 streams for the tests of the media loop.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../h264/bitstream.hpp"

namespace mediacore::io::testing {

inline h264::testing::Buffer parameter_sets(std::uint32_t width_in_mbs = 20) {
  return h264::testing::annex_b({h264::testing::sps_nal({.width_in_mbs = width_in_mbs}), h264::testing::pps_nal()});
}

// An IDR picture without parameter sets.
inline h264::testing::Buffer idr(std::size_t payload = 40, std::uint32_t id = 0) {
  return h264::testing::annex_b({h264::testing::slice_nal({.idr = true, .idr_pic_id = id, .payload = payload})});
}

inline h264::testing::Buffer key_unit(std::size_t payload = 40, std::uint32_t width_in_mbs = 20) {
  using h264::operator+;
  return parameter_sets(width_in_mbs) + idr(payload);
}

inline h264::testing::Buffer delta_unit(std::uint32_t frame_num, std::size_t payload = 40) {
  return h264::testing::annex_b({h264::testing::slice_nal({.frame_num = frame_num % 16, .payload = payload})});
}

}  // namespace mediacore::io::testing
