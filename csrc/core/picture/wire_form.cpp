#include "core/picture/wire_form.hpp"

#include <algorithm>
#include <array>

namespace mediacore::picture {
namespace {

bool begins_with(std::span<const std::uint8_t> data, std::span<const std::uint8_t> magic) noexcept {
  return data.size() >= magic.size() && std::equal(magic.begin(), magic.end(), data.begin());
}

}  // namespace

WireForm form_of(std::span<const std::uint8_t> data) noexcept {
  constexpr std::array<std::uint8_t, 8> kPng{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  constexpr std::array<std::uint8_t, 3> kGzip{0x1F, 0x8B, 8};
  constexpr std::array<std::uint8_t, 3> kJpeg{0xFF, 0xD8, 0xFF};
  if (begins_with(data, kPng)) return WireForm::png;
  if (begins_with(data, kGzip)) return WireForm::gzip;
  if (begins_with(data, kJpeg)) return WireForm::jpeg;
  return WireForm::raw;
}

}  // namespace mediacore::picture
