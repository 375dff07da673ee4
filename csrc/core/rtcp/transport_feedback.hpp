// Transport-wide congestion control feedback: which packets of a transport arrived, and when.
//
// Guarantees: what parses is right as a whole: its chunks tell of as many packets as it says, and each that arrived has
//   its delta. Checking takes time linear in the bytes, `for_each_received` too; `for_each` makes one call for each packet
//   told of, kMaxStatuses at most.
// Policy: accept, or an Error with the byte. A last run that is longer than the count is cut, as a last vector is.
// Memory: views into the caller's bytes.
// Threads: pure functions, plain values.
// Specification: draft-holmer-rmcat-transport-wide-cc-extensions-01 3.1.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/rtp/byte_order.hpp"
#include "core/rtp/result.hpp"

namespace mediacore::rtcp {

// Sequence numbers have 16 bits: more than half the circle has no order. It also bounds what few bytes can ask for, as
// eight of them would tell of 32764 lost packets.
inline constexpr std::size_t kMaxStatuses = 0x8000;
inline constexpr std::size_t kTransportFeedbackFixedBytes = 8;  // base, count, reference time, feedback count
inline constexpr std::size_t kStatusChunkBytes = 2;
inline constexpr std::int32_t kMaxSmallDelta = 0xff;

// The value is the number of bytes of its delta.
enum class PacketStatus : std::uint8_t { not_received, small_delta, large_delta, reserved };

// The statuses of some packets in 16 bits (3.1.3, 3.1.4).
class StatusChunk {
 public:
  static constexpr std::size_t kMaxRun = 0x1fff;
  static constexpr std::size_t kOneBitStatuses = 14;
  static constexpr std::size_t kTwoBitStatuses = 7;

  explicit constexpr StatusChunk(std::uint16_t word) noexcept : word_(word) {}

  static constexpr StatusChunk run(PacketStatus status, std::size_t length) noexcept {
    return StatusChunk(static_cast<std::uint16_t>(static_cast<std::size_t>(status) << 13 | length));
  }
  // Without statuses; `set` puts them in. The ones that are not set are not_received.
  static constexpr StatusChunk one_bit() noexcept { return StatusChunk(0x8000); }
  static constexpr StatusChunk two_bit() noexcept { return StatusChunk(0xc000); }

  constexpr std::uint16_t word() const noexcept { return word_; }
  constexpr bool is_run() const noexcept { return (word_ & 0x8000) == 0; }
  constexpr std::size_t size() const noexcept {
    if (is_run()) return word_ & kMaxRun;
    return is_two_bit() ? kTwoBitStatuses : kOneBitStatuses;
  }
  constexpr PacketStatus operator[](std::size_t index) const noexcept {
    if (is_run()) return static_cast<PacketStatus>(word_ >> 13);
    if (is_two_bit()) return static_cast<PacketStatus>(word_ >> (12 - 2 * index) & 3);
    return static_cast<PacketStatus>(word_ >> (13 - index) & 1);
  }
  // Of a vector; a one-bit one holds no large_delta.
  constexpr void set(std::size_t index, PacketStatus status) noexcept {
    const std::size_t shift = is_two_bit() ? 12 - 2 * index : 13 - index;
    word_ = static_cast<std::uint16_t>(word_ | static_cast<std::size_t>(status) << shift);
  }

 private:
  constexpr bool is_two_bit() const noexcept { return (word_ & 0x4000) != 0; }

  std::uint16_t word_;
};

struct TransportFeedback {
  std::uint16_t base_sequence;
  std::uint16_t status_count;        // packets that are told of
  std::int32_t reference_time_64ms;  // 24 bits, signed
  std::uint8_t feedback_count;
  std::uint16_t received;                // how many of them arrived
  std::span<const std::uint8_t> chunks;  // 2 bytes each
  std::span<const std::uint8_t> deltas;  // of those that arrived, 1 or 2 bytes each

  // visit(std::uint16_t sequence, bool received, std::int32_t delta_250us): deltas to the arrival before, the first one
  // to the reference time; 0 where not received.
  template <class Visit>
  void for_each(Visit&& visit) const {
    Walk walk{.deltas = deltas, .sequence = base_sequence};
    each_chunk([&](StatusChunk chunk, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) {
        const PacketStatus status = chunk[i];
        visit(walk.sequence, status != PacketStatus::not_received, walk.take(status));
        ++walk.sequence;
      }
    });
  }

  // The same, visit(std::uint16_t sequence, std::int32_t delta_250us), for those that arrived only.
  template <class Visit>
  void for_each_received(Visit&& visit) const {
    Walk walk{.deltas = deltas, .sequence = base_sequence};
    each_chunk([&](StatusChunk chunk, std::size_t count) {
      if (chunk.is_run() && chunk[0] == PacketStatus::not_received) {
        walk.sequence = static_cast<std::uint16_t>(walk.sequence + count);
        return;
      }
      for (std::size_t i = 0; i < count; ++i) {
        const PacketStatus status = chunk[i];
        if (status != PacketStatus::not_received) visit(walk.sequence, walk.take(status));
        ++walk.sequence;
      }
    });
  }

 private:
  // The place in the deltas, and the number of the next packet.
  struct Walk {
    std::span<const std::uint8_t> deltas;
    std::uint16_t sequence;

    std::int32_t take(PacketStatus status) noexcept {
      const auto bytes = static_cast<std::size_t>(status);
      if (bytes == 0) return 0;
      const std::int32_t delta =
          bytes == 1 ? deltas[0]
                     : static_cast<std::int16_t>(static_cast<std::uint16_t>(rtp::load_be<2>(deltas.data())));
      deltas = deltas.subspan(bytes);
      return delta;
    }
  };

  // visit(StatusChunk, std::size_t count): as many of its statuses as count.
  template <class Visit>
  void each_chunk(Visit&& visit) const {
    std::size_t left = status_count;
    for (std::size_t at = 0; at + kStatusChunkBytes <= chunks.size(); at += kStatusChunkBytes) {
      const StatusChunk chunk(static_cast<std::uint16_t>(rtp::load_be<2>(&chunks[at])));
      const std::size_t count = std::min(left, chunk.size());
      visit(chunk, count);
      left -= count;
    }
  }
};

// `body`: what follows the two SSRCs of the feedback packet, without padding by the P bit. Up to three bytes after the
// last delta are padding too.
rtp::Result<TransportFeedback> parse_transport_feedback(std::span<const std::uint8_t> body) noexcept;

}  // namespace mediacore::rtcp
