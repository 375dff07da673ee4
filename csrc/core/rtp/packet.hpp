// RTP packets: the header with CSRCs, header extension and padding (RFC 3550 5.1, 5.3.1).
//
// Guarantees: a packet that parses has all its parts inside the given bytes; what is written parses to the same parts.
// Policy: accept, or an Error with the byte. Extension elements are read elsewhere (header_extensions.hpp), so that an
//   unusable element does not cost the packet.
// Memory: views into the caller's bytes; output is the caller's.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/rtp/byte_order.hpp"
#include "core/rtp/result.hpp"
#include "core/rtp/sequence_number.hpp"

namespace mediacore::rtp {

inline constexpr std::size_t kFixedHeaderBytes = 12;
inline constexpr std::size_t kExtensionHeadBytes = 4;  // profile and length
inline constexpr std::size_t kMaxCsrcs = 15;           // 4 bits
inline constexpr std::uint8_t kMaxPayloadType = 127;   // 7 bits

struct Header {
  std::uint8_t payload_type = 0;
  bool marker = false;
  SequenceNumber sequence_number{};
  Timestamp timestamp{};
  std::uint32_t ssrc = 0;

  friend bool operator==(const Header&, const Header&) = default;
};

// The extension block: what stands after the length word, a multiple of 4 bytes. Profile 0 and no data: there is none.
struct ExtensionBlock {
  std::uint16_t profile = 0;
  std::span<const std::uint8_t> data;
  bool present = false;
};

struct PacketView {
  Header header;
  std::span<const std::uint8_t> csrc_bytes;  // 4 bytes each
  ExtensionBlock extension;
  std::span<const std::uint8_t> payload;  // without padding
  std::uint8_t padding_bytes = 0;         // the length byte included; 0 is none

  std::size_t csrc_count() const noexcept { return csrc_bytes.size() / 4; }
  std::uint32_t csrc(std::size_t index) const noexcept {
    return static_cast<std::uint32_t>(load_be<4>(csrc_bytes.data() + 4 * index));
  }
};

// What a packet has besides its fixed header and its payload.
struct PacketParts {
  std::span<const std::uint32_t> csrcs;
  ExtensionBlock extension{};
  std::uint8_t padding_bytes = 0;
};

Result<PacketView> parse_packet(std::span<const std::uint8_t> data) noexcept;

// The 12 bytes of a header without CSRCs, extension and padding.
inline void write_fixed_header(const Header& header, std::span<std::uint8_t, kFixedHeaderBytes> out) noexcept {
  out[0] = 0x80;
  out[1] = static_cast<std::uint8_t>((header.marker ? 0x80 : 0) | (header.payload_type & kMaxPayloadType));
  store_be<2>(header.sequence_number.value, &out[2]);
  store_be<4>(header.timestamp.value, &out[4]);
  store_be<4>(header.ssrc, &out[8]);
}

// Bytes of the header with these parts; padding is not part of it.
std::size_t header_bytes(const PacketParts& parts) noexcept;

// Writes header, payload and padding; returns the size of the packet. `payload` may already stand in `out`.
Result<std::size_t> write_packet(const Header& header, const PacketParts& parts, std::span<const std::uint8_t> payload,
                                 std::span<std::uint8_t> out) noexcept;

}  // namespace mediacore::rtp
