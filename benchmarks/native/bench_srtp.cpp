// What does it cost to seal an RTP packet, and to open it again, next to libsrtp and to OpenSSL's EVP alone?
//
//   bench_srtp [--json]
//
// One packet of 1100 bytes of payload with a header extension, its sequence number counted up. That all make the same
// bytes of it is looked at first. "EVP alone" is the same cipher, with its key set, on the same bytes without anything
// around it: the limit.
#include <openssl/evp.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string_view>

#include "core/rtp/byte_order.hpp"
#include "core/srtp/srtp.hpp"
#include "race.hpp"

#ifdef MEDIACORE_HAVE_LIBSRTP
#include <srtp2/srtp.h>
#endif

namespace mediacore::benchmarks {
namespace {

using srtp::KeyMaterial;
using srtp::Profile;

constexpr std::size_t kHeaderBytes = 20;
constexpr std::size_t kPlainBytes = kHeaderBytes + 1100;

void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

KeyMaterial keys_of(Profile profile) {
  KeyMaterial keys{profile, {}, {}};
  for (std::size_t i = 0; i < srtp::key_bytes(profile); ++i) keys.key[i] = static_cast<std::uint8_t>(7 * i + 1);
  for (std::size_t i = 0; i < srtp::salt_bytes(profile); ++i) keys.salt[i] = static_cast<std::uint8_t>(11 * i + 3);
  return keys;
}

// A packet that is made anew for each turn; the same for all contestants.
struct Packet {
  std::array<std::uint8_t, kPlainBytes + 64> bytes{};
  std::uint64_t index = 0;

  void make() {
    static constexpr std::array<std::uint8_t, kHeaderBytes> kHeader{0x90, 96, 0,    0,    0, 0, 0,    1,    0, 0,
                                                                    0,    2,  0xbe, 0xde, 0, 1, 0x10, 0x30, 0, 0};
    std::memcpy(bytes.data(), kHeader.data(), kHeader.size());
    rtp::store_be<2>(++index & 0xffff, &bytes[2]);
  }
};

class Ours {
 public:
  explicit Ours(Profile profile) : sealer_(keys_of(profile)), opener_(keys_of(profile)) {}

  std::size_t seal() {
    packet.make();
    return sealer_.seal(packet.bytes, kHeaderBytes, kPlainBytes, packet.index);
  }
  void seal_and_open() {
    const std::size_t size = seal();
    srtp::Refusal refusal{};
    require(opener_.open(std::span(packet.bytes).first(size), refusal).has_value(), "mediacore opens what it sealed");
  }

  Packet packet;

 private:
  srtp::RtpSealer sealer_;
  srtp::RtpOpener opener_;
};

#ifdef MEDIACORE_HAVE_LIBSRTP
class Libsrtp {
 public:
  explicit Libsrtp(Profile profile)
      : sealing_(session(profile, ssrc_any_outbound)), opening_(session(profile, ssrc_any_inbound)) {}
  Libsrtp(const Libsrtp&) = delete;
  Libsrtp& operator=(const Libsrtp&) = delete;
  ~Libsrtp() {
    srtp_dealloc(sealing_);
    srtp_dealloc(opening_);
  }

  std::size_t seal() {
    packet.make();
    int size = kPlainBytes;
    require(srtp_protect(sealing_, packet.bytes.data(), &size) == srtp_err_status_ok, "libsrtp seals");
    return static_cast<std::size_t>(size);
  }
  void seal_and_open() {
    int size = static_cast<int>(seal());
    require(srtp_unprotect(opening_, packet.bytes.data(), &size) == srtp_err_status_ok, "libsrtp opens what it sealed");
  }

  Packet packet;

 private:
  static srtp_t session(Profile profile, srtp_ssrc_type_t direction) {
    KeyMaterial keys = keys_of(profile);
    std::array<std::uint8_t, 46> both{};
    std::memcpy(both.data(), keys.key.data(), srtp::key_bytes(profile));
    std::memcpy(&both[srtp::key_bytes(profile)], keys.salt.data(), srtp::salt_bytes(profile));
    srtp_policy_t policy{};
    const auto number = static_cast<srtp_profile_t>(profile);
    srtp_crypto_policy_set_from_profile_for_rtp(&policy.rtp, number);
    srtp_crypto_policy_set_from_profile_for_rtcp(&policy.rtcp, number);
    policy.ssrc.type = direction;
    policy.key = both.data();
    policy.window_size = 1024;
    srtp_t made = nullptr;
    require(srtp_create(&made, &policy) == srtp_err_status_ok, "libsrtp takes the keys");
    return made;
  }

