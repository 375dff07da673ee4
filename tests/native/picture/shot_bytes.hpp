// What a device writes: raw screens, frames of screenrecord, words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace mediacore::picture::testing {

inline constexpr std::string_view kTrailer = "8c6d1f0b7a5e4932";

inline std::string words(std::initializer_list<std::uint32_t> values) {
  std::string bytes;
  for (const std::uint32_t value : values) {
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(value >> shift));
  }
  return bytes;
}

inline std::string raw_screen(std::uint32_t width, std::uint32_t height, char fill, bool has_colour_space = true) {
  std::string screen = words({width, height, 1});
  if (has_colour_space) screen += words({1});
  return screen + std::string(std::size_t{width} * height * 4, fill);
}

inline std::string shot(std::string_view body) {
  return std::string(body) + "\n" + std::string(kTrailer) + "\n";
}

inline std::string frame(std::uint32_t width, std::uint32_t height, char fill, std::uint32_t padding = 0) {
  const std::uint32_t stride = 3 * width + padding;
  return words({stride * height + 16, width, height, stride, 3}) + std::string(std::size_t{stride} * height, fill);
}

}  // namespace mediacore::picture::testing
