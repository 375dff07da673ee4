#include "core/srtp/hmac_sha1.hpp"

#include <openssl/crypto.h>

#include <algorithm>

namespace mediacore::srtp {
namespace {

constexpr std::size_t kBlockBytes = 64;  // of SHA-1

// A digest that has hashed the key, padded and XORed with `pad`.
DigestContext begun(std::span<const std::uint8_t> key, std::uint8_t pad) {
  std::array<std::uint8_t, kBlockBytes> block{};
  block.fill(pad);
  for (std::size_t i = 0; i < key.size(); ++i) block[i] ^= key[i];
  DigestContext context = make_digest_context();
  const bool done = EVP_DigestInit_ex(context.get(), EVP_sha1(), nullptr) == 1 &&
                    EVP_DigestUpdate(context.get(), block.data(), block.size()) == 1;
  OPENSSL_cleanse(block.data(), block.size());
  require(done ? 1 : 0, "SHA-1");
  return context;
}

}  // namespace

HmacSha1::HmacSha1(std::span<const std::uint8_t, kKeyBytes> key)
    : inner_(begun(key, 0x36)), outer_(begun(key, 0x5c)), work_(make_digest_context()) {}

bool HmacSha1::sign(std::span<const std::uint8_t> message, std::span<const std::uint8_t> message_more,
                    Code& code) noexcept {
  EVP_MD_CTX* const work = work_.get();
  return EVP_MD_CTX_copy_ex(work, inner_.get()) == 1 && EVP_DigestUpdate(work, message.data(), message.size()) == 1 &&
         EVP_DigestUpdate(work, message_more.data(), message_more.size()) == 1 &&
         EVP_DigestFinal_ex(work, code.data(), nullptr) == 1 && EVP_MD_CTX_copy_ex(work, outer_.get()) == 1 &&
         EVP_DigestUpdate(work, code.data(), code.size()) == 1 && EVP_DigestFinal_ex(work, code.data(), nullptr) == 1;
}

}  // namespace mediacore::srtp
