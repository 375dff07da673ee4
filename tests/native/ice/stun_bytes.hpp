// STUN messages as other sides send them, made from their parts: for tests of what reads and answers them.
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/rtp/byte_order.hpp"
#include "core/stun/message.hpp"

namespace mediacore::ice::testing {

using Buffer = std::vector<std::uint8_t>;

inline constexpr std::uint16_t kBindingRequest = 0x0001;
inline constexpr std::uint16_t kBindingIndication = 0x0011;
inline constexpr std::uint16_t kBindingSuccess = 0x0101;
inline constexpr std::uint16_t kBindingError = 0x0111;
inline constexpr std::uint16_t kAllocateRequest = 0x0003;
inline constexpr std::uint16_t kAllocateSuccess = 0x0103;
inline constexpr std::uint16_t kDataIndication = 0x0017;

inline stun::TransactionId id_of(std::uint32_t number) {
  stun::TransactionId id{};
  rtp::store_be<4>(number, id.data());
  return id;
}

class StunBytes {
 public:
  StunBytes(std::uint16_t type, std::uint32_t transaction) : bytes_(stun::kHeaderBytes) {
    rtp::store_be<2>(type, bytes_.data());
    rtp::store_be<4>(stun::kMagicCookie, &bytes_[4]);
    const stun::TransactionId id = id_of(transaction);
    std::copy(id.begin(), id.end(), &bytes_[8]);
  }

  StunBytes& attribute(std::uint16_t type, std::string_view value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + 4 + (value.size() + 3) / 4 * 4);
    rtp::store_be<2>(type, &bytes_[at]);
    rtp::store_be<2>(value.size(), &bytes_[at + 2]);
    std::copy(value.begin(), value.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(at) + 4);
    rtp::store_be<2>(bytes_.size() - stun::kHeaderBytes, &bytes_[2]);
    return *this;
  }

  StunBytes& username(std::string_view name) { return attribute(0x0006, name); }
  StunBytes& priority() { return attribute(0x0024, "\x6e\x7f\x1e\xff"); }
  StunBytes& use_candidate() { return attribute(0x0025, ""); }
  StunBytes& controlling() { return attribute(0x802a, "tiebreak"); }
  StunBytes& controlled() { return attribute(0x8029, "tiebreak"); }

  StunBytes& integrity(std::string_view password) {
    const std::size_t covered = bytes_.size();
    rtp::store_be<2>(covered + 24 - stun::kHeaderBytes, &bytes_[2]);
    std::array<char, 20> hmac{};
    unsigned int size = 0;
    HMAC(EVP_sha1(), password.data(), static_cast<int>(password.size()), bytes_.data(), covered,
         reinterpret_cast<unsigned char*>(hmac.data()), &size);
    return attribute(0x0008, {hmac.data(), hmac.size()});
  }

  Buffer bytes() const { return bytes_; }

 private:
  Buffer bytes_;
};

// A browser's check: it controls.
inline Buffer check(std::string_view username, std::string_view password, std::uint32_t transaction, bool nominates) {
  StunBytes message(kBindingRequest, transaction);
  message.username(username).controlling().priority();
  if (nominates) message.use_candidate();
  return message.integrity(password).bytes();
}

inline Buffer channel_data(std::uint16_t channel, const Buffer& payload) {
  Buffer bytes(4 + payload.size());
  rtp::store_be<2>(channel, bytes.data());
  rtp::store_be<2>(payload.size(), &bytes[2]);
  std::copy(payload.begin(), payload.end(), bytes.begin() + 4);
  return bytes;
}

}  // namespace mediacore::ice::testing
