// How large a picture may be. Checked before anything is allocated for it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mediacore::picture {

// No display comes near: 8K is 7680 pixels wide.
inline constexpr std::uint32_t kMaxSide = 16384;
// 8192 x 8192. Bounds what a decoder holds: 512 MiB at 8 bytes per pixel, a quarter of a gigabyte for what is usual.
inline constexpr std::uint64_t kMaxPixels = std::uint64_t{64} << 20;
// Of a file: a screen of white noise at the largest usual display takes less than 40 MB.
inline constexpr std::size_t kMaxFileBytes = std::size_t{128} << 20;
// Besides IDAT. A screenshot has four to six; each costs a checksum, and no memory.
inline constexpr std::size_t kMaxChunks = 4096;
// A stored byte of DEFLATE gives at most 1032 (258 bytes for two bits), so what claims more is refused unseen.
inline constexpr std::uint64_t kMaxDeflateRatio = 1032;
// Of a picture to its downscaled copy, each way: from the largest display to an icon. It keeps the weights exact.
inline constexpr std::uint32_t kMaxReduction = 64;

}  // namespace mediacore::picture
