// AES in counter mode with one key, for many packets: the keystream of RFC 3711 4.1.1, of RFC 6188 with 32 bytes.
//
// Guarantees: the key is scheduled once; a packet costs no allocation and no look-up of the algorithm.
// Policy: a counter block must not be used twice with a key; the caller sees to it.
// Memory: in place.
// Threads: one owner.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/srtp/evp.hpp"

namespace mediacore::srtp {

class AesCounter {
 public:
  using Block = std::array<std::uint8_t, 16>;

  // A key of 16 or 32 bytes.
  explicit AesCounter(std::span<const std::uint8_t> key);

  // XORs the keystream from counter block `first` on into `text`: seals and opens. False if OpenSSL fails, which a
  // set-up context does not.
  bool apply(const Block& first, std::span<std::uint8_t> text) noexcept;

 private:
  CipherContext context_;
};

}  // namespace mediacore::srtp
