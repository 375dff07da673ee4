#include "core/picture/reshape.hpp"

#include <libyuv.h>

#include <algorithm>
#include <cstring>

namespace mediacore::picture {
namespace {

void copy_rows(const std::uint8_t* from, std::size_t from_stride, std::uint8_t* to, std::size_t to_stride, Size size) {
  for (std::size_t y = 0; y < size.height; ++y) std::memcpy(to + y * to_stride, from + y * from_stride, size.width);
}

void copy(const I420View& from, const I420Planes& to) {
  const Size chroma{half(to.size.width), half(to.size.height)};
  copy_rows(from.y, from.y_stride, to.y, to.luma_stride, to.size);
  copy_rows(from.u, from.u_stride, to.u, to.chroma_stride, chroma);
  copy_rows(from.v, from.v_stride, to.v, to.chroma_stride, chroma);
}

struct Plane {
  const std::uint8_t* rows;
  std::size_t stride;
  Size size;
};

void scale_plane(const Plane& from, std::uint8_t* to, std::size_t to_stride, Size to_size, Downscale& downscale) {
  downscale.begin(from.size, to_size, 1);
  for (std::size_t y = 0; y < from.size.height; ++y) {
    downscale.row(from.rows + y * from.stride, [&](const std::uint8_t* smaller) {
      std::memcpy(to, smaller, to_size.width);
      to += to_stride;
    });
  }
}

// Half of an even size: libyuv's filter is exact then, and several times quicker.
bool is_half(Size from, Size to) noexcept {
  return from.width == 2 * to.width && from.height == 2 * to.height && to.width % 2 == 0 && to.height % 2 == 0;
}

void halve(const I420View& from, const I420Planes& to) {
  const auto number = [](auto value) { return static_cast<int>(value); };
  libyuv::I420Scale(from.y, number(from.y_stride), from.u, number(from.u_stride), from.v, number(from.v_stride),
                    number(from.size.width), number(from.size.height), to.y, number(to.luma_stride), to.u,
                    number(to.chroma_stride), to.v, number(to.chroma_stride), number(to.size.width),
                    number(to.size.height), libyuv::kFilterBox);
}

void change_colours(const I420View& from, Colours colours, Matrix matrix, const I420Planes& to) {
  const yuv_matrix::Weights weights = yuv_matrix::weights(colours, matrix);
  const yuv_matrix::Function convert = yuv_matrix::fastest();
  for (std::size_t y = 0; y < to.size.height; y += 2) {
    const std::size_t second = std::min<std::size_t>(y + 1, to.size.height - 1);
    convert({from.y + y * from.y_stride, from.y + second * from.y_stride, from.u + y / 2 * from.u_stride,
             from.v + y / 2 * from.v_stride, to.y + y * to.luma_stride, to.y + second * to.luma_stride,
             to.u + y / 2 * to.chroma_stride, to.v + y / 2 * to.chroma_stride, to.size.width},
            weights);
  }
}

}  // namespace

void Reshaper::scale(const I420View& from, const I420Planes& to) {
  if (is_half(from.size, to.size)) {
    halve(from, to);
    return;
  }
  const Size chroma{half(from.size.width), half(from.size.height)};
  const Size to_chroma{half(to.size.width), half(to.size.height)};
  scale_plane({from.y, from.y_stride, from.size}, to.y, to.luma_stride, to.size, luma_);
  scale_plane({from.u, from.u_stride, chroma}, to.u, to.chroma_stride, to_chroma, chroma_);
  scale_plane({from.v, from.v_stride, chroma}, to.v, to.chroma_stride, to_chroma, chroma_);
}

void Reshaper::reshape(const I420View& from, Colours colours, Matrix matrix, const I420Planes& to) {
  const bool same_size = from.size == to.size;
  if (colours == Colours{matrix, false}) {
    same_size ? copy(from, to) : scale(from, to);
    return;
  }
  if (same_size) {
    change_colours(from, colours, matrix, to);
    return;
  }
  scale(from, to);
  change_colours({to.y, to.u, to.v, to.luma_stride, to.chroma_stride, to.chroma_stride, to.size}, colours, matrix, to);
}

}  // namespace mediacore::picture
