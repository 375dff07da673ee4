#include "core/h264/start_code.hpp"

#include <algorithm>

namespace mediacore::h264 {
namespace {

scan::Function choose() noexcept {
#if defined(__x86_64__)
  if (scan::has_avx512()) return scan::avx512;
  return scan::has_avx2() ? scan::avx2 : scan::sse2;
#else
  return scan::scalar;
#endif
}

scan::Function chosen() noexcept {
  static const scan::Function function = choose();
  return function;
}

// Looks at every third byte as long as that byte cannot end a start code.
const std::uint8_t* find_one(const std::uint8_t* begin, const std::uint8_t* end) noexcept {
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

}  // namespace

namespace scan {

const std::uint8_t* scalar(const std::uint8_t* begin, const std::uint8_t* end, std::uint64_t& codes) noexcept {
  codes = 0;
  const std::uint8_t* const block = find_one(begin, end);
  const auto in_block = [=](const std::uint8_t* at) { return at != end && at - block < std::ptrdiff_t{kBlockBytes}; };
  for (const std::uint8_t* at = block; in_block(at); at = find_one(at + 3, end)) {
    codes |= std::uint64_t{1} << (at - block);
  }
  return block;
}

}  // namespace scan

bool StartCodes::find_block() noexcept {
  constexpr std::ptrdiff_t kCodeBytes = 3;
  if (end_ - rest_ < kCodeBytes) return false;  // pushes of single bytes come here often
  block_ = chosen()(rest_, end_, codes_);
  rest_ = block_ + std::min<std::ptrdiff_t>(end_ - block_, scan::kBlockBytes);
  return codes_ != 0;
}

std::size_t find_start_code(std::span<const std::uint8_t> data, std::size_t from) noexcept {
  return StartCodes(data, from).next();
}

void find_start_codes(std::span<const std::uint8_t> data, std::vector<std::size_t>& offsets) {
  StartCodes codes(data);
  for (std::size_t at = codes.next(); at < data.size(); at = codes.next()) offsets.push_back(at);
}

}  // namespace mediacore::h264
