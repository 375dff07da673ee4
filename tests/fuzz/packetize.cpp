// Frames to payloads and back, for each payload format: no payload is above its limit, whatever the limits are, and what
// comes out is what went in.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/rtp/av1.hpp"
#include "core/rtp/cut_frame.hpp"
#include "core/rtp/h264_depacketizer.hpp"
#include "core/rtp/h264_packetizer.hpp"
#include "core/rtp/leb128.hpp"
#include "core/rtp/opus.hpp"
#include "core/rtp/vp8.hpp"
#include "core/rtp/vp9.hpp"
#include "nal_units.hpp"

namespace mediacore::fuzz {
namespace {

using rtp::FrameView;
using rtp::PayloadBuffer;
using rtp::PayloadLimits;

// Valid ones, most of them small, so that small frames are cut.
PayloadLimits limits_from(Input& input, std::size_t least) {
  PayloadLimits limits;
  switch (input.pick(0, 3)) {
    case 0: limits.payload_bytes = input.pick(least, least + 40); break;
    case 1: limits.payload_bytes = input.pick(least, 1500); break;
    case 2: limits.payload_bytes = input.pick(least, rtp::kMaxPayloadBytes); break;
    default: break;
  }
  const std::size_t quarter = limits.payload_bytes / 4;
  limits.first_reduction = input.pick(0, quarter);
  limits.last_reduction = input.pick(0, quarter - limits.first_reduction);
  if (input.flip()) limits.single_reduction = input.pick(0, quarter);
  if (input.flip()) limits.split = rtp::Split::balanced;
  expect(limits.valid(least), "limits are made valid");
  return limits;
}

// One for all runs, as its block is large.
PayloadBuffer& payload_buffer() {
  static PayloadBuffer payloads;
  payloads.clear();
  return payloads;
}

// The bytes, with many more of them at the end for some inputs: frames above the largest limits.
Buffer frame_from(Input& input, const PayloadLimits& limits) {
  constexpr std::size_t kMostPackets = 32;
  std::size_t more = input.pick(0, 31) == 31 ? input.pick(0, 0x10fff) : 0;
  more = std::min(more, limits.payload_bytes * kMostPackets);
  const Bytes rest = input.rest();
  Buffer frame(rest.begin(), rest.end());
  frame.resize(frame.size() + more, 0x5a);
  return frame;
}

void check_sizes(const PayloadBuffer& payloads, const PayloadLimits& limits) {
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    expect(!payloads[i].empty(), "no payload is empty");
    expect(payloads[i].size() <= limits.room(i == 0, i + 1 == payloads.size()), "no payload is above its limit");
  }
}

template <class Depacketizer>
Buffer put_together(Depacketizer& depacketizer, const PayloadBuffer& payloads, std::uint16_t& number, bool* is_key) {
  Buffer frame;
  std::size_t frames = 0;
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const rtp::PacketInfo packet{{number++}, {90'000}, i + 1 == payloads.size()};
    const Copy payload(payloads[i]);
    const auto error = depacketizer.push(packet, payload.view(), [&](const FrameView& view) {
      frame.assign(view.data.begin(), view.data.end());
      if (is_key != nullptr) *is_key = view.is_key;
      ++frames;
    });
    expect(!error, "what was packetized is accepted");
  }
  expect(frames <= 1, "one frame comes back as one frame");
  return frame;
}

bool is_carried(const FoundNal& nal) {
  const unsigned type = nal.bytes[0] & 0x1fU;
  return type != 9 && type != 12 && type < 24;
}

void run_h264(Input& input, rtp::PacketizationMode mode) {
  const PayloadLimits limits = limits_from(input, rtp::kLeastH264PayloadBytes);
  const Buffer frame = frame_from(input, limits);
  rtp::H264Packetizer packetizer(limits, mode);
  rtp::H264Depacketizer depacketizer(frame.size() * 2 + 16);
  PayloadBuffer& payloads = payload_buffer();
  std::uint16_t number = 65'530;
  const bool accepted = !packetizer.packetize(frame, payloads);
  expect(accepted || payloads.empty(), "an error leaves no payload");
  auto nals = nal_units_of(frame);
  std::erase_if(nals, [](const FoundNal& nal) { return !is_carried(nal); });
  for (int round = 0; round < 2 && accepted; ++round) {
    expect(!packetizer.packetize(frame, payloads), "the same frame is accepted again");
    check_sizes(payloads, limits);
    bool is_key = false;
    const Buffer unit = put_together(depacketizer, payloads, number, &is_key);
    const auto back = nal_units_of(unit);
    expect(back.size() == nals.size(), "no NAL unit is lost");
    bool has_idr = false;
    for (std::size_t i = 0; i < nals.size(); ++i) {
      expect(equal(back[i].bytes, nals[i].bytes), "each NAL unit comes back");
      has_idr = has_idr || (nals[i].bytes[0] & 0x1f) == 5;
    }
    expect(is_key == has_idr, "a unit with an IDR picture is a key");
    if (mode == rtp::PacketizationMode::single_nal) {
      expect(payloads.size() == nals.size(), "mode 0 has one NAL unit a packet");
    }
    for (std::size_t i = 0; i < payloads.size(); ++i) {
      const bool both = (payloads[i][0] & 0x1f) == 28 && (payloads[i][1] & 0xc0) == 0xc0;
      expect(!both, "no fragment is start and end");
    }
  }
}

// Formats that carry a frame as it is.
template <class Packetizer, class Depacketizer>
void run_plain(Input& input, Packetizer packetizer, const PayloadLimits& limits) {
  const Buffer frame = frame_from(input, limits);
  Depacketizer depacketizer(frame.size());
  PayloadBuffer& payloads = payload_buffer();
  std::uint16_t number = 0;
  for (int round = 0; round < 2; ++round) {
    if (packetizer.packetize(frame, payloads)) {
      expect(payloads.empty(), "an error leaves no payload");
      return;
    }
    check_sizes(payloads, limits);
    expect(equal(put_together(depacketizer, payloads, number, nullptr), frame), "a frame comes back");
  }
}

void run_vp8(Input& input) {
  const PayloadLimits limits = limits_from(input, rtp::kLeastCutPayloadBytes);
  std::optional<std::uint16_t> picture_id;
  if (input.flip()) picture_id = static_cast<std::uint16_t>(input.pick(0, rtp::kMaxPictureId));
  std::optional<std::uint8_t> tl0_pic_idx;
  if (input.flip()) tl0_pic_idx = static_cast<std::uint8_t>(input.pick(0, 255));
  run_plain<rtp::Vp8Packetizer, rtp::Vp8Depacketizer>(input, rtp::Vp8Packetizer(limits, picture_id, tl0_pic_idx),
                                                      limits);
}

void run_vp9(Input& input) {
  const PayloadLimits limits = limits_from(input, rtp::kLeastCutPayloadBytes);
  const auto picture_id = static_cast<std::uint16_t>(input.pick(0, 0x7fff));
  const bool flexible = input.flip();
  run_plain<rtp::Vp9Packetizer, rtp::Vp9Depacketizer>(input, rtp::Vp9Packetizer(limits, flexible, picture_id), limits);
}

// The unit as it comes back: what is carried, each OBU with its size (AV1 specification 5.3).
Buffer with_sizes(Bytes unit) {
  Buffer out;
  while (!unit.empty()) {
    const std::uint8_t header = unit[0];
    const std::size_t head = (header & 0x04) != 0 ? 2 : 1;
    std::size_t begin = head;
    std::size_t size = unit.size() - head;
    if ((header & 0x02) != 0) {
      const auto told = present(rtp::read_leb128(unit.subspan(head)), "an OBU that was accepted has a size");
      begin += told.bytes;
      size = told.value;
    }
    const unsigned type = (header >> 3) & 15U;
    if (type != 2 && type != 8 && type != 15) {
      out.push_back(header | 0x02);
      if (head == 2) out.push_back(unit[1]);
      out.resize(out.size() + rtp::leb128_bytes(size));
      rtp::write_leb128(size, &out[out.size() - rtp::leb128_bytes(size)]);
      const Bytes payload = unit.subspan(begin, size);
      out.insert(out.end(), payload.begin(), payload.end());
    }
    unit = unit.subspan(begin + size);
  }
  return out;
}

void run_av1(Input& input) {
  const PayloadLimits limits = limits_from(input, rtp::kLeastCutPayloadBytes);
  const Buffer unit = frame_from(input, limits);
  rtp::Av1Packetizer packetizer(limits);
  rtp::Av1Depacketizer depacketizer(unit.size() * 2 + 16);
  PayloadBuffer& payloads = payload_buffer();
  std::uint16_t number = 0;
  if (packetizer.packetize(unit, payloads)) {
    expect(payloads.empty(), "an error leaves no payload");
    return;
  }
  check_sizes(payloads, limits);
  const Buffer back = put_together(depacketizer, payloads, number, nullptr);
  expect(equal(back, with_sizes(unit)), "a temporal unit comes back");
  expect(!packetizer.packetize(back, payloads), "what comes back can be sent on");
  check_sizes(payloads, limits);
  expect(put_together(depacketizer, payloads, number, nullptr) == back, "and is the same again");
}

void run_opus(Input& input) {
  rtp::OpusPacketizer packetizer(input.flip());
  const Buffer packet = frame_from(input, {});
  const auto payload = packetizer.packetize(packet);
  if (!payload) return;
  expect(payload->ticks > 0 && payload->ticks <= rtp::kMaxOpusTicks, "an Opus packet lasts up to 120 ms");
  rtp::OpusDepacketizer depacketizer(packet.size());
  PayloadBuffer& payloads = payload_buffer();
  std::copy(packet.begin(), packet.end(), payloads.add(packet.size()));
  std::uint16_t number = 0;
  expect(equal(put_together(depacketizer, payloads, number, nullptr), packet), "an Opus packet comes back");
}

void run(Input input) {
  switch (input.pick(0, 7)) {
    case 0: return run_h264(input, rtp::PacketizationMode::single_nal);
    case 1: return run_vp8(input);
    case 2: return run_vp9(input);
    case 3: return run_av1(input);
    case 4: return run_opus(input);
    default: return run_h264(input, rtp::PacketizationMode::non_interleaved);
  }
}

}  // namespace
}  // namespace mediacore::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mediacore::fuzz::run(mediacore::fuzz::Input({data, size}));
  return 0;
}
