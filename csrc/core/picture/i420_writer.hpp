// Rows of pixels, from top to bottom, to an I420 picture of the same size or a smaller one.
//
// Guarantees: the planes are complete after the last row. A row may be told to repeat the one before: then what that
//   one became is copied, which is several times cheaper.
// Memory: the planes are the caller's; for a smaller picture the rows in work are kept here. Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/picture/colour.hpp"
#include "core/picture/downscale.hpp"
#include "core/picture/i420.hpp"

namespace mediacore::picture {

class I420Writer {
 public:
  // Rows of `size` come; `planes.size` is the same, or smaller within kMaxReduction. `downscale` is used if it is
  // smaller, and must outlive this object.
  I420Writer(Size size, ByteOrder order, Matrix matrix, const I420Planes& planes, Downscale& downscale);

  // The next row; it must stay as it is until the next but one comes, or the picture is complete.
  void row(const std::uint8_t* pixels, bool repeats);

 private:
  void take(const std::uint8_t* pixels, bool repeats);
  void pair(const std::uint8_t* first, const std::uint8_t* second, bool repeats);

  I420Planes planes_;
  colour::Function convert_ = nullptr;
  colour::Weights weights_;
  Downscale* downscale_;  // null if the size stays
  std::size_t taken_ = 0;
  const std::uint8_t* waiting_ = nullptr;  // the first row of a pair
  std::size_t equal_rows_ = 0;             // that are equal to the one before, in one run up to the last one
};

}  // namespace mediacore::picture
