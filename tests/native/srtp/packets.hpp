// Keys and plain packets for the tests of SRTP.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <span>

#include "../rtp/bytes.hpp"
#include "core/rtp/byte_order.hpp"
#include "core/srtp/srtp.hpp"

namespace mediacore::srtp::testing {

using rtp::testing::Buffer;
using rtp::testing::from_hex;
using rtp::testing::to_buffer;
using rtp::testing::operator+;

inline constexpr Profile kProfiles[] = {Profile::aes128_cm_sha1_80, Profile::aead_aes_128_gcm,
                                        Profile::aead_aes_256_gcm};

inline const char* name_of(Profile profile) {
  return profile == Profile::aes128_cm_sha1_80 ? "Aes128CmSha1" : key_bytes(profile) == 16 ? "Aes128Gcm" : "Aes256Gcm";
}

inline std::size_t rtp_overhead(Profile profile) {
  return is_gcm(profile) ? 16 : 10;
}
inline std::size_t rtcp_overhead(Profile profile) {
  return is_gcm(profile) ? 20 : 14;
}

inline KeyMaterial keys_of(Profile profile, std::uint8_t first = 1) {
  KeyMaterial keys{profile, {}, {}};
  for (std::size_t i = 0; i < key_bytes(profile); ++i) keys.key[i] = static_cast<std::uint8_t>(first + 3 * i);
  for (std::size_t i = 0; i < salt_bytes(profile); ++i) keys.salt[i] = static_cast<std::uint8_t>(first + 101 + 7 * i);
  return keys;
}

inline constexpr std::uint32_t kSsrc = 0xcafebabe;

struct PlainRtp {
  Buffer bytes;
  std::size_t header_bytes = 12;
};

inline PlainRtp rtp_packet(std::uint64_t index, std::size_t payload_bytes = 20, std::uint32_t ssrc = kSsrc,
                           std::size_t csrcs = 0, std::optional<std::size_t> extension_words = std::nullopt) {
  PlainRtp packet{from_hex("8060 0000 00000000 00000000"), 12};
  Buffer& bytes = packet.bytes;
  bytes[0] = static_cast<std::uint8_t>(0x80 | (extension_words ? 0x10 : 0) | csrcs);
  rtp::store_be<2>(index & 0xffff, &bytes[2]);
  rtp::store_be<4>(index * 90, &bytes[4]);
  rtp::store_be<4>(ssrc, &bytes[8]);
  bytes.resize(12 + 4 * csrcs, 0xc5);
  if (extension_words) {
    bytes = bytes + Buffer{0xbe, 0xde, 0, static_cast<std::uint8_t>(*extension_words)};
    bytes.resize(bytes.size() + 4 * *extension_words, 0xe7);
  }
  packet.header_bytes = bytes.size();
  for (std::size_t i = 0; i < payload_bytes; ++i) bytes.push_back(static_cast<std::uint8_t>(i * 31 + index));
  return packet;
}

inline Buffer rtcp_packet(std::size_t words_more = 5, std::uint32_t ssrc = kSsrc) {
  Buffer bytes = from_hex("80c8 0000 00000000");
  rtp::store_be<2>(1 + words_more, &bytes[2]);
  rtp::store_be<4>(ssrc, &bytes[4]);
  for (std::size_t i = 0; i < 4 * words_more; ++i) bytes.push_back(static_cast<std::uint8_t>(i * 17));
  return bytes;
}

inline Buffer sealed(RtpSealer& sealer, const PlainRtp& plain, std::uint64_t index) {
  Buffer buffer = plain.bytes + Buffer(kMaxRtpOverhead, 0xdd);
  buffer.resize(sealer.seal(buffer, plain.header_bytes, plain.bytes.size(), index));
  return buffer;
}

inline Buffer sealed(RtcpSealer& sealer, const Buffer& plain) {
  Buffer buffer = plain + Buffer(kMaxRtcpOverhead, 0xdd);
  buffer.resize(sealer.seal(buffer, plain.size()).value_or(0));
  return buffer;
}

// What an opener says of a packet: the plain bytes, or why not.
struct Opened {
  std::optional<Buffer> plain;
  std::optional<Refusal> refusal;

  friend bool operator==(const Opened&, const Opened&) = default;
};

template <class Opener>
Opened opened(Opener& opener, Buffer packet) {
  packet.shrink_to_fit();  // so that AddressSanitizer sees each byte beyond
  Refusal refusal{};
  const auto size = opener.open(packet, refusal);
  if (!size) return {std::nullopt, refusal};
  packet.resize(*size);
  return {packet, std::nullopt};
}

inline Opened plainly(const Buffer& bytes) {
  return {bytes, std::nullopt};
}
inline Opened refused(Refusal reason) {
  return {std::nullopt, reason};
}

}  // namespace mediacore::srtp::testing
