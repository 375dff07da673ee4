// HMAC-SHA1 with one key, for many packets (RFC 2104).
//
// Guarantees: the key's two blocks are hashed once; a packet begins with a copy of that state. OpenSSL 3.0 makes such a
//   copy on the heap and frees it with the next one (two small blocks a packet); newer ones copy in place.
// Memory: views; output is the caller's.
// Threads: one owner.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/srtp/evp.hpp"

namespace mediacore::srtp {

class HmacSha1 {
 public:
  static constexpr std::size_t kKeyBytes = 20;  // that of SRTP
  static constexpr std::size_t kCodeBytes = 20;
  using Code = std::array<std::uint8_t, kCodeBytes>;

  explicit HmacSha1(std::span<const std::uint8_t, kKeyBytes> key);

  // The code of `message`, then `message_more`. False if OpenSSL fails (memory).
  bool sign(std::span<const std::uint8_t> message, std::span<const std::uint8_t> message_more, Code& code) noexcept;

 private:
  DigestContext inner_;  // has hashed the key XOR ipad
  DigestContext outer_;  // has hashed the key XOR opad
  DigestContext work_;
};

}  // namespace mediacore::srtp
