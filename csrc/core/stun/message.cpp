#include "core/stun/message.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstring>

#include "core/rtp/byte_order.hpp"
#include "core/stun/crc32.hpp"

namespace mediacore::stun {
namespace {

using Bytes = std::span<const std::uint8_t>;
using rtp::Error;
using rtp::ErrorCode;
using rtp::load_be;
using rtp::store_be;

// Numbers of the IANA registry "STUN Attributes".
enum class Attribute : std::uint16_t {
  mapped_address = 0x0001,
  username = 0x0006,
  message_integrity = 0x0008,
  error_code = 0x0009,
  unknown_attributes = 0x000a,
  realm = 0x0014,
  nonce = 0x0015,
  message_integrity_sha256 = 0x001c,
  xor_mapped_address = 0x0020,
  priority = 0x0024,
  use_candidate = 0x0025,
  fingerprint = 0x8028,
  ice_controlled = 0x8029,
  ice_controlling = 0x802a,
};

constexpr std::size_t kAttributeHeadBytes = 4;
constexpr std::size_t kIntegrityBytes = 20;  // HMAC-SHA1
constexpr std::size_t kFingerprintBytes = 4;
constexpr std::uint32_t kFingerprintXor = 0x5354554e;  // "STUN"
constexpr std::size_t kPriorityBytes = 4;
constexpr std::size_t kTieBreakerBytes = 8;
constexpr std::uint16_t kOptional = 0x8000;  // attributes that need not be understood
constexpr std::uint16_t kBindingSuccess = 0x0101;
constexpr std::uint8_t kIpv4 = 1;
constexpr std::uint8_t kIpv6 = 2;

using Hmac = std::array<std::uint8_t, kIntegrityBytes>;

constexpr std::size_t padded(std::size_t bytes) noexcept {
  return (bytes + 3) / 4 * 4;
}

std::uint16_t number16(Bytes bytes, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(load_be<2>(&bytes[at]));
}

// The HMAC over a message up to its MESSAGE-INTEGRITY; `covered` is overwritten in the length field, which counts that
// attribute, and nothing after it (RFC 8489 14.5).
bool compute_integrity(std::span<std::uint8_t> covered, std::string_view password, Hmac& out) noexcept {
  store_be<2>(covered.size() + kAttributeHeadBytes + kIntegrityBytes - kHeaderBytes, &covered[2]);
  unsigned int size = 0;
  return HMAC(EVP_sha1(), password.data(), static_cast<int>(password.size()), covered.data(), covered.size(),
              out.data(), &size) != nullptr &&
         size == out.size();
}

// Reads attribute after attribute into a message.
class AttributeReader {
 public:
  AttributeReader(Bytes datagram, Message& message) noexcept : datagram_(datagram), message_(message) {}

  std::optional<Error> read_all() noexcept {
    std::size_t at = kHeaderBytes;
    while (at < datagram_.size()) {
      if (has_fingerprint_) return Error{ErrorCode::after_the_last, at};
      // Both are multiples of 4: a head is whole.
      const std::size_t size = number16(datagram_, at + 2);
      if (datagram_.size() - at - kAttributeHeadBytes < size) return Error{ErrorCode::truncated, at};
      const auto type = static_cast<Attribute>(number16(datagram_, at));
      const Bytes value = datagram_.subspan(at + kAttributeHeadBytes, size);
      const auto wrong = type == Attribute::fingerprint ? read_fingerprint(value, at)
                         : is_sealed_                   ? std::nullopt
                                                        : read(type, value, at);
      if (wrong) return Error{*wrong, at};
      at += kAttributeHeadBytes + padded(size);
    }
    return std::nullopt;
  }

 private:
  std::optional<ErrorCode> read_fingerprint(Bytes value, std::size_t at) noexcept {
    if (value.size() != kFingerprintBytes) return ErrorCode::value_out_of_range;
    has_fingerprint_ = true;
    const std::uint32_t expected = crc32(datagram_.first(at)) ^ kFingerprintXor;
    if (load_be<4>(value.data()) != expected) return ErrorCode::wrong_checksum;
    return std::nullopt;
  }

  std::optional<ErrorCode> read(Attribute type, Bytes value, std::size_t at) noexcept {
    switch (type) {
      case Attribute::username:
        if (value.size() > kMaxUsernameBytes) return ErrorCode::value_out_of_range;
        if (!has_username_ && !value.empty()) {
          message_.username = {reinterpret_cast<const char*>(value.data()), value.size()};
        }
        has_username_ = true;
        return std::nullopt;
      case Attribute::message_integrity:
        message_.has_integrity = true;
        message_.integrity_offset = at;
        is_sealed_ = true;
        return has_size(value, kIntegrityBytes);
      case Attribute::message_integrity_sha256: is_sealed_ = true; return std::nullopt;
      case Attribute::priority: message_.has_priority = true; return has_size(value, kPriorityBytes);
      case Attribute::use_candidate: message_.use_candidate = true; return has_size(value, 0);
      case Attribute::ice_controlled: message_.controlled = true; return has_size(value, kTieBreakerBytes);
      case Attribute::ice_controlling: message_.controlling = true; return has_size(value, kTieBreakerBytes);
      // Known, and nothing to a binding request with a short-term password.
      case Attribute::mapped_address:
      case Attribute::error_code:
      case Attribute::unknown_attributes:
      case Attribute::realm:
      case Attribute::nonce:
      case Attribute::xor_mapped_address: return std::nullopt;
      default:
        if ((static_cast<std::uint16_t>(type) & kOptional) == 0) message_.has_unknown = true;
        return std::nullopt;
    }
  }

