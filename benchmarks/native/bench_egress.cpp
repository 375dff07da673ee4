// How fast do packets leave one viewer's egress, next to the cipher and a copy alone?
//
//   bench_egress [--json]
//
// A saturated loop without sockets: frames of 8 payloads of 1200 bytes, all header extensions, pacing off, into a ring
// of buffers as a batch for sendmmsg has. The limit copies the same payload and calls OpenSSL's EVP on it with contexts
// that are made once, and does nothing else. That a receiver gets the frames is looked at first.
#include <openssl/evp.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "core/egress/viewer_egress.hpp"
#include "core/rtp/packet.hpp"
#include "core/srtp/srtp.hpp"
#include "race.hpp"

namespace mediacore::benchmarks {
namespace {

constexpr std::size_t kPayloadBytes = 1200;
constexpr std::size_t kFramePackets = 8;
constexpr std::size_t kFrames = 32;  // in the cache, as a rendition's frames are that many viewers share
constexpr std::size_t kRunPackets = kFrames * kFramePackets;
constexpr std::int64_t kFrameUs = 1'000;

class Ring final : public egress::PacketSink {
 public:
  std::uint8_t* reserve(std::size_t capacity) override {
    if (capacity > kSlotBytes) throw std::runtime_error("packet too large");
    return slots_[next_].data();
  }
  void commit(std::size_t size) override {
    size_ = size;
    last_ = next_;
    next_ = (next_ + 1) % slots_.size();
    ++packets_;
  }

  std::span<std::uint8_t> last() { return std::span(slots_[last_]).first(size_); }
  std::size_t packets() const { return packets_; }

 private:
  static constexpr std::size_t kSlotBytes = 1500;
  std::vector<std::array<std::uint8_t, kSlotBytes>> slots_{64};
  std::size_t next_ = 0;
  std::size_t last_ = 0;
  std::size_t size_ = 0;
  std::size_t packets_ = 0;
};

srtp::KeyMaterial keys(srtp::Profile profile) {
  srtp::KeyMaterial made;
  made.profile = profile;
  made.key.fill(7);
  made.salt.fill(9);
  return made;
}

egress::EgressConfig config(srtp::Profile profile) {
  egress::EgressConfig made;
  made.video.ssrc = 1;
  made.video.payload_type = 102;
  made.video.mid = "0";
  made.video.rtx = egress::Rtx{2, 103, 0};
  for (std::uint8_t id = 0;
       const auto kind :
       {rtp::ExtensionKind::mid, rtp::ExtensionKind::abs_send_time, rtp::ExtensionKind::transport_sequence_number,
        rtp::ExtensionKind::playout_delay, rtp::ExtensionKind::abs_capture_time}) {
    made.extensions[kind] = ++id;
  }
  made.cname = "bench";
  made.send = keys(profile);
  made.receive = keys(profile);
  made.pacing.enabled = false;
  return made;
}

class Ours {
 public:
  explicit Ours(srtp::Profile profile) : egress_(config(profile), {}) {
    for (std::size_t i = 0; i < kFrames; ++i) {
      auto frame = std::make_shared<egress::Frame>();
      for (std::size_t packet = 0; packet < kFramePackets; ++packet) {
        std::memset(frame->payloads.add(kPayloadBytes), static_cast<int>(i), kPayloadBytes);
      }
      frame->is_key = i == 0;
      frames_.push_back(std::move(frame));
    }
  }

  void run() {
    for (const egress::FrameRef& frame : frames_) {
      now_us_ += kFrameUs;
      const egress::Now now{now_us_, static_cast<std::uint64_t>(now_us_) << 12};
      egress_.send(frame, now);
      egress_.poll(now, sink_);
    }
  }

  Ring& sink() { return sink_; }

 private:
  egress::ViewerEgress egress_;
  Ring sink_;
  std::vector<egress::FrameRef> frames_;
  std::int64_t now_us_ = 0;
};

template <auto Free>
struct FreedBy {
  template <class Context>
  void operator()(Context* context) const {
    Free(context);
  }
};

// The payload's copy and the cipher.
class CopyAndCipher {
 public:
  explicit CopyAndCipher(srtp::Profile profile) : gcm_(srtp::is_gcm(profile)), payload_(kPayloadBytes, 5) {
    const EVP_CIPHER* const cipher = profile == srtp::Profile::aead_aes_256_gcm ? EVP_aes_256_gcm()
                                     : gcm_                                     ? EVP_aes_128_gcm()
                                                                                : EVP_aes_128_ctr();
    const auto key = keys(profile).key;
    EVP_EncryptInit_ex(cipher_.get(), cipher, nullptr, key.data(), nullptr);
    EVP_DigestInit_ex(keyed_.get(), EVP_sha1(), nullptr);
    EVP_DigestUpdate(keyed_.get(), padded_.data(), padded_.size());
  }

