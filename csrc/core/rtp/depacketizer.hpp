// Packets of one SSRC to frames; the payload format is a part of its own (h264_, vp8_, vp9_, av1_depacketizer.hpp,
// opus.hpp).
//
// Guarantees
// - A frame is given at its marker, or when a packet of another timestamp shows that it ended (some senders set no
//   marker). It is given whole or not at all: what has lost a packet inside, or has a payload that does not parse, is
//   dropped and counted as damaged.
// - `FrameView::lost_before` tells how many packets were lost since the frame before. If it is not 0, whole frames may
//   be missing, and, with H.264, whose packets do not tell where a frame begins, the first NAL units of this one.
//
// Policy when wrong: one Error for each damaged frame, from the push that shows it; its other packets are then ignored.
//   An empty payload (padding alone, as probes are) is an error and damages nothing. Late packets are counted, not
//   used.
// Memory: at most the limit, and the same again for an AV1 unit in pieces. Views are valid during the call.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "core/h264/byte_buffer.hpp"
#include "core/rtp/packet_order.hpp"
#include "core/rtp/result.hpp"
#include "core/rtp/sequence_number.hpp"

namespace mediacore::rtp {

inline constexpr std::size_t kDefaultFrameBytes = std::size_t{8} << 20;  // as the H.264 parser

struct PacketInfo {
  SequenceNumber sequence_number;
  Timestamp timestamp;
  bool marker = false;
};

struct FrameView {
  std::span<const std::uint8_t> data;
  Timestamp timestamp;
  bool is_key = false;  // decoding can start here
  std::uint32_t packets = 0;
  std::uint64_t lost_before = 0;
};

struct DepacketizerStats {
  std::uint64_t packets = 0;    // pushed
  std::uint64_t frames = 0;     // given
  std::uint64_t damaged = 0;    // frames dropped
  std::uint64_t lost = 0;       // packets that never came, or too late
  std::uint64_t late = 0;       // packets not used
  std::uint64_t malformed = 0;  // payloads that did not parse
};

// The bytes of the frame in work.
class FrameBytes {
 public:
  explicit FrameBytes(std::size_t limit) noexcept : limit_(limit) {}

  // False, and nothing added, if the limit would be passed.
  bool append(std::span<const std::uint8_t> bytes) {
    if (bytes.size() > limit_ - buffer_.size()) return false;
    buffer_.append(bytes, limit_);
    return true;
  }

  std::span<const std::uint8_t> view() const noexcept { return buffer_.view(); }
  std::size_t limit() const noexcept { return limit_; }
  bool empty() const noexcept { return buffer_.empty(); }
  void clear() noexcept { buffer_.clear(); }

 private:
  std::size_t limit_;
  h264::ByteBuffer buffer_;
};

// A Format has: reset(); take(payload that is not empty, FrameBytes&) -> optional<Error>; finish(FrameBytes) ->
// optional<Error>; is_key(); kFramePerPacket.
template <class Format>
class Depacketizer {
 public:
  explicit Depacketizer(std::size_t max_frame_bytes = kDefaultFrameBytes) : frame_(max_frame_bytes) {}

  // Calls sink(const FrameView&) for each frame that is complete, two at most. The sink must not throw.
  template <class Sink>
  std::optional<Error> push(const PacketInfo& packet, std::span<const std::uint8_t> payload, Sink&& sink) {
    ++stats_.packets;
    error_.reset();
    const Arrival arrival = order_.observe(packet.sequence_number);
    if (arrival.late) {
      ++stats_.late;
      return std::nullopt;
    }
    if (arrival.lost != 0) {
      stats_.lost += arrival.lost;
      lost_before_ += arrival.lost;
      if (open_) damage({ErrorCode::packets_lost, 0});
    }
    if (payload.empty()) {
      ++stats_.malformed;
      if (!error_) error_ = Error{ErrorCode::empty, 0};
      return error_;
    }
    if (open_ && packet.timestamp != timestamp_) end(sink);
    if (!open_) begin(packet.timestamp);
    if (!damaged_) {
      ++packets_;
      if (const auto error = format_.take(payload, frame_)) {
        ++stats_.malformed;
        damage(*error);
      }
    }
    if (packet.marker || Format::kFramePerPacket) end(sink);
    return error_;
  }

  const DepacketizerStats& stats() const noexcept { return stats_; }

 private:
  void begin(Timestamp timestamp) noexcept {
    open_ = true;
    damaged_ = false;
    timestamp_ = timestamp;
    packets_ = 0;
    frame_.clear();
    format_.reset();
  }

  template <class Sink>
  void end(Sink&& sink) {
    open_ = false;
    if (!damaged_) {
      if (const auto error = format_.finish(frame_)) damage(*error);
    }
    if (damaged_) {
      ++stats_.damaged;
      return;
    }
    if (frame_.empty()) return;  // of packets that hold nothing
    ++stats_.frames;
    sink(FrameView{frame_.view(), timestamp_, format_.is_key(), packets_, std::exchange(lost_before_, 0)});
  }

  void damage(Error error) noexcept {
    if (damaged_) return;
    damaged_ = true;
    if (!error_) error_ = error;
  }

  Format format_;
  FrameBytes frame_;
  PacketOrder order_;
  DepacketizerStats stats_;
  std::optional<Error> error_;  // of this push
  Timestamp timestamp_;
  std::uint64_t lost_before_ = 0;
  std::uint32_t packets_ = 0;
  bool open_ = false;
  bool damaged_ = false;
};

}  // namespace mediacore::rtp
