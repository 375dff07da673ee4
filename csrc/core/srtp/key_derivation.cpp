#include "core/srtp/key_derivation.hpp"

#include <openssl/crypto.h>

#include <algorithm>

#include "core/srtp/aes_counter.hpp"

namespace mediacore::srtp {
namespace {

constexpr std::size_t kLabelByte = 7;  // of the salt; behind it is the packet index DIV rate, which rate 0 makes 0

}  // namespace

void derive_key(std::span<const std::uint8_t> master_key, std::span<const std::uint8_t> master_salt, std::uint8_t label,
                std::span<std::uint8_t> key) {
  AesCounter::Block first{};
  std::ranges::copy(master_salt.first(std::min(master_salt.size(), kMaxSaltBytes)), first.begin());
  first[kLabelByte] ^= label;
  std::ranges::fill(key, std::uint8_t{0});
  require(AesCounter(master_key).apply(first, key) ? 1 : 0, "AES-CTR");
}

SessionKeys::SessionKeys(const KeyMaterial& master, Protocol protocol) : profile(master.profile) {
  const auto master_key = std::span(master.key).first(key_bytes(profile));
  const auto master_salt = std::span(master.salt).first(salt_bytes(profile));
  const std::uint8_t label = protocol == Protocol::rtp ? 0 : 3;
  derive_key(master_key, master_salt, label, std::span(key).first(key_bytes(profile)));
  if (!is_gcm(profile)) derive_key(master_key, master_salt, label + 1, auth_key);
  derive_key(master_key, master_salt, label + 2, std::span(salt).first(salt_bytes(profile)));
}

SessionKeys::~SessionKeys() {
  OPENSSL_cleanse(key.data(), key.size());
  OPENSSL_cleanse(auth_key.data(), auth_key.size());
  OPENSSL_cleanse(salt.data(), salt.size());
}

}  // namespace mediacore::srtp
