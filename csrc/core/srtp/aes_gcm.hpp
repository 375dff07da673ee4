// AES-GCM with one key and 16-byte tags, for many packets (NIST SP 800-38D, RFC 5116 5).
//
// Guarantees: the key is scheduled once; a packet costs no allocation and no look-up of the algorithm.
// Policy: a nonce must not be used twice with a key; the caller sees to it. A text that does not open is left in an
//   unspecified state.
// Memory: in place.
// Threads: one owner.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/srtp/evp.hpp"

namespace mediacore::srtp {

class AesGcm {
 public:
  static constexpr std::size_t kTagBytes = 16;
  static constexpr std::size_t kNonceBytes = 12;
  using Nonce = std::array<std::uint8_t, kNonceBytes>;
  enum class Use : std::uint8_t { sealing, opening };

  // A key of 16 or 32 bytes.
  AesGcm(std::span<const std::uint8_t> key, Use use);

  // What is authenticated only is `clear`, then `clear_more`. False if OpenSSL fails, which a set-up context does not.
  bool seal(const Nonce& nonce, std::span<const std::uint8_t> clear, std::span<const std::uint8_t> clear_more,
            std::span<std::uint8_t> text, std::span<std::uint8_t, kTagBytes> tag) noexcept;
  // False if anything is not as it was sealed.
  bool open(const Nonce& nonce, std::span<const std::uint8_t> clear, std::span<const std::uint8_t> clear_more,
            std::span<std::uint8_t> text, std::span<const std::uint8_t, kTagBytes> tag) noexcept;

 private:
  bool run(const Nonce& nonce, std::span<const std::uint8_t> clear, std::span<const std::uint8_t> clear_more,
           std::span<std::uint8_t> text) noexcept;

  CipherContext context_;
};

}  // namespace mediacore::srtp
