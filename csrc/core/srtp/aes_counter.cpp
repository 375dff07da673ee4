#include "core/srtp/aes_counter.hpp"

namespace mediacore::srtp {

AesCounter::AesCounter(std::span<const std::uint8_t> key) : context_(make_cipher_context()) {
  const EVP_CIPHER* const cipher = key.size() == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr();
  require(EVP_EncryptInit_ex(context_.get(), cipher, nullptr, key.data(), nullptr), "AES-CTR");
}

bool AesCounter::apply(const Block& first, std::span<std::uint8_t> text) noexcept {
  int done = 0;
  if (EVP_EncryptInit_ex(context_.get(), nullptr, nullptr, nullptr, first.data()) != 1) return false;
  return text.empty() ||
         EVP_EncryptUpdate(context_.get(), text.data(), &done, text.data(), static_cast<int>(text.size())) == 1;
}

}  // namespace mediacore::srtp
