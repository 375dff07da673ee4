// Finds Annex B start codes, 00 00 01 (H.264 B.1.1), by SIMD.
//
// Policy: never reads past the end; speed does not depend on the content (zeros do not slow it down).
// Threads: pure functions. The instruction set is chosen once, at the first call (`find_start_code`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mediacore::h264 {

// Offset of the first byte of the first start code at or after `from`; `data.size()` if there is none.
std::size_t find_start_code(std::span<const std::uint8_t> data, std::size_t from = 0) noexcept;

// Appends the offset of the first byte of every start code to `offsets`.
void find_start_codes(std::span<const std::uint8_t> data, std::vector<std::size_t>& offsets);

// The same search for each instruction set: the first byte of the first start code in [begin, end), or end.
// `scan_scalar` is the reference and the portable way; the others need their instruction set.
namespace scan {

using Function = const std::uint8_t* (*)(const std::uint8_t* begin, const std::uint8_t* end) noexcept;

const std::uint8_t* scalar(const std::uint8_t* begin, const std::uint8_t* end) noexcept;
#if defined(__x86_64__)
const std::uint8_t* sse2(const std::uint8_t* begin, const std::uint8_t* end) noexcept;
const std::uint8_t* avx2(const std::uint8_t* begin, const std::uint8_t* end) noexcept;
bool has_avx2() noexcept;
#endif

}  // namespace scan
}  // namespace mediacore::h264
