#include "io/slicer.hpp"

#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "io/send_batch.hpp"

namespace mediacore::io {
namespace {

// What payload formats add to the unit's bytes: a few for each packet, and some for the first.
constexpr std::size_t room_for(std::size_t unit_bytes) noexcept {
  constexpr std::size_t kPacketHead = 16;
  constexpr std::size_t kSmallestMean = 512;  // below half of the payload limit, equal parts do not come
  return unit_bytes + unit_bytes / kSmallestMean * kPacketHead + 4 * kPacketHead;
}

// Opus packets are not cut: what is larger fits no datagram of ours, with its head and SRTP's tag (0.1 s at 320 kb/s).
constexpr std::size_t kMostOpusBytes = kMaxPacketBytes - 96;

bool cut(rtp::OpusPacketizer& opus, std::span<const std::uint8_t> packet, rtp::PayloadBuffer& out) {
  if (packet.size() > kMostOpusBytes) return false;
  const auto payload = opus.packetize(packet);
  if (!payload) return false;
  std::memcpy(out.add(packet.size()), packet.data(), packet.size());
  return true;
}

template <class Packetizer>
bool cut(Packetizer& packetizer, std::span<const std::uint8_t> unit, rtp::PayloadBuffer& out) {
  return !packetizer.packetize(unit, out) && !out.empty();
}

}  // namespace

Slicer::Packetizer Slicer::packetizer_of(Codec codec) {
  switch (codec) {
    case Codec::h264: break;
    case Codec::vp8: return rtp::Vp8Packetizer();
    case Codec::vp9: return rtp::Vp9Packetizer();
    case Codec::av1: return rtp::Av1Packetizer();
    case Codec::opus: return rtp::OpusPacketizer();
  }
  return rtp::H264Packetizer();
}

Slicer::Slicer(Codec codec) : packetizer_(packetizer_of(codec)) {}

bool Slicer::numbers_pictures() const noexcept {
  return std::holds_alternative<rtp::Vp8Packetizer>(packetizer_) ||
         std::holds_alternative<rtp::Vp9Packetizer>(packetizer_);
}

egress::FrameRef Slicer::slice(const Unit& unit) {
  const std::shared_ptr<egress::Frame> frame = frames_.take(room_for(unit.data.size()));
  const bool whole =
      std::visit([&](auto& packetizer) { return cut(packetizer, unit.data, frame->payloads); }, packetizer_);
  if (!whole) return nullptr;
  frame->pts_us = unit.pts_us;
  frame->received_us = unit.received_us;
  frame->complete_us = unit.complete_us;
  frame->is_key = unit.is_key;
  for (std::size_t i = 0; i < frame->payloads.size(); ++i) frame->bytes += frame->payloads[i].size();
  return frame;
}

}  // namespace mediacore::io
