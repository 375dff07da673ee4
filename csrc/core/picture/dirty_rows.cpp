#include "core/picture/dirty_rows.hpp"

#include <algorithm>
#include <cstring>

namespace mediacore::picture {
namespace {

bool differs(const I420Planes& before, const I420Planes& now, std::size_t pair) noexcept {
  const std::size_t chroma = pair * before.chroma_stride;
  const std::size_t now_chroma = pair * now.chroma_stride;
  const std::size_t width = half(now.size.width);
  const std::size_t end = std::min<std::size_t>(2 * pair + 2, now.size.height);
  for (std::size_t y = 2 * pair; y < end; ++y) {
    if (std::memcmp(before.y + y * before.luma_stride, now.y + y * now.luma_stride, now.size.width) != 0) return true;
  }
  return std::memcmp(before.u + chroma, now.u + now_chroma, width) != 0 ||
         std::memcmp(before.v + chroma, now.v + now_chroma, width) != 0;
}

}  // namespace

RowRange dirty_rows(const I420Planes& before, const I420Planes& now) noexcept {
  const std::uint32_t pairs = half(now.size.height);
  std::uint32_t first = 0;
  while (first < pairs && !differs(before, now, first)) ++first;
  if (first == pairs) return {};
  std::uint32_t end = pairs;
  while (!differs(before, now, end - 1)) --end;
  return {2 * first, std::min(2 * end, now.size.height)};
}

}  // namespace mediacore::picture
