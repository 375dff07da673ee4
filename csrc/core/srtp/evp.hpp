// OpenSSL's contexts as owned values, and what is done when one cannot be made.
//
// Policy: making one throws, std::bad_alloc, or std::runtime_error if this OpenSSL lacks the algorithm; nothing else
//   throws.
// Threads: a context has one user at a time.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <new>
#include <stdexcept>
#include <string>

namespace mediacore::srtp {

template <auto Free>
struct FreedBy {
  template <class Context>
  void operator()(Context* context) const noexcept {
    Free(context);
  }
};

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreedBy<EVP_CIPHER_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreedBy<EVP_MD_CTX_free>>;

inline CipherContext make_cipher_context() {
  CipherContext context(EVP_CIPHER_CTX_new());
  if (!context) throw std::bad_alloc();
  return context;
}

inline DigestContext make_digest_context() {
  DigestContext context(EVP_MD_CTX_new());
  if (!context) throw std::bad_alloc();
  return context;
}

inline void require(int done, const char* algorithm) {
  if (done != 1) throw std::runtime_error(std::string("OpenSSL does not give ") + algorithm);
}

}  // namespace mediacore::srtp
