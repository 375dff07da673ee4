// What `screencap` without -p writes: a header, then rows without padding; perhaps through `gzip`.
//
// The header is little-endian: width, height, pixel format, and since Android 9 the colour space. Which one it is shows
// in the size of the data, which must be exact.
// Colour spaces are told and not converted. Threads: pure functions.
// Spec: AOSP, cmds/screencap/screencap.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/picture/picture_error.hpp"
#include "core/picture/raw_picture.hpp"

namespace mediacore::picture {

inline constexpr std::size_t kShortScreencapHeader = 12;
inline constexpr std::size_t kScreencapHeader = 16;

struct Screencap {
  RawPicture picture;
  std::uint32_t colour_space = 0;  // 0 unknown, 1 sRGB, 2 Display P3
};

// How many bytes of rows the header wants; nothing if there is none, or it is none.
std::optional<std::size_t> screencap_rows(std::span<const std::uint8_t> data) noexcept;

// The rows stay where they are.
Result<Screencap> read_screencap(std::span<const std::uint8_t> data) noexcept;

}  // namespace mediacore::picture
