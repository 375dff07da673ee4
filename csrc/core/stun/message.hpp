// STUN messages as ICE sends them (RFC 8489, RFC 8445 7 and 16), read and answered.
//
// Guarantees: views lie inside the given bytes. Of an attribute that comes twice the first counts. Attributes after
//   MESSAGE-INTEGRITY (or its SHA-256 form, which is not checked) are not looked at, except FINGERPRINT, which must be
//   last and right if it is there.
// Policy: accept, or the reason. Time is linear; HMAC is computed once, by `verify`. What is longer than
//   kMaxVerifiedBytes is not authentic.
// Memory: views into the caller's bytes; output is the caller's. OpenSSL allocates while it computes an HMAC.
// Threads: pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/rtp/result.hpp"

namespace mediacore::stun {

inline constexpr std::size_t kHeaderBytes = 20;
inline constexpr std::uint32_t kMagicCookie = 0x2112A442;
inline constexpr std::size_t kMaxUsernameBytes = 508;    // "fewer than 509" (RFC 8489 14.3)
inline constexpr std::size_t kMaxVerifiedBytes = 2'048;  // more than an Ethernet frame holds

enum class Class : std::uint8_t { request, indication, success, error };
inline constexpr std::uint16_t kBinding = 0x001;

using TransactionId = std::array<std::uint8_t, 12>;

struct Message {
  Class message_class;
  std::uint16_t method;
  TransactionId transaction_id;
  std::string_view username;  // empty: none
  bool has_unknown = false;   // an attribute that must be understood to answer a request, and is not known
  bool has_integrity = false;
  std::size_t integrity_offset = 0;  // of the attribute
  bool use_candidate = false;
  bool controlling = false;  // the sender says that it controls
  bool controlled = false;
  bool has_priority = false;
};

// True if the bytes can be STUN (RFC 7983: the first byte 0 to 3, and the cookie).
bool looks_like_stun(std::span<const std::uint8_t> datagram) noexcept;

rtp::Result<Message> parse(std::span<const std::uint8_t> datagram) noexcept;

// True if MESSAGE-INTEGRITY is there and was made with this short-term password. Constant-time comparison.
bool verify(std::span<const std::uint8_t> datagram, const Message& message, std::string_view password) noexcept;

// An address in network byte order: 4 or 16 bytes.
struct Address {
  std::span<const std::uint8_t> ip;
  std::uint16_t port;
};

inline constexpr std::size_t kMaxResponseBytes = 80;

// A binding success response: XOR-MAPPED-ADDRESS, MESSAGE-INTEGRITY, FINGERPRINT. Returns its size; 0 if the address has
// neither 4 nor 16 bytes.
std::size_t write_binding_success(const TransactionId& id, const Address& mapped, std::string_view password,
                                  std::span<std::uint8_t, kMaxResponseBytes> out) noexcept;

}  // namespace mediacore::stun
