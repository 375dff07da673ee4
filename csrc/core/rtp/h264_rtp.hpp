// Numbers of the H.264 payload format (RFC 6184 5.2 to 5.8).
#pragma once

#include <cstddef>
#include <cstdint>

namespace mediacore::rtp::h264_format {

inline constexpr std::uint8_t kTypeMask = 0x1f;
inline constexpr std::uint8_t kNriMask = 0x60;
inline constexpr std::uint8_t kForbiddenBit = 0x80;

inline constexpr std::uint8_t kFirstAggregationType = 24;  // 24 to 29 are packets of RFC 6184, 30 and 31 reserved
inline constexpr std::uint8_t kStapA = 24;
inline constexpr std::uint8_t kFuA = 28;

inline constexpr std::uint8_t kStartBit = 0x80;  // of the FU header
inline constexpr std::uint8_t kEndBit = 0x40;

inline constexpr std::size_t kFuHeadBytes = 2;    // indicator and header
inline constexpr std::size_t kStapHeadBytes = 1;  // header
inline constexpr std::size_t kStapSizeBytes = 2;  // before each NAL unit

}  // namespace mediacore::rtp::h264_format
