#include "core/rtcp/transport_feedback.hpp"

namespace mediacore::rtcp {

using rtp::Error;
using rtp::ErrorCode;

rtp::Result<TransportFeedback> parse_transport_feedback(std::span<const std::uint8_t> body) noexcept {
  if (body.size() < kTransportFeedbackFixedBytes) return Error{ErrorCode::truncated, body.size()};
  TransportFeedback feedback{};
  feedback.base_sequence = static_cast<std::uint16_t>(rtp::load_be<2>(&body[0]));
  feedback.status_count = static_cast<std::uint16_t>(rtp::load_be<2>(&body[2]));
  const auto time = static_cast<std::uint32_t>(rtp::load_be<3>(&body[4]));
  feedback.reference_time_64ms = static_cast<std::int32_t>(time << 8) >> 8;
  feedback.feedback_count = body[7];
  if (feedback.status_count == 0 || feedback.status_count > kMaxStatuses) {
    return Error{ErrorCode::value_out_of_range, 2};
  }

  std::size_t at = kTransportFeedbackFixedBytes;
  std::size_t received = 0;
  std::size_t delta_bytes = 0;
  for (std::size_t left = feedback.status_count; left > 0; at += kStatusChunkBytes) {
    if (body.size() - at < kStatusChunkBytes) return Error{ErrorCode::truncated, body.size()};
    const StatusChunk chunk(static_cast<std::uint16_t>(rtp::load_be<2>(&body[at])));
    const std::size_t count = std::min(left, chunk.size());
    // A run is one step, however long it is.
    const std::size_t steps = chunk.is_run() ? std::min<std::size_t>(count, 1) : count;
    const std::size_t each = chunk.is_run() ? count : 1;
    for (std::size_t i = 0; i < steps; ++i) {
      const PacketStatus status = chunk[i];
      if (status == PacketStatus::reserved) return Error{ErrorCode::value_out_of_range, at};
      if (status != PacketStatus::not_received) received += each;
      delta_bytes += static_cast<std::size_t>(status) * each;
    }
    left -= count;
  }
  if (body.size() - at < delta_bytes) return Error{ErrorCode::truncated, body.size()};
  if (body.size() - at - delta_bytes >= 4) return Error{ErrorCode::length_mismatch, at + delta_bytes};

  feedback.received = static_cast<std::uint16_t>(received);
  feedback.chunks = body.subspan(kTransportFeedbackFixedBytes, at - kTransportFeedbackFixedBytes);
  feedback.deltas = body.subspan(at, delta_bytes);
  return feedback;
}

}  // namespace mediacore::rtcp
