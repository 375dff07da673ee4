// The cryptographic transforms of SRTP: how a packet with a known index is sealed and opened. Who knows the index, and
// whether a packet may be opened, is said elsewhere (srtp.hpp).
//
// Guarantees: what is sealed with an index opens with it, and with no other.
// Policy: sizes have been checked by the caller: `seal` has the overhead free behind the packet, `open` gets a packet
//   with at least its header and the overhead. A packet that does not open is left in an unspecified state.
// Memory: in place.
// Threads: one owner.
// Specification: RFC 7714 8 and 9 (GCM), RFC 3711 4.1.1, 4.2.1 and 3.4 (counter mode and HMAC-SHA1).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "core/srtp/aes_counter.hpp"
#include "core/srtp/aes_gcm.hpp"
#include "core/srtp/hmac_sha1.hpp"
#include "core/srtp/key_derivation.hpp"

namespace mediacore::srtp {

inline constexpr std::size_t kRtcpClearBytes = 8;  // RTCP's first header and SSRC, not encrypted
inline constexpr std::size_t kIndexWordBytes = 4;  // the flag "encrypted" and SRTCP's index
inline constexpr std::uint32_t kEncryptedFlag = 0x8000'0000;

class GcmTransform {
 public:
  static constexpr std::size_t kRtpOverhead = AesGcm::kTagBytes;
  static constexpr std::size_t kRtcpOverhead = AesGcm::kTagBytes + kIndexWordBytes;
  static constexpr std::size_t kIndexWordFromEnd = kIndexWordBytes;  // text, tag, word

  GcmTransform(const SessionKeys& keys, AesGcm::Use use);

  // `packet` has room for the overhead at its end. False if OpenSSL fails: the packet must not be sent.
  bool seal_rtp(std::span<std::uint8_t> packet, std::size_t header_bytes, std::uint64_t index) noexcept;
  bool seal_rtcp(std::span<std::uint8_t> packet, std::uint32_t index) noexcept;
  // False if the packet is not what was sealed with this index.
  bool open_rtp(std::span<std::uint8_t> packet, std::size_t header_bytes, std::uint64_t index) noexcept;
  bool open_rtcp(std::span<std::uint8_t> packet) noexcept;

 private:
  AesGcm::Nonce nonce(const std::uint8_t* ssrc, std::uint64_t index) const noexcept;

  AesGcm cipher_;
  AesGcm::Nonce salt_{};
};

class CounterTransform {
 public:
  static constexpr std::size_t kTagBytes = 10;  // the 80 of HMAC-SHA1's 160 bits
  static constexpr std::size_t kRtpOverhead = kTagBytes;
  static constexpr std::size_t kRtcpOverhead = kTagBytes + kIndexWordBytes;
  static constexpr std::size_t kIndexWordFromEnd = kRtcpOverhead;  // text, word, tag

  explicit CounterTransform(const SessionKeys& keys);

  // As those of GcmTransform.
  bool seal_rtp(std::span<std::uint8_t> packet, std::size_t header_bytes, std::uint64_t index) noexcept;
  bool seal_rtcp(std::span<std::uint8_t> packet, std::uint32_t index) noexcept;
  bool open_rtp(std::span<std::uint8_t> packet, std::size_t header_bytes, std::uint64_t index) noexcept;
  bool open_rtcp(std::span<std::uint8_t> packet) noexcept;

 private:
  AesCounter::Block first_block(const std::uint8_t* ssrc, std::uint64_t index) const noexcept;
  bool is_signed(std::span<const std::uint8_t> packet, std::span<const std::uint8_t> more) noexcept;

  AesCounter cipher_;
  HmacSha1 hmac_;
  std::array<std::uint8_t, kMaxSaltBytes> salt_;
};

using Transform = std::variant<GcmTransform, CounterTransform>;

// That of the profile, with session keys derived for one protocol.
Transform make_transform(const KeyMaterial& master, Protocol protocol, AesGcm::Use use);

}  // namespace mediacore::srtp