  srtp_t sealing_;
  srtp_t opening_;
};
#endif

// The cipher of the profile, and nothing else; for SHA1_80 the digest too.
class Evp {
 public:
  Evp(Profile profile, bool key_each_time)
      : gcm_(is_gcm(profile)), key_each_time_(key_each_time), cipher_(cipher_of(profile)) {
    set_key();
    if (!gcm_) EVP_DigestInit_ex(digest_.get(), EVP_sha1(), nullptr);
  }

  void seal() {
    packet_.make();
    rtp::store_be<8>(packet_.index, iv_.data());
    int done = 0;
    if (key_each_time_) set_key();
    EVP_EncryptInit_ex(context_.get(), nullptr, nullptr, nullptr, iv_.data());
    if (gcm_) EVP_EncryptUpdate(context_.get(), nullptr, &done, packet_.bytes.data(), kHeaderBytes);
    std::uint8_t* const text = &packet_.bytes[kHeaderBytes];
    EVP_EncryptUpdate(context_.get(), text, &done, text, kPlainBytes - kHeaderBytes);
    if (gcm_) {
      EVP_EncryptFinal_ex(context_.get(), text, &done);
      EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, 16, &packet_.bytes[kPlainBytes]);
    } else {
      EVP_DigestInit_ex(digest_.get(), nullptr, nullptr);
      EVP_DigestUpdate(digest_.get(), packet_.bytes.data(), kPlainBytes);
      EVP_DigestFinal_ex(digest_.get(), &packet_.bytes[kPlainBytes], nullptr);
    }
  }

 private:
  static const EVP_CIPHER* cipher_of(Profile profile) {
    if (!is_gcm(profile)) return EVP_aes_128_ctr();
    return srtp::key_bytes(profile) == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
  }
  void set_key() {
    const std::array<std::uint8_t, 32> key{1, 2, 3};
    require(EVP_EncryptInit_ex(context_.get(), cipher_, nullptr, key.data(), nullptr) == 1, "EVP takes the key");
  }

  bool gcm_;
  bool key_each_time_;
  const EVP_CIPHER* cipher_;
  std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context_{EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free};
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest_{EVP_MD_CTX_new(), EVP_MD_CTX_free};
  std::array<std::uint8_t, 16> iv_{};
  Packet packet_;
};

void measure(Profile profile, const std::string& name, std::vector<Report>& reports) {
  const auto ours = std::make_shared<Ours>(profile);
  std::vector<Contestant> sealing{{"mediacore", [ours] { ours->seal(); }}};
  // Another one, as the opener wants to see each packet soon.
  const auto both_ways = std::make_shared<Ours>(profile);
  std::vector<Contestant> opening{{"mediacore", [both_ways] { both_ways->seal_and_open(); }}};
#ifdef MEDIACORE_HAVE_LIBSRTP
  const auto theirs = std::make_shared<Libsrtp>(profile);
  require(ours->seal() == theirs->seal() && ours->packet.bytes == theirs->packet.bytes, "both seal to the same bytes");
  sealing.push_back({"libsrtp", [theirs] { theirs->seal(); }});
  const auto their_both_ways = std::make_shared<Libsrtp>(profile);
  opening.push_back({"libsrtp", [their_both_ways] { their_both_ways->seal_and_open(); }});
#else
  std::fprintf(stderr, "libsrtp is not installed: no peer\n");
#endif
  const auto keyed = std::make_shared<Evp>(profile, true);
  sealing.push_back({"EVP, key set each time", [keyed] { keyed->seal(); }});
  const auto alone = std::make_shared<Evp>(profile, false);
  sealing.push_back({"limit: EVP alone", [alone] { alone->seal(); }});
  reports.push_back(race("sealing, " + name, "packet", sealing));
  reports.push_back(race("sealing and opening, " + name, "packet", opening));
}

int run(bool json) {
#ifdef MEDIACORE_HAVE_LIBSRTP
  require(srtp_init() == srtp_err_status_ok, "libsrtp starts");
#endif
  std::vector<Report> reports;
  measure(Profile::aead_aes_128_gcm, "AEAD_AES_128_GCM", reports);
  measure(Profile::aead_aes_256_gcm, "AEAD_AES_256_GCM", reports);
  measure(Profile::aes128_cm_sha1_80, "AES128_CM_SHA1_80", reports);
  print(reports, json);
  return 0;
}

}  // namespace
}  // namespace mediacore::benchmarks

int main(int argc, char** argv) {
  try {
    return mediacore::benchmarks::run(argc > 1 && std::string_view(argv[1]) == "--json");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
