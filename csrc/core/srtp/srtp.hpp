// SRTP and SRTCP, both ways, on OpenSSL's EVP (RFC 3711, RFC 6188 for 256-bit keys, RFC 7714).
//
// Guarantees: what a sealer wrote its peer opens; a nonce is used once: RTP's is made of the SSRC and the packet's
//   index, which the caller counts up and never repeats for an SSRC; SRTCP's index is counted here and ends at 2^31
//   (`seal` then refuses). Contexts are made once; nothing is allocated per packet.
// Policy: what is forged, repeated, too old or malformed is refused with its reason, and the packet is left in an
//   unspecified state; state changes only after authentication.
// Memory: in place. Movable, not copyable.
// Threads: one owner each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/srtp/keys.hpp"

namespace mediacore::srtp {

inline constexpr std::size_t kMaxRtpOverhead = 16;   // the tag of GCM
inline constexpr std::size_t kMaxRtcpOverhead = 20;  // and the index word

enum class Refusal : std::uint8_t { malformed, forged, repeated, too_old, not_encrypted, too_many_sources };

// Seals RTP packets.
class RtpSealer {
 public:
  explicit RtpSealer(const KeyMaterial& keys);
  RtpSealer(RtpSealer&&) noexcept;
  RtpSealer& operator=(RtpSealer&&) noexcept;
  ~RtpSealer();

  // `buffer` begins with a plain packet of `size` bytes, the first `header_bytes` of which (CSRCs and extension
  // included) stay readable; kMaxRtpOverhead bytes are free behind it. `index` is ROC * 2^16 + sequence number
  // (RFC 3711 3.3.1). Returns the size of the sealed packet.
  std::size_t seal(std::span<std::uint8_t> buffer, std::size_t header_bytes, std::size_t size,
                   std::uint64_t index) noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Opens RTP packets of any SSRC, each with its rollover counter and replay window.
class RtpOpener {
 public:
  explicit RtpOpener(const KeyMaterial& keys);
  RtpOpener(RtpOpener&&) noexcept;
  RtpOpener& operator=(RtpOpener&&) noexcept;
  ~RtpOpener();

  // The size of the plain packet at the front of `packet`, or why it is refused in `refusal`.
  std::optional<std::size_t> open(std::span<std::uint8_t> packet, Refusal& refusal) noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Seals RTCP compound packets, whose first SSRC is the sender's.
class RtcpSealer {
 public:
  explicit RtcpSealer(const KeyMaterial& keys);
  RtcpSealer(RtcpSealer&&) noexcept;
  RtcpSealer& operator=(RtcpSealer&&) noexcept;
  ~RtcpSealer();

  // As RtpSealer::seal, with kMaxRtcpOverhead bytes free behind. None when the index is used up.
  std::optional<std::size_t> seal(std::span<std::uint8_t> buffer, std::size_t size) noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Opens RTCP packets; one replay window for all senders, as the index is the peer's.
class RtcpOpener {
 public:
  explicit RtcpOpener(const KeyMaterial& keys);
  RtcpOpener(RtcpOpener&&) noexcept;
  RtcpOpener& operator=(RtcpOpener&&) noexcept;
  ~RtcpOpener();

  std::optional<std::size_t> open(std::span<std::uint8_t> packet, Refusal& refusal) noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mediacore::srtp