  void run() {
    for (std::size_t i = 0; i < kRunPackets; ++i) {
      std::uint8_t* const out = sink_.reserve(kHeaderBytes + kPayloadBytes + srtp::kMaxRtpOverhead);
      std::memcpy(out + kHeaderBytes, payload_.data(), kPayloadBytes);
      nonce_[0] = static_cast<std::uint8_t>(i);
      int done = 0;
      EVP_EncryptInit_ex(cipher_.get(), nullptr, nullptr, nullptr, nonce_.data());
      if (gcm_) EVP_EncryptUpdate(cipher_.get(), nullptr, &done, out, kHeaderBytes);
      EVP_EncryptUpdate(cipher_.get(), out + kHeaderBytes, &done, out + kHeaderBytes, kPayloadBytes);
      std::uint8_t* const tag = out + kHeaderBytes + kPayloadBytes;
      if (gcm_) {
        EVP_EncryptFinal_ex(cipher_.get(), tag, &done);
        EVP_CIPHER_CTX_ctrl(cipher_.get(), EVP_CTRL_AEAD_GET_TAG, 16, tag);
      } else {
        sign(out, tag);
      }
      sink_.commit(kHeaderBytes + kPayloadBytes + srtp::kMaxRtpOverhead);
    }
  }

 private:
  static constexpr int kHeaderBytes = 44;

  // HMAC-SHA1 with the key's two blocks hashed beforehand.
  void sign(const std::uint8_t* packet, std::uint8_t* tag) {
    std::array<std::uint8_t, 20> code{};
    EVP_MD_CTX_copy_ex(work_.get(), keyed_.get());
    EVP_DigestUpdate(work_.get(), packet, kHeaderBytes + kPayloadBytes);
    EVP_DigestUpdate(work_.get(), nonce_.data(), 4);
    EVP_DigestFinal_ex(work_.get(), code.data(), nullptr);
    EVP_MD_CTX_copy_ex(work_.get(), keyed_.get());
    EVP_DigestUpdate(work_.get(), code.data(), code.size());
    EVP_DigestFinal_ex(work_.get(), code.data(), nullptr);
    std::memcpy(tag, code.data(), 10);
  }

  bool gcm_;
  std::vector<std::uint8_t> payload_;
  std::array<std::uint8_t, 16> nonce_{};
  std::array<std::uint8_t, 64> padded_{};
  std::unique_ptr<EVP_CIPHER_CTX, FreedBy<EVP_CIPHER_CTX_free>> cipher_{EVP_CIPHER_CTX_new()};
  std::unique_ptr<EVP_MD_CTX, FreedBy<EVP_MD_CTX_free>> keyed_{EVP_MD_CTX_new()};
  std::unique_ptr<EVP_MD_CTX, FreedBy<EVP_MD_CTX_free>> work_{EVP_MD_CTX_new()};
  Ring sink_;
};

void check(srtp::Profile profile) {
  Ours ours(profile);
  ours.run();
  srtp::RtpOpener opener(keys(profile));
  srtp::Refusal refusal{};
  const auto size = opener.open(ours.sink().last(), refusal);
  if (!size || ours.sink().packets() < kRunPackets) throw std::runtime_error("packets are missing, or do not open");
  const auto packet = rtp::parse_packet(ours.sink().last().first(*size));
  const std::vector<std::uint8_t> wanted(kPayloadBytes, kFrames - 1);
  if (!packet || !std::equal(wanted.begin(), wanted.end(), packet->payload.begin(), packet->payload.end())) {
    throw std::runtime_error("the receiver gets other bytes");
  }
}

Report measure(const char* name, srtp::Profile profile) {
  check(profile);
  const auto ours = std::make_shared<Ours>(profile);
  const auto limit = std::make_shared<CopyAndCipher>(profile);
  return race(std::string("Egress, 1200-byte payloads, ") + name, "packet",
              {{"mediacore", [ours] { ours->run(); }, kRunPackets},
               {"limit: EVP and memcpy", [limit] { limit->run(); }, kRunPackets}});
}

int run(std::span<char*> arguments) {
  const bool json = !arguments.empty() && std::string_view(arguments[0]) == "--json";
  print(
      {measure("AES-128-GCM", srtp::Profile::aead_aes_128_gcm), measure("AES-256-GCM", srtp::Profile::aead_aes_256_gcm),
       measure("AES-128-CM-SHA1-80", srtp::Profile::aes128_cm_sha1_80)},
      json);
  return 0;
}

}  // namespace
}  // namespace mediacore::benchmarks

int main(int argc, char** argv) {
  try {
    return mediacore::benchmarks::run(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
