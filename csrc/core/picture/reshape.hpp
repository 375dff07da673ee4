// An I420 picture in another size, and with other colours' matrix and range.
//
// Guarantees: the same size and colours are copied as they are. Smaller pictures are means of the areas that their pixels
//   stand for (downscale.hpp); they are made smaller first, so that the colours of fewer pixels are changed.
// Memory: some rows, kept for the next picture. Threads: one owner.
#pragma once

#include "core/picture/downscale.hpp"
#include "core/picture/i420.hpp"
#include "core/picture/yuv_matrix.hpp"

namespace mediacore::picture {

// Planes that are only read.
struct I420View {
  const std::uint8_t* y = nullptr;
  const std::uint8_t* u = nullptr;
  const std::uint8_t* v = nullptr;
  std::size_t y_stride = 0;
  std::size_t u_stride = 0;
  std::size_t v_stride = 0;
  Size size;
};

class Reshaper {
 public:
  // To limited range. `to.size` is the picture's, or smaller within kMaxReduction; strides are below 2^31.
  void reshape(const I420View& from, Colours colours, Matrix matrix, const I420Planes& to);

 private:
  void scale(const I420View& from, const I420Planes& to);

  Downscale luma_;
  Downscale chroma_;
};

}  // namespace mediacore::picture
