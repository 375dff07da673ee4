// Supplemental enhancement information (H.264 7.3.2.3, annex D): only the recovery point (D.1.8, payload type 6).
//
// Policy: SEI is advice. A message that is cut off or malformed is no recovery point, never an error.
// Threads: pure function.
#pragma once

#include <cstdint>
#include <span>

namespace mediacore::h264 {

// True if the NAL unit (header byte first) holds a recovery point message.
bool has_recovery_point(std::span<const std::uint8_t> nal) noexcept;

}  // namespace mediacore::h264
