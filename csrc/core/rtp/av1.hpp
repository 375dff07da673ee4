// The AV1 payload format (RTP Payload Format For AV1, v1.0): temporal units as open bitstream units (OBUs).
//
// Guarantees: OBUs travel without size fields, in order, several in a packet, cut where the packet is full; temporal
//   delimiters, tile lists and padding are dropped (section 5). A packet is as full as it may be, so that all but the
//   last of a unit have one size. What is received has the size fields again (low-overhead format, 5.2 of the AV1
//   specification), which decoders and containers take; it has no temporal delimiter.
// Policy: an Error, and no payload, for OBUs that do not add up. N is set on a unit with a sequence header, which is
//   where a coded video sequence can begin.
// Threads: one owner.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/rtp/depacketizer.hpp"
#include "core/rtp/payload_buffer.hpp"
#include "core/rtp/payload_limits.hpp"
#include "core/rtp/result.hpp"

namespace mediacore::rtp {

class Av1Packetizer {
 public:
  // `limits` must be valid(kLeastCutPayloadBytes); its split is not used.
  explicit Av1Packetizer(PayloadLimits limits = {}) noexcept : limits_(limits) {}

  std::optional<Error> packetize(std::span<const std::uint8_t> unit, PayloadBuffer& out);

 private:
  // An OBU as it travels: its header without has_size_field, then its payload.
  struct Obu {
    std::array<std::uint8_t, 2> header;
    std::size_t header_size;
    std::span<const std::uint8_t> payload;

    std::size_t size() const noexcept { return header_size + payload.size(); }
  };

  // A piece of an OBU in a packet.
  struct Element {
    std::size_t obu;
    std::size_t from;
    std::size_t size;
  };

  std::optional<Error> split(std::span<const std::uint8_t> unit);
  bool fill(std::size_t room);
  void leave_a_byte();
  void write(bool first, PayloadBuffer& out);

  PayloadLimits limits_;
  std::vector<Obu> obus_;
  std::vector<Element> elements_;  // of the packet in work
  std::size_t next_obu_ = 0;       // where the packet after it begins
  std::size_t next_from_ = 0;
  bool has_sequence_header_ = false;
};

class Av1Format {
 public:
  static constexpr bool kFramePerPacket = false;

  void reset() noexcept;
  std::optional<Error> take(std::span<const std::uint8_t> payload, FrameBytes& frame);
  std::optional<Error> finish(const FrameBytes& frame) const noexcept;
  bool is_key() const noexcept { return is_key_; }

 private:
  std::optional<Error> take_element(std::span<const std::uint8_t> element, bool ends, FrameBytes& frame);
  std::optional<Error> close_obu(FrameBytes& frame);

  std::vector<std::uint8_t> obu_;  // the one that comes in pieces
  bool obu_open_ = false;
  bool is_key_ = false;
};

using Av1Depacketizer = Depacketizer<Av1Format>;

}  // namespace mediacore::rtp
