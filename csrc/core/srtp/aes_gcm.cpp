#include "core/srtp/aes_gcm.hpp"

#include <algorithm>

namespace mediacore::srtp {

AesGcm::AesGcm(std::span<const std::uint8_t> key, Use use) : context_(make_cipher_context()) {
  const EVP_CIPHER* const cipher = key.size() == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
  // 12 bytes are the size of nonce that GCM begins with.
  require(EVP_CipherInit_ex(context_.get(), cipher, nullptr, key.data(), nullptr, use == Use::sealing ? 1 : 0),
          "AES-GCM");
}

bool AesGcm::run(const Nonce& nonce, std::span<const std::uint8_t> clear, std::span<const std::uint8_t> clear_more,
                 std::span<std::uint8_t> text) noexcept {
  EVP_CIPHER_CTX* const context = context_.get();
  int done = 0;
  if (EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, nonce.data(), -1) != 1) return false;
  if (EVP_CipherUpdate(context, nullptr, &done, clear.data(), static_cast<int>(clear.size())) != 1) return false;
  if (!clear_more.empty() &&
      EVP_CipherUpdate(context, nullptr, &done, clear_more.data(), static_cast<int>(clear_more.size())) != 1) {
    return false;
  }
  return text.empty() || EVP_CipherUpdate(context, text.data(), &done, text.data(), static_cast<int>(text.size())) == 1;
}

bool AesGcm::seal(const Nonce& nonce, std::span<const std::uint8_t> clear, std::span<const std::uint8_t> clear_more,
                  std::span<std::uint8_t> text, std::span<std::uint8_t, kTagBytes> tag) noexcept {
  int none = 0;
  return run(nonce, clear, clear_more, text) && EVP_CipherFinal_ex(context_.get(), tag.data(), &none) == 1 &&
         EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, tag.data()) == 1;
}

bool AesGcm::open(const Nonce& nonce, std::span<const std::uint8_t> clear, std::span<const std::uint8_t> clear_more,
                  std::span<std::uint8_t> text, std::span<const std::uint8_t, kTagBytes> tag) noexcept {
  std::array<std::uint8_t, kTagBytes> expected{};  // OpenSSL wants a pointer to bytes that are not const
  std::ranges::copy(tag, expected.begin());
  int none = 0;
  return run(nonce, clear, clear_more, text) &&
         EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, expected.data()) == 1 &&
         EVP_CipherFinal_ex(context_.get(), expected.data(), &none) == 1;
}

}  // namespace mediacore::srtp