  static std::optional<ErrorCode> has_size(Bytes value, std::size_t size) noexcept {
    if (value.size() == size) return std::nullopt;
    return ErrorCode::value_out_of_range;
  }

  Bytes datagram_;
  Message& message_;
  bool has_username_ = false;
  bool is_sealed_ = false;
  bool has_fingerprint_ = false;
};

// Returns where the value goes.
std::uint8_t* write_head(Attribute type, std::size_t size, std::uint8_t* at) noexcept {
  store_be<2>(static_cast<std::uint16_t>(type), at);
  store_be<2>(size, at + 2);
  return at + kAttributeHeadBytes;
}

}  // namespace

bool looks_like_stun(Bytes datagram) noexcept {
  return datagram.size() >= kHeaderBytes && datagram[0] <= 3 && load_be<4>(&datagram[4]) == kMagicCookie;
}

rtp::Result<Message> parse(Bytes datagram) noexcept {
  if (datagram.empty()) return Error{ErrorCode::empty, 0};
  if ((datagram[0] & 0xc0) != 0) return Error{ErrorCode::forbidden_bit, 0};
  if (datagram.size() < kHeaderBytes) return Error{ErrorCode::truncated, datagram.size()};
  if (load_be<4>(&datagram[4]) != kMagicCookie) return Error{ErrorCode::wrong_cookie, 4};
  const std::size_t length = number16(datagram, 2);
  if (length % 4 != 0) return Error{ErrorCode::length_mismatch, 2};
  if (datagram.size() - kHeaderBytes < length) return Error{ErrorCode::truncated, datagram.size()};
  if (datagram.size() - kHeaderBytes > length) return Error{ErrorCode::after_the_last, kHeaderBytes + length};

  // The two bits of the class stand between those of the method (RFC 8489 5).
  const std::uint16_t type = number16(datagram, 0);
  Message message{};
  message.message_class = static_cast<Class>((type >> 7 & 2) | (type >> 4 & 1));
  message.method = static_cast<std::uint16_t>((type >> 2 & 0xf80) | (type >> 1 & 0x70) | (type & 0xf));
  std::copy_n(datagram.begin() + 8, message.transaction_id.size(), message.transaction_id.begin());
  if (const auto wrong = AttributeReader(datagram, message).read_all()) return *wrong;
  return message;
}

bool verify(Bytes datagram, const Message& message, std::string_view password) noexcept {
  const std::size_t covered = message.integrity_offset;
  // Nobody proves anything with an empty password.
  if (!message.has_integrity || password.empty() || covered < kHeaderBytes || covered > kMaxVerifiedBytes ||
      datagram.size() < covered + kAttributeHeadBytes + kIntegrityBytes) {
    return false;
  }
  std::array<std::uint8_t, kMaxVerifiedBytes> copy{};
  std::copy_n(datagram.begin(), covered, copy.begin());
  Hmac expected{};
  return compute_integrity(std::span(copy).first(covered), password, expected) &&
         CRYPTO_memcmp(expected.data(), &datagram[covered + kAttributeHeadBytes], expected.size()) == 0;
}

std::size_t write_binding_success(const TransactionId& id, const Address& mapped, std::string_view password,
                                  std::span<std::uint8_t, kMaxResponseBytes> out) noexcept {
  if (mapped.ip.size() != 4 && mapped.ip.size() != 16) return 0;
  store_be<2>(kBindingSuccess, &out[0]);
  store_be<4>(kMagicCookie, &out[4]);
  std::copy(id.begin(), id.end(), &out[8]);

  // Address and port are XORed with the cookie and the transaction id, as they stand in the header (RFC 8489 14.2).
  std::uint8_t* at = write_head(Attribute::xor_mapped_address, 4 + mapped.ip.size(), &out[kHeaderBytes]);
  at[0] = 0;
  at[1] = mapped.ip.size() == 4 ? kIpv4 : kIpv6;
  store_be<2>(mapped.port ^ kMagicCookie >> 16, at + 2);
  at += 4;
  for (std::size_t i = 0; i < mapped.ip.size(); ++i) *at++ = mapped.ip[i] ^ out[4 + i];

  Hmac hmac{};
  if (!compute_integrity(out.first(static_cast<std::size_t>(at - out.data())), password, hmac)) return 0;
  at = write_head(Attribute::message_integrity, hmac.size(), at);
  at = std::copy(hmac.begin(), hmac.end(), at);

  const auto covered = static_cast<std::size_t>(at - out.data());
  const std::size_t bytes = covered + kAttributeHeadBytes + kFingerprintBytes;
  store_be<2>(bytes - kHeaderBytes, &out[2]);
  at = write_head(Attribute::fingerprint, kFingerprintBytes, at);
  store_be<4>(crc32(out.first(covered)) ^ kFingerprintXor, at);
  return bytes;
}

}  // namespace mediacore::stun
