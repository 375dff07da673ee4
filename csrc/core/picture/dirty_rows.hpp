// Which rows of a picture differ from the picture before it.
// Threads: pure functions.
#pragma once

#include <cstdint>

#include "core/picture/i420.hpp"

namespace mediacore::picture {

// Rows of luma, `end` excluded; both 0 if nothing differs. Both ends are even, or the end of the picture, since a row of
// chroma belongs to two.
struct RowRange {
  std::uint32_t first = 0;
  std::uint32_t end = 0;

  friend bool operator==(const RowRange&, const RowRange&) = default;
};

// From the first to the last row that differs. Both pictures have the same size.
RowRange dirty_rows(const I420Planes& before, const I420Planes& now) noexcept;

}  // namespace mediacore::picture
