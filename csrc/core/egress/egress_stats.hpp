// What one viewer's way out counts.
//
// video frames given = frames + queued_frames + dropped_before_key + dropped_slow + dropped_too_large.
// Threads: plain values.
#pragma once

#include <cstdint>

namespace mediacore::egress {

// Counts and last values; copied as a whole.
struct EgressStats {
  std::uint64_t frames = 0;         // video, sent to the last packet
  std::uint64_t packets = 0;        // RTP, retransmissions included
  std::uint64_t bytes = 0;          // on the wire above UDP
  std::uint64_t retransmitted = 0;  // packets
  std::uint64_t retransmission_bytes = 0;
  std::uint64_t nacked = 0;              // packets asked for
  std::uint64_t nack_unknown = 0;        // not in the history any more
  std::uint64_t nack_limited = 0;        // not sent again: rate limit, or just sent
  std::uint64_t key_frame_requests = 0;  // PLI and FIR
  std::uint64_t reports = 0;             // RR and SR received
  std::uint64_t transport_feedbacks = 0;
  std::uint64_t rtcp_forged = 0;  // refused by SRTCP
  std::uint64_t rtcp_malformed = 0;
  std::uint64_t rtcp_limited = 0;        // authentic, but too many: not read
  std::uint64_t dropped_before_key = 0;  // frames
  std::uint64_t dropped_slow = 0;        // frames
  std::uint64_t dropped_too_large = 0;   // frames and audio: a payload is larger than a datagram
  std::uint64_t dropped_audio = 0;       // packets: audio is not negotiated, or its queue was full
  std::int64_t rtt_us = -1;              // -1: not known
  double loss = 0;                       // 0 to 1, of the last report
  std::uint64_t remb_bps = 0;            // 0: none
  std::uint64_t queued_bytes = 0;
  std::uint64_t queued_frames = 0;
  std::uint64_t pacing_bps = 0;
  std::int64_t first_packet_us = -1;
  std::int64_t heard_us = -1;  // last authenticated RTCP
};

}  // namespace mediacore::egress
