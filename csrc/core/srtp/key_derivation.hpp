// Session keys from master keys (RFC 3711 4.3.1 with key derivation rate 0; RFC 6188 2 for 256 bits; RFC 7714 11).
//
// Memory: session keys are wiped when they die; ciphers keep schedules of their own.
// Threads: pure functions and plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/srtp/keys.hpp"

namespace mediacore::srtp {

inline constexpr std::size_t kMaxSaltBytes = 14;
inline constexpr std::size_t kAuthKeyBytes = 20;

// The two protocols of a direction, each with session keys of its own.
enum class Protocol : std::uint8_t { rtp, rtcp };

struct SessionKeys {
  SessionKeys() = default;
  SessionKeys(const KeyMaterial& master, Protocol protocol);
  SessionKeys(const SessionKeys&) = delete;
  SessionKeys& operator=(const SessionKeys&) = delete;
  ~SessionKeys();

  std::span<const std::uint8_t> cipher_key() const noexcept { return std::span(key).first(key_bytes(profile)); }

  Profile profile = Profile::aead_aes_128_gcm;
  std::array<std::uint8_t, 32> key{};  // the first key_bytes(profile)
  std::array<std::uint8_t, kAuthKeyBytes> auth_key{};
  std::array<std::uint8_t, kMaxSaltBytes> salt{};  // the first salt_bytes(profile)
};

// Fills `key` with the keystream of a label: 0 to 2 are RTP's cipher key, authentication key and salt, 3 to 5 RTCP's.
// A master salt shorter than 14 bytes is padded with zeros on the right.
void derive_key(std::span<const std::uint8_t> master_key, std::span<const std::uint8_t> master_salt, std::uint8_t label,
                std::span<std::uint8_t> key);

}  // namespace mediacore::srtp
