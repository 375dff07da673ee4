#include "core/rtp/packet.hpp"

#include <cstring>

namespace mediacore::rtp {
namespace {

constexpr std::uint8_t kPaddingBit = 0x20;
constexpr std::uint8_t kExtensionBit = 0x10;
constexpr std::size_t kMaxExtensionWords = 0xffff;

}  // namespace

Result<PacketView> parse_packet(std::span<const std::uint8_t> data) noexcept {
  if (data.empty()) return Error{ErrorCode::empty, 0};
  if ((data[0] >> 6) != 2) return Error{ErrorCode::wrong_version, 0};
  if (data.size() < kFixedHeaderBytes) return Error{ErrorCode::truncated, data.size()};

  PacketView packet;
  packet.header.marker = (data[1] & 0x80) != 0;
  packet.header.payload_type = data[1] & kMaxPayloadType;
  packet.header.sequence_number.value = static_cast<std::uint16_t>(load_be<2>(&data[2]));
  packet.header.timestamp.value = static_cast<std::uint32_t>(load_be<4>(&data[4]));
  packet.header.ssrc = static_cast<std::uint32_t>(load_be<4>(&data[8]));

  const std::size_t csrc_bytes = std::size_t{4} * (data[0] & 0x0f);
  std::size_t at = kFixedHeaderBytes;
  if (data.size() - at < csrc_bytes) return Error{ErrorCode::truncated, data.size()};
  packet.csrc_bytes = data.subspan(at, csrc_bytes);
  at += csrc_bytes;

  if ((data[0] & kExtensionBit) != 0) {
    if (data.size() - at < kExtensionHeadBytes) return Error{ErrorCode::extension_cut, data.size()};
    packet.extension.present = true;
    packet.extension.profile = static_cast<std::uint16_t>(load_be<2>(&data[at]));
    const std::size_t bytes = 4 * static_cast<std::size_t>(load_be<2>(&data[at + 2]));
    at += kExtensionHeadBytes;
    if (data.size() - at < bytes) return Error{ErrorCode::extension_cut, data.size()};
    packet.extension.data = data.subspan(at, bytes);
    at += bytes;
  }
  packet.payload = data.subspan(at);

  if ((data[0] & kPaddingBit) != 0) {
    const std::uint8_t padding = packet.payload.empty() ? 0 : packet.payload.back();
    if (padding == 0 || padding > packet.payload.size()) return Error{ErrorCode::bad_padding, data.size() - 1};
    packet.padding_bytes = padding;
    packet.payload = packet.payload.first(packet.payload.size() - padding);
  }
  return packet;
}

std::size_t header_bytes(const PacketParts& parts) noexcept {
  const std::size_t extension = parts.extension.present ? kExtensionHeadBytes + parts.extension.data.size() : 0;
  return kFixedHeaderBytes + 4 * parts.csrcs.size() + extension;
}

Result<std::size_t> write_packet(const Header& header, const PacketParts& parts, std::span<const std::uint8_t> payload,
                                 std::span<std::uint8_t> out) noexcept {
  const std::span<const std::uint8_t> extension = parts.extension.data;
  if (header.payload_type > kMaxPayloadType || parts.csrcs.size() > kMaxCsrcs) {
    return Error{ErrorCode::value_out_of_range, 0};
  }
  if (extension.size() % 4 != 0 || extension.size() / 4 > kMaxExtensionWords) {
    return Error{ErrorCode::extension_too_long, 0};
  }
  const std::size_t head = header_bytes(parts);
  if (out.size() < head || out.size() - head < payload.size() ||
      out.size() - head - payload.size() < parts.padding_bytes) {
    return Error{ErrorCode::no_room, out.size()};
  }

  // Before the header: the payload may stand anywhere in `out`.
  if (!payload.empty()) std::memmove(out.data() + head, payload.data(), payload.size());
  write_fixed_header(header, out.first<kFixedHeaderBytes>());
  out[0] = static_cast<std::uint8_t>(out[0] | parts.csrcs.size() | (parts.extension.present ? kExtensionBit : 0) |
                                     (parts.padding_bytes != 0 ? kPaddingBit : 0));
  std::uint8_t* at = out.data() + kFixedHeaderBytes;
  for (const std::uint32_t csrc : parts.csrcs) {
    store_be<4>(csrc, at);
    at += 4;
  }
  if (parts.extension.present) {
    store_be<2>(parts.extension.profile, at);
    store_be<2>(extension.size() / 4, at + 2);
    if (!extension.empty()) std::memcpy(at + kExtensionHeadBytes, extension.data(), extension.size());
  }
  const std::size_t end = head + payload.size();
  if (parts.padding_bytes != 0) {
    std::memset(out.data() + end, 0, parts.padding_bytes - 1U);
    out[end + parts.padding_bytes - 1U] = parts.padding_bytes;
  }
  return end + parts.padding_bytes;
}

}  // namespace mediacore::rtp
