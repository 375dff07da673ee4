#include "core/picture/screencap.hpp"

namespace mediacore::picture {
namespace {

std::uint32_t little_endian(const std::uint8_t* at) noexcept {
  return std::uint32_t{at[0]} | (std::uint32_t{at[1]} << 8) | (std::uint32_t{at[2]} << 16) |
         (std::uint32_t{at[3]} << 24);
}

// HAL_PIXEL_FORMAT_*.
std::optional<PixelFormat> format_of(std::uint32_t id) noexcept {
  switch (id) {
    case 1: return PixelFormat::rgba8888;
    case 2: return PixelFormat::rgbx8888;
    case 3: return PixelFormat::rgb888;
    case 4: return PixelFormat::rgb565;
    case 5: return PixelFormat::bgra8888;
    case 43: return PixelFormat::rgba1010102;
    default: return std::nullopt;
  }
}

}  // namespace

std::optional<std::size_t> screencap_rows(std::span<const std::uint8_t> data) noexcept {
  if (data.size() < kShortScreencapHeader) return std::nullopt;
  const Size size{little_endian(data.data()), little_endian(data.data() + 4)};
  const auto format = format_of(little_endian(data.data() + 8));
  if (check_size(size) || !format) return std::nullopt;
  return size.width * bytes_of(*format) * size.height;
}

Result<Screencap> read_screencap(std::span<const std::uint8_t> data) noexcept {
  if (data.size() < kShortScreencapHeader) {
    return Error{ErrorKind::truncated, data.size(), "the data ends inside the header"};
  }
  const Size size{little_endian(data.data()), little_endian(data.data() + 4)};
  if (auto error = check_size(size)) return *error;
  const auto format = format_of(little_endian(data.data() + 8));
  if (!format) return Error{ErrorKind::unsupported, 8, "the pixel format is none that can be converted"};
  const std::size_t row = size.width * bytes_of(*format);
  const std::size_t rows = row * size.height;
  if (data.size() == kShortScreencapHeader + rows) {
    return Screencap{{data.subspan(kShortScreencapHeader), size, row, *format}};
  }
  if (data.size() < kScreencapHeader + rows) {
    return Error{ErrorKind::truncated, data.size(), "there are fewer bytes than the picture's size wants"};
  }
  if (data.size() > kScreencapHeader + rows) {
    return Error{ErrorKind::size_mismatch, kScreencapHeader + rows,
                 "there are more bytes than the picture's size wants"};
  }
  return Screencap{{data.subspan(kScreencapHeader), size, row, *format}, little_endian(data.data() + 12)};
}

}  // namespace mediacore::picture
