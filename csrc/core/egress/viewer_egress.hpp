// One viewer's way out: RTP headers, pacing, history and retransmission, sender reports, SRTP; and its RTCP on the way in.
//
// Guarantees
// - One owner per SSRC: sequence number, rollover counter and SRTP index grow for as long as the viewer lives, over every
//   change of rendition; no nonce twice. RTP timestamps are linear in pts_us (90 kHz), whatever is sent.
// - Video is never cut: a viewer that falls behind (more than Pacing::max_queue_us at the pacing rate) loses all that is
//   queued and goes on at the next key frame. Audio and retransmissions go before video.
// - All packets of one frame have headers of one size (a shorter last payload aside), so that they fit UDP GSO.
// Pacing: a token bucket in virtual time (ARCHITECTURE, "Pacing"). An ordinary frame that fits the bucket leaves at once.
// Retransmission: RTX (RFC 4588) where negotiated, else the packet again as it was; from a history of >= 1024 packets and
//   >= 1 s, references to the frames' payloads; rate-limited, and one packet not twice within half a round trip.
// Policy: what is dropped is counted by cause. Memory is bounded by history and queue.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/egress/egress_config.hpp"
#include "core/egress/egress_stats.hpp"
#include "core/egress/frame.hpp"
#include "core/egress/pacer.hpp"
#include "core/egress/packet_sink.hpp"

namespace mediacore::egress {

// What an RTCP datagram led to.
struct Received {
  bool authenticated = false;
  bool limited = false;  // authentic, but more than is read in a second
  bool key_frame_wanted = false;
  bool retransmits = false;  // poll now
  bool bye = false;
};

class ViewerEgress {
 public:
  ViewerEgress(const EgressConfig& config, Now now);
  ~ViewerEgress();
  ViewerEgress(const ViewerEgress&) = delete;
  ViewerEgress& operator=(const ViewerEgress&) = delete;
  ViewerEgress(ViewerEgress&&) noexcept;
  ViewerEgress& operator=(ViewerEgress&&) noexcept;

  // A video frame, in decoding order. Before the first key frame (or after a drop or wait_for_key) others are dropped.
  void send(FrameRef frame, Now now);
  // First pictures: a key frame and what followed it, shown at once (timestamps 1 ms apart, ending at the last frame's
  // own). Replaces what is queued.
  void replay(std::span<const FrameRef> frames, Now now);
  void send_audio(FrameRef packet, Now now);
  // Everything queued is for nothing: another rendition follows with its next key frame.
  void wait_for_key(Now now);
  bool waits_for_key() const noexcept;
  // True once since the last call if the queue was given up and a key frame is needed.
  bool take_key_frame_wish() noexcept;

  // The rendition's rate as measured over the last second or two.
  void set_rendition_rate(std::uint64_t bps) noexcept;
  void set_pacing(const Pacing& pacing) noexcept;

  // Writes all that may leave now; sender reports among it.
  void poll(Now now, PacketSink& out);
  // When to poll again without anything new; none: nothing is waiting (reports aside: they want a poll each second).
  std::optional<std::int64_t> deadline_us() const noexcept;

  // An SRTCP datagram, opened in place.
  Received receive(std::span<std::uint8_t> datagram, Now now);
  // BYE for all SSRCs.
  void write_bye(Now now, PacketSink& out);

  const EgressStats& stats() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mediacore::egress
