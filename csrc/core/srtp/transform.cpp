#include "core/srtp/transform.hpp"

#include <openssl/crypto.h>

#include <algorithm>

#include "core/rtp/byte_order.hpp"

namespace mediacore::srtp {
namespace {

using rtp::load_be;
using rtp::store_be;

constexpr std::size_t kRtpSsrcByte = 8;
constexpr std::size_t kRtcpSsrcByte = 4;
constexpr std::size_t kSsrcBytes = 4;
constexpr std::size_t kIndexBytes = 6;  // of an RTP packet: 48 bits

}  // namespace

// GCM: the packet, with its header and SRTCP's index word authenticated only.

GcmTransform::GcmTransform(const SessionKeys& keys, AesGcm::Use use) : cipher_(keys.cipher_key(), use) {
  std::copy_n(keys.salt.begin(), salt_.size(), salt_.begin());
}

// 00 00, SSRC, 48 bits of index, XOR salt (RFC 7714 8.1 and 9.1).
AesGcm::Nonce GcmTransform::nonce(const std::uint8_t* ssrc, std::uint64_t index) const noexcept {
  AesGcm::Nonce nonce = salt_;
  for (std::size_t i = 0; i < kSsrcBytes; ++i) nonce[2 + i] ^= ssrc[i];
  std::array<std::uint8_t, kIndexBytes> bytes{};
  store_be<kIndexBytes>(index, bytes.data());
  for (std::size_t i = 0; i < kIndexBytes; ++i) nonce[6 + i] ^= bytes[i];
  return nonce;
}

bool GcmTransform::seal_rtp(std::span<std::uint8_t> packet, std::size_t header_bytes, std::uint64_t index) noexcept {
  const auto text = packet.subspan(header_bytes, packet.size() - header_bytes - kRtpOverhead);
  return cipher_.seal(nonce(&packet[kRtpSsrcByte], index), packet.first(header_bytes), {}, text,
                      packet.last<AesGcm::kTagBytes>());
}

bool GcmTransform::open_rtp(std::span<std::uint8_t> packet, std::size_t header_bytes, std::uint64_t index) noexcept {
  const auto text = packet.subspan(header_bytes, packet.size() - header_bytes - kRtpOverhead);
  return cipher_.open(nonce(&packet[kRtpSsrcByte], index), packet.first(header_bytes), {}, text,
                      packet.last<AesGcm::kTagBytes>());
}

bool GcmTransform::seal_rtcp(std::span<std::uint8_t> packet, std::uint32_t index) noexcept {
  const auto word = packet.last<kIndexWordBytes>();
  store_be<kIndexWordBytes>(kEncryptedFlag | index, word.data());
  const auto text = packet.subspan(kRtcpClearBytes, packet.size() - kRtcpClearBytes - kRtcpOverhead);
  return cipher_.seal(nonce(&packet[kRtcpSsrcByte], index), packet.first(kRtcpClearBytes), word, text,
                      packet.last<kRtcpOverhead>().first<AesGcm::kTagBytes>());
}

bool GcmTransform::open_rtcp(std::span<std::uint8_t> packet) noexcept {
  const auto word = packet.last<kIndexWordBytes>();
  const std::uint64_t index = load_be<kIndexWordBytes>(word.data()) & ~std::uint64_t{kEncryptedFlag};
  const auto text = packet.subspan(kRtcpClearBytes, packet.size() - kRtcpClearBytes - kRtcpOverhead);
  return cipher_.open(nonce(&packet[kRtcpSsrcByte], index), packet.first(kRtcpClearBytes), word, text,
                      packet.last<kRtcpOverhead>().first<AesGcm::kTagBytes>());
}

// Counter mode: encrypted first, then signed together with what says the index.

CounterTransform::CounterTransform(const SessionKeys& keys)
    : cipher_(keys.cipher_key()), hmac_(keys.auth_key), salt_(keys.salt) {}

// salt * 2^16 XOR SSRC * 2^64 XOR index * 2^16 (RFC 3711 4.1.1).
AesCounter::Block CounterTransform::first_block(const std::uint8_t* ssrc, std::uint64_t index) const noexcept {
  AesCounter::Block block{};
  std::ranges::copy(salt_, block.begin());
  for (std::size_t i = 0; i < kSsrcBytes; ++i) block[4 + i] ^= ssrc[i];
  std::array<std::uint8_t, kIndexBytes> bytes{};
  store_be<kIndexBytes>(index, bytes.data());
  for (std::size_t i = 0; i < kIndexBytes; ++i) block[8 + i] ^= bytes[i];
  return block;
}

bool CounterTransform::is_signed(std::span<const std::uint8_t> packet, std::span<const std::uint8_t> more) noexcept {
  HmacSha1::Code code{};
  return hmac_.sign(packet.first(packet.size() - kTagBytes), more, code) &&
         CRYPTO_memcmp(code.data(), packet.last(kTagBytes).data(), kTagBytes) == 0;
}

bool CounterTransform::seal_rtp(std::span<std::uint8_t> packet, std::size_t header_bytes,
                                std::uint64_t index) noexcept {
  std::array<std::uint8_t, 4> rollovers{};
  store_be<4>(index >> 16, rollovers.data());
  const auto plain = packet.first(packet.size() - kRtpOverhead);
  HmacSha1::Code code{};
  if (!cipher_.apply(first_block(&packet[kRtpSsrcByte], index), plain.subspan(header_bytes)) ||
      !hmac_.sign(plain, rollovers, code)) {
    return false;
  }
  std::copy_n(code.begin(), kTagBytes, packet.last(kTagBytes).begin());
  return true;
}

bool CounterTransform::open_rtp(std::span<std::uint8_t> packet, std::size_t header_bytes,
                                std::uint64_t index) noexcept {
  std::array<std::uint8_t, 4> rollovers{};
  store_be<4>(index >> 16, rollovers.data());
  const auto text = packet.subspan(header_bytes, packet.size() - header_bytes - kRtpOverhead);
  return is_signed(packet, rollovers) && cipher_.apply(first_block(&packet[kRtpSsrcByte], index), text);
}

bool CounterTransform::seal_rtcp(std::span<std::uint8_t> packet, std::uint32_t index) noexcept {
  const auto text = packet.subspan(kRtcpClearBytes, packet.size() - kRtcpClearBytes - kRtcpOverhead);
  store_be<kIndexWordBytes>(kEncryptedFlag | index, packet.last<kIndexWordFromEnd>().data());
  HmacSha1::Code code{};
  if (!cipher_.apply(first_block(&packet[kRtcpSsrcByte], index), text) ||
      !hmac_.sign(packet.first(packet.size() - kTagBytes), {}, code)) {
    return false;
  }
  std::copy_n(code.begin(), kTagBytes, packet.last(kTagBytes).begin());
  return true;
}

bool CounterTransform::open_rtcp(std::span<std::uint8_t> packet) noexcept {
  const std::uint64_t word = load_be<kIndexWordBytes>(packet.last<kIndexWordFromEnd>().data());
  const auto text = packet.subspan(kRtcpClearBytes, packet.size() - kRtcpClearBytes - kRtcpOverhead);
  return is_signed(packet, {}) &&
         cipher_.apply(first_block(&packet[kRtcpSsrcByte], word & ~std::uint64_t{kEncryptedFlag}), text);
}

Transform make_transform(const KeyMaterial& master, Protocol protocol, AesGcm::Use use) {
  const SessionKeys keys(master, protocol);
  if (is_gcm(master.profile)) return GcmTransform(keys, use);
  return CounterTransform(keys);
}

}  // namespace mediacore::srtp
