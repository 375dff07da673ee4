#include "core/picture/frame_stream_framing.hpp"

namespace mediacore::picture {
namespace {

constexpr std::uint32_t kRgb888 = 3;
constexpr std::size_t kFieldsCounted = 16;  // of the header, in the length that it begins with

std::uint32_t word(std::span<const std::uint8_t> header, std::size_t index) noexcept {
  const std::uint8_t* const at = header.data() + index * 4;
  return std::uint32_t{at[0]} | (std::uint32_t{at[1]} << 8) | (std::uint32_t{at[2]} << 16) |
         (std::uint32_t{at[3]} << 24);
}

// Without its rows yet. Nothing if there can be no such picture.
std::optional<RawPicture> read_header(std::span<const std::uint8_t> header, std::size_t most_bytes) noexcept {
  const Size size{word(header, 1), word(header, 2)};
  const std::size_t stride = word(header, 3);
  if (check_size(size) || word(header, 4) != kRgb888) return std::nullopt;
  const std::size_t bytes = stride * size.height;
  if (stride < std::size_t{size.width} * bytes_of(PixelFormat::rgb888) || bytes > most_bytes) return std::nullopt;
  if (word(header, 0) != bytes + kFieldsCounted) return std::nullopt;
  return RawPicture{{}, size, stride, PixelFormat::rgb888};
}

}  // namespace

std::span<std::uint8_t> FrameStreamFraming::room() {
  if (used_ < kHeader) return std::span(header_).subspan(used_);
  if (picture_ && wanted_.empty()) wanted_ = pixels_.take(picture_->stride * picture_->size.height);
  return wanted_.subspan(std::min(used_ - kHeader, wanted_.size()));
}

std::optional<Framed> FrameStreamFraming::next() noexcept {
  if (is_broken_ || used_ < kHeader) return std::nullopt;
  if (!picture_) {
    picture_ = read_header(header_, most_bytes_);
    is_broken_ = !picture_;
    return std::nullopt;
  }
  if (wanted_.empty() || used_ < kHeader + wanted_.size()) return std::nullopt;
  Framed framed;
  framed.form = WireForm::rgb888;
  framed.data = wanted_;
  framed.wire_bytes = used_;
  picture_->rows = wanted_;
  framed.pixels = picture_;
  picture_.reset();
  wanted_ = {};
  used_ = 0;
  return framed;
}

}  // namespace mediacore::picture
