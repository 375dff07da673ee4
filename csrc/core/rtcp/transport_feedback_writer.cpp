// The transport-wide feedback of the writer: which chunk tells of the next packets.

#include <algorithm>
#include <cstring>

#include "core/rtcp/writer.hpp"

namespace mediacore::rtcp {
namespace {

using Arrivals = std::span<const Writer::Arrival>;

PacketStatus status_of(const Writer::Arrival& arrival) noexcept {
  if (!arrival.received) return PacketStatus::not_received;
  const bool is_small = arrival.delta_250us >= 0 && arrival.delta_250us <= kMaxSmallDelta;
  return is_small ? PacketStatus::small_delta : PacketStatus::large_delta;
}

// Statuses that one chunk of a kind can tell of; 0 if none: a vector is full, unless it is the last chunk.
std::size_t run_length(Arrivals arrivals) noexcept {
  const PacketStatus status = status_of(arrivals[0]);
  std::size_t length = 1;
  const std::size_t most = std::min(arrivals.size(), StatusChunk::kMaxRun);
  while (length < most && status_of(arrivals[length]) == status) ++length;
  return length;
}

std::size_t one_bit_length(Arrivals arrivals) noexcept {
  const Arrivals first = arrivals.first(std::min(arrivals.size(), StatusChunk::kOneBitStatuses));
  const bool fits = std::none_of(first.begin(), first.end(), [](const Writer::Arrival& arrival) {
    return status_of(arrival) == PacketStatus::large_delta;
  });
  return fits ? first.size() : 0;
}

struct ChosenChunk {
  StatusChunk chunk;
  std::size_t count;  // statuses
};

// The chunk that tells of the most packets.
ChosenChunk next_chunk(Arrivals arrivals) noexcept {
  const std::size_t run = run_length(arrivals);
  const std::size_t one_bit = one_bit_length(arrivals);
  const std::size_t two_bit = std::min(arrivals.size(), StatusChunk::kTwoBitStatuses);
  if (run >= std::max(one_bit, two_bit)) return {StatusChunk::run(status_of(arrivals[0]), run), run};
  ChosenChunk chosen{one_bit >= two_bit ? StatusChunk::one_bit() : StatusChunk::two_bit(), std::max(one_bit, two_bit)};
  for (std::size_t i = 0; i < chosen.count; ++i) chosen.chunk.set(i, status_of(arrivals[i]));
  return chosen;
}

// True if sequence numbers are consecutive and deltas have a place.
bool is_writable(Arrivals arrivals) noexcept {
  if (arrivals.empty() || arrivals.size() > kMaxStatuses) return false;
  std::uint16_t sequence = arrivals[0].sequence;
  for (const Writer::Arrival& arrival : arrivals) {
    if (arrival.sequence != sequence++) return false;
    if (arrival.received && (arrival.delta_250us < INT16_MIN || arrival.delta_250us > INT16_MAX)) return false;
  }
  return true;
}

}  // namespace

bool Writer::transport_feedback(std::uint32_t sender_ssrc, std::uint32_t media_ssrc, std::int32_t reference_time_64ms,
                                std::uint8_t feedback_count, std::span<const Arrival> arrivals) noexcept {
  if (!is_writable(arrivals)) return false;
  std::size_t used = kHeaderBytes + kFeedbackSsrcBytes + kTransportFeedbackFixedBytes;
  for (auto left = arrivals; !left.empty(); used += kStatusChunkBytes) left = left.subspan(next_chunk(left).count);
  for (const Arrival& arrival : arrivals) used += static_cast<std::size_t>(status_of(arrival));
  const std::size_t bytes = (used + 3) / 4 * 4;
  std::uint8_t* at =
      begin_feedback(PacketType::transport_feedback, kTransportWideFormat, bytes, sender_ssrc, media_ssrc);
  if (at == nullptr) return false;

  at += kHeaderBytes + kFeedbackSsrcBytes;
  rtp::store_be<2>(arrivals[0].sequence, at);
  rtp::store_be<2>(arrivals.size(), at + 2);
  rtp::store_be<3>(static_cast<std::uint32_t>(reference_time_64ms), at + 4);
  at[7] = feedback_count;
  at += kTransportFeedbackFixedBytes;
  for (auto left = arrivals; !left.empty(); at += kStatusChunkBytes) {
    const ChosenChunk chosen = next_chunk(left);
    rtp::store_be<2>(chosen.chunk.word(), at);
    left = left.subspan(chosen.count);
  }
  for (const Arrival& arrival : arrivals) {
    const PacketStatus status = status_of(arrival);
    if (status == PacketStatus::small_delta) *at = static_cast<std::uint8_t>(arrival.delta_250us);
    if (status == PacketStatus::large_delta) rtp::store_be<2>(static_cast<std::uint16_t>(arrival.delta_250us), at);
    at += static_cast<std::size_t>(status);
  }
  std::memset(at, 0, bytes - used);
  return true;
}

}  // namespace mediacore::rtcp
