// In which forms a screen comes from a device.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace mediacore::picture {

enum class WireForm : std::uint8_t {
  raw,     // what screencap writes: a header and pixels
  gzip,    // the same through gzip
  png,     //
  jpeg,    //
  rgb888,  // pixels that screenrecord writes, behind a header of its own
};

constexpr std::string_view word_of(WireForm form) noexcept {
  switch (form) {
    case WireForm::raw: return "raw";
    case WireForm::gzip: return "gzip";
    case WireForm::png: return "png";
    case WireForm::jpeg: return "jpeg";
    case WireForm::rgb888: return "rgb888";
  }
  return "unknown";
}

// By the first bytes. `raw` if they are those of no file: no header of raw pixels begins like one, its width would be above
// any limit.
WireForm form_of(std::span<const std::uint8_t> data) noexcept;

}  // namespace mediacore::picture
