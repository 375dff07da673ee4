// Profiles and keys of SRTP, and how a DTLS handshake gives them (RFC 5764 4.1.2 and 4.2, RFC 7714 12).
//
// Threads: plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace mediacore::srtp {

// Numbers of the DTLS use_srtp extension.
enum class Profile : std::uint8_t {
  aes128_cm_sha1_80 = 1,  // RFC 3711
  aead_aes_128_gcm = 7,   // RFC 7714
  aead_aes_256_gcm = 8,
};

constexpr bool is_gcm(Profile profile) noexcept {
  return profile != Profile::aes128_cm_sha1_80;
}
constexpr std::size_t key_bytes(Profile profile) noexcept {
  return profile == Profile::aead_aes_256_gcm ? 32 : 16;
}
constexpr std::size_t salt_bytes(Profile profile) noexcept {
  return is_gcm(profile) ? 12 : 14;
}

// Master key and salt of one direction.
struct KeyMaterial {
  Profile profile = Profile::aead_aes_128_gcm;
  std::array<std::uint8_t, 32> key{};   // the first key_bytes(profile)
  std::array<std::uint8_t, 14> salt{};  // the first salt_bytes(profile)
};

struct KeyPair {
  KeyMaterial client;  // what the DTLS client sends with
  KeyMaterial server;
};

// The keying material exported under "EXTRACTOR-dtls_srtp": client key, server key, client salt, server salt. None if
// the size is not that of the profile, 2 * (key + salt).
std::optional<KeyPair> split_exported(Profile profile, std::span<const std::uint8_t> exported) noexcept;

}  // namespace mediacore::srtp
