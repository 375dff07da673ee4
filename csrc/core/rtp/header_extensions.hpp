// The elements of an RTP header extension that WebRTC uses, in the one-byte and the two-byte form (RFC 8285).
//
// Guarantees: what is written is read back equal; the one-byte form is used wherever it can be.
// Policy: an element of an unknown id, or whose size is not that of its kind, is skipped: the packet is still good.
//   Only an element that is cut off makes the block an error. The output means nothing after an error.
// Memory: texts are views into the block that was parsed.
// Threads: pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/rtp/packet.hpp"
#include "core/rtp/result.hpp"

namespace mediacore::rtp {

inline constexpr std::uint16_t kOneByteProfile = 0xbede;  // RFC 8285 4.2
inline constexpr std::uint16_t kTwoByteProfile = 0x1000;  // RFC 8285 4.3; the lowest 4 bits are the application's
inline constexpr std::uint8_t kMaxOneByteId = 14;         // 15 is reserved
inline constexpr std::size_t kMaxOneByteSize = 16;
inline constexpr std::size_t kMaxTwoByteSize = 255;
// Three texts of 255 bytes, 25 bytes of numbers, and a head of 2 bytes for each of the 8, rounded up to words.
inline constexpr std::size_t kMaxExtensionsBytes = 808;

enum class ExtensionKind : std::uint8_t {
  mid,                        // RFC 9143 15
  rid,                        // RFC 8852 3.1
  repaired_rid,               // RFC 8852 3.2
  abs_send_time,              // webrtc.org abs-send-time
  transport_sequence_number,  // draft-holmer-rmcat-transport-wide-cc-extensions-01 2
  playout_delay,              // webrtc.org playout-delay
  abs_capture_time,           // webrtc.org abs-capture-time
  audio_level,                // RFC 6464
};
inline constexpr std::size_t kExtensionKinds = 8;

// As `a=extmap` names it.
std::string_view extension_uri(ExtensionKind kind) noexcept;

// The negotiated id of each kind, 1 to 255; 0: not negotiated.
struct ExtensionIds {
  std::array<std::uint8_t, kExtensionKinds> values{};

  std::uint8_t& operator[](ExtensionKind kind) noexcept { return values[static_cast<std::size_t>(kind)]; }
  std::uint8_t operator[](ExtensionKind kind) const noexcept { return values[static_cast<std::size_t>(kind)]; }
};

inline constexpr std::uint16_t kMaxPlayoutDelay = 0xfff;  // 12 bits: 40.95 s

struct PlayoutDelay {
  std::uint16_t min_10ms = 0;  // in units of 10 ms; 0 and 0 is "as soon as possible"
  std::uint16_t max_10ms = 0;

  friend bool operator==(const PlayoutDelay&, const PlayoutDelay&) = default;
};

struct AbsCaptureTime {
  std::uint64_t ntp = 0;                     // UQ32.32, seconds since 1900
  std::optional<std::int64_t> clock_offset;  // Q32.32: the capture system's clock minus the sender's

  friend bool operator==(const AbsCaptureTime&, const AbsCaptureTime&) = default;
};

struct AudioLevel {
  bool voice = false;
  std::uint8_t minus_dbov = 127;  // 0 is the loudest, 127 silence

  friend bool operator==(const AudioLevel&, const AudioLevel&) = default;
};

struct Extensions {
  std::optional<std::string_view> mid = std::nullopt;
  std::optional<std::string_view> rid = std::nullopt;
  std::optional<std::string_view> repaired_rid = std::nullopt;
  std::optional<std::uint32_t> abs_send_time = std::nullopt;  // 24 bits, 6.18 fixed point seconds
  std::optional<std::uint16_t> transport_sequence_number = std::nullopt;
  std::optional<PlayoutDelay> playout_delay = std::nullopt;
  std::optional<AbsCaptureTime> abs_capture_time = std::nullopt;
  std::optional<AudioLevel> audio_level = std::nullopt;

  friend bool operator==(const Extensions&, const Extensions&) = default;
};

// The 24 bits of abs-send-time for a time in µs of any clock; they wrap after 64 s.
constexpr std::uint32_t abs_send_time(std::uint64_t now_us) noexcept {
  constexpr std::uint64_t kWrapUs = 64'000'000;  // so that the shift cannot overflow
  return static_cast<std::uint32_t>((((now_us % kWrapUs) << 18) / 1'000'000) & 0xffffff);
}

// Writes the elements that have a value and an id into `out` and returns the block. An empty block is not present.
// kMaxExtensionsBytes are always enough.
Result<ExtensionBlock> write_extensions(const Extensions& extensions, const ExtensionIds& ids,
                                        std::span<std::uint8_t> out) noexcept;

// A block of another profile has no elements.
Result<Extensions> parse_extensions(const ExtensionBlock& block, const ExtensionIds& ids) noexcept;

}  // namespace mediacore::rtp
