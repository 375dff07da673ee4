// Where a picture goes: three planes of the caller's, and the matrix by which colours become luma and chroma.
//
// Chroma planes are half as wide and high, rounded up; the last column and row of an odd size stand for themselves.
// Range: limited (luma 16 to 235, chroma 16 to 240), as WebRTC's H.264 and VP8 take it.
// Memory: the caller owns the planes, and gives strides at least as large as the rows. Rows are written whole and
//   nothing between them. Threads: plain values.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mediacore::picture {

enum class Matrix : std::uint8_t { bt601, bt709 };

struct Size {
  std::uint32_t width = 0;
  std::uint32_t height = 0;

  friend bool operator==(const Size&, const Size&) = default;
};

constexpr std::uint32_t half(std::uint32_t length) noexcept {
  return length / 2 + length % 2;
}

struct I420Planes {
  std::uint8_t* y = nullptr;
  std::uint8_t* u = nullptr;
  std::uint8_t* v = nullptr;
  std::size_t luma_stride = 0;
  std::size_t chroma_stride = 0;
  Size size;
};

// One block for all three planes: strides S, S/2, S/2, no row of one plane before the end of the former one.
struct I420Layout {
  // Rows begin where a vector of 64 bytes does; half of it is still one of 32.
  static constexpr std::size_t kAlignment = 64;

  explicit constexpr I420Layout(Size of) noexcept
      : size(of), stride((std::size_t{of.width} + kAlignment - 1) / kAlignment * kAlignment) {}

  constexpr std::size_t u_offset() const noexcept { return stride * size.height; }
  constexpr std::size_t v_offset() const noexcept { return u_offset() + stride / 2 * half(size.height); }
  constexpr std::size_t bytes() const noexcept { return v_offset() + stride / 2 * half(size.height); }
  constexpr I420Planes planes(std::uint8_t* block) const noexcept {
    return {block, block + u_offset(), block + v_offset(), stride, stride / 2, size};
  }

  Size size;
  std::size_t stride;
};

}  // namespace mediacore::picture
