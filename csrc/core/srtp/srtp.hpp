// SRTP and SRTCP, both ways, on OpenSSL's EVP (RFC 3711, RFC 6188 for 256-bit keys, RFC 7714).
//
// Guarantees: what a sealer wrote its peer opens; a nonce is used once: RTP's is made of the SSRC and the packet's
//   index, which the caller counts up and never repeats for an SSRC; SRTCP's index is counted here and ends at 2^31
//   (`seal` then refuses). Contexts are made once; nothing is allocated per packet, but for what hmac_sha1.hpp says.
// Policy: what is forged, repeated, too old or malformed is refused with its reason, and the packet is left in an
//   unspecified state; state changes only after authentication. A sealer with which something is wrong gives no size:
//   then nothing may be sent. Constructors throw if OpenSSL lacks the algorithm; nothing else throws.
// Memory: in place. Movable, not copyable; one that was moved from may only be assigned to.
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

inline constexpr std::size_t kMaxPacketBytes = 65'535;  // plain; no UDP datagram has more

enum class Refusal : std::uint8_t {
  malformed,         // no RTP or RTCP, or shorter than its header and its tag
  forged,            // does not authenticate: made or changed without the keys, or sealed in another round of ROC
  repeated,          // its index has been accepted before
  too_old,           // its index lies below the replay window
  not_encrypted,     // SRTCP without the flag E: the profile wants encryption
  too_many_sources,  // of an SSRC beyond the bound of those remembered (source_table.hpp)
};

// Seals RTP packets.
class RtpSealer {
 public:
  explicit RtpSealer(const KeyMaterial& keys);
  RtpSealer(const RtpSealer&) = delete;
  RtpSealer& operator=(const RtpSealer&) = delete;
  RtpSealer(RtpSealer&&) noexcept;
  RtpSealer& operator=(RtpSealer&&) noexcept;
  ~RtpSealer();

  // `buffer` begins with a plain packet of `size` bytes, the first `header_bytes` of which (CSRCs and extension
  // included) stay readable; kMaxRtpOverhead bytes are free behind it. `index` is ROC * 2^16 + sequence number
  // (RFC 3711 3.3.1). Returns the size of the sealed packet; 0 if sizes or index contradict each other or the packet,
  // if the 2^48 indexes are used up, or OpenSSL fails.
  std::size_t seal(std::span<std::uint8_t> buffer, std::size_t header_bytes, std::size_t size,
                   std::uint64_t index) noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Opens RTP packets of any SSRC, each with its rollover counter and a replay window of 1024 packets. A packet is looked
// for within 2^15 of the highest one so far; that of a new SSRC is in round 0, so a sender must begin low enough for its
// first packets to arrive before the first wrap (RFC 3711 3.3.1).
class RtpOpener {
 public:
  explicit RtpOpener(const KeyMaterial& keys);
  RtpOpener(const RtpOpener&) = delete;
  RtpOpener& operator=(const RtpOpener&) = delete;
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
  // The first packet gets `first_index`; above 0 it continues what another sealer with these keys has begun.
  explicit RtcpSealer(const KeyMaterial& keys, std::uint32_t first_index = 0);
  RtcpSealer(const RtcpSealer&) = delete;
  RtcpSealer& operator=(const RtcpSealer&) = delete;
  RtcpSealer(RtcpSealer&&) noexcept;
  RtcpSealer& operator=(RtcpSealer&&) noexcept;
  ~RtcpSealer();

  // As RtpSealer::seal, with kMaxRtcpOverhead bytes free behind. None when the index is used up, and where that gives 0.
  std::optional<std::size_t> seal(std::span<std::uint8_t> buffer, std::size_t size) noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Opens RTCP packets, with a replay window of 128 packets for each sender's SSRC: a peer may count for each of its SSRCs
// (libsrtp does).
class RtcpOpener {
 public:
  explicit RtcpOpener(const KeyMaterial& keys);
  RtcpOpener(const RtcpOpener&) = delete;
  RtcpOpener& operator=(const RtcpOpener&) = delete;
  RtcpOpener(RtcpOpener&&) noexcept;
  RtcpOpener& operator=(RtcpOpener&&) noexcept;
  ~RtcpOpener();

  // As RtpOpener::open.
  std::optional<std::size_t> open(std::span<std::uint8_t> packet, Refusal& refusal) noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mediacore::srtp
