#include "core/h264/start_code.hpp"

namespace mediacore::h264 {
namespace {

scan::Function choose() noexcept {
#if defined(__x86_64__)
  return scan::has_avx2() ? scan::avx2 : scan::sse2;
#else
  return scan::scalar;
#endif
}

}  // namespace

namespace scan {

// Looks at every third byte as long as that byte cannot end a start code.
const std::uint8_t* scalar(const std::uint8_t* begin, const std::uint8_t* end) noexcept {
  while (end - begin >= 3) {
    if (begin[2] > 1) {
      begin += 3;
    } else if (begin[1] != 0) {
      begin += 2;
    } else if (begin[2] == 1 && begin[0] == 0) {
      return begin;
    } else {
      begin += 1;
    }
  }
  return end;
}

}  // namespace scan

std::size_t find_start_code(std::span<const std::uint8_t> data, std::size_t from) noexcept {
  static const scan::Function find = choose();
  if (from >= data.size()) return data.size();
  const std::uint8_t* const begin = data.data();
  return static_cast<std::size_t>(find(begin + from, begin + data.size()) - begin);
}

void find_start_codes(std::span<const std::uint8_t> data, std::vector<std::size_t>& offsets) {
  for (std::size_t at = find_start_code(data); at < data.size(); at = find_start_code(data, at + 3)) {
    offsets.push_back(at);
  }
}

}  // namespace mediacore::h264
