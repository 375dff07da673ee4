// Packets from anybody: RTP headers and their extensions, and the depacketizer of each payload format. What is accepted is
// within its limits, and can be written again.

#include <array>
#include <cstdint>

#include "core/rtp/av1.hpp"
#include "core/rtp/h264_depacketizer.hpp"
#include "core/rtp/h264_packetizer.hpp"
#include "core/rtp/header_extensions.hpp"
#include "core/rtp/opus.hpp"
#include "core/rtp/packet.hpp"
#include "core/rtp/vp8.hpp"
#include "core/rtp/vp9.hpp"
#include "nal_units.hpp"

namespace mediacore::fuzz {
namespace {

using rtp::FrameView;

void check_extensions(const rtp::ExtensionBlock& block, const rtp::ExtensionIds& ids) {
  const auto extensions = rtp::parse_extensions(block, ids);
  if (!extensions) {
    expect(extensions.error().byte_offset <= block.data.size(), "an error is where the bytes are");
    return;
  }
  std::array<std::uint8_t, rtp::kMaxExtensionsBytes> out{};
  const auto written = rtp::write_extensions(*extensions, ids, out);
  expect(static_cast<bool>(written), "extensions that were read can be written");
  expect(written->data.size() % 4 == 0, "an extension block is whole words");
  const auto again = rtp::parse_extensions(*written, ids);
  expect(static_cast<bool>(again) && *again == *extensions, "extensions come back");
}

// The payload, if it is a packet that parses.
std::optional<rtp::PacketView> check_packet(Bytes data, const rtp::ExtensionIds& ids) {
  const auto packet = rtp::parse_packet(data);
  if (!packet) {
    expect(packet.error().byte_offset <= data.size(), "an error is where the bytes are");
    return std::nullopt;
  }
  check_extensions(packet->extension, ids);
  std::vector<std::uint32_t> csrcs;
  csrcs.reserve(packet->csrc_count());
  for (std::size_t i = 0; i < packet->csrc_count(); ++i) csrcs.push_back(packet->csrc(i));
  const rtp::PacketParts parts{csrcs, packet->extension, packet->padding_bytes};
  const std::size_t size = rtp::header_bytes(parts) + packet->payload.size() + packet->padding_bytes;
  expect(size == data.size(), "the parts of a packet are all of it");
  Buffer out(size);
  const auto written = rtp::write_packet(packet->header, parts, packet->payload, out);
  expect(static_cast<bool>(written) && *written == size, "a packet that was read can be written");
  // Padding may hold anything but its last byte.
  const std::size_t same = size - packet->padding_bytes;
  expect(equal(Bytes(out).first(same), data.first(same)), "a packet comes back");
  expect(out.back() == data.back(), "padding tells its length");
  if (size > 0) {
    Buffer small(size - 1);
    expect(!rtp::write_packet(packet->header, parts, packet->payload, small), "a packet needs its room");
  }
  return *packet;
}

// One for all runs, as its block is large.
rtp::PayloadBuffer& payload_buffer() {
  static rtp::PayloadBuffer payloads;
  return payloads;
}

void check_frame(rtp::H264Packetizer packetizer, const FrameView& frame) {
  const auto nals = nal_units_of(frame.data);
  expect(!after_start_codes(frame.data).empty(), "a unit begins with a start code");
  bool has_idr = false;
  for (const FoundNal& nal : nals) has_idr = has_idr || (nal.bytes[0] & 0x1f) == 5;
  expect(!has_idr || frame.is_key, "a unit with an IDR picture is a key");
  rtp::PayloadBuffer& payloads = payload_buffer();
  expect(!packetizer.packetize(frame.data, payloads), "a unit that was received can be sent on");
}

template <class Packetizer>
void check_frame(Packetizer packetizer, const FrameView& frame) {
  rtp::PayloadBuffer& payloads = payload_buffer();
  static_cast<void>(packetizer.packetize(frame.data, payloads));
}

void check_frame(rtp::Av1Packetizer packetizer, const FrameView& frame) {
  rtp::PayloadBuffer& payloads = payload_buffer();
  expect(!packetizer.packetize(frame.data, payloads), "a temporal unit that was received can be sent on");
}

void check_frame(rtp::OpusPacketizer packetizer, const FrameView& frame) {
  const auto payload = packetizer.packetize(frame.data);
  expect(payload || frame.data.size() > rtp::kMaxOpusBytes, "an Opus packet that was received can be sent on");
}

template <class Depacketizer, class Packetizer>
void run_format(Input& input, std::size_t most_bytes, const rtp::ExtensionIds& ids) {
  Depacketizer depacketizer(most_bytes);
  std::size_t frames = 0;
  std::uint64_t lost = 0;
  std::uint64_t pushed = 0;
  rtp::PacketInfo info{{65'533}, {0xffffff00}, false};
  while (!input.empty()) {
    const Bytes head = input.take(2);
    const std::uint8_t flags = head[0];
    const std::size_t size = head.size() < 2 ? 0 : head[1] * std::size_t{(flags & 0x20) != 0 ? 5U : 1U};
    const Copy data(input.take(size));
    Bytes payload = data.view();
    const auto packet = check_packet(payload, ids);
    if ((flags & 0x10) != 0 && packet) {
      info = {packet->header.sequence_number, packet->header.timestamp, packet->header.marker};
      payload = packet->payload;
    } else {
      // Mostly the next packet; now and then one that is late, or after a gap.
      constexpr std::array<std::uint16_t, 4> kSteps{1, 1, 3, 65'535};
      info.sequence_number.value = static_cast<std::uint16_t>(info.sequence_number.value + kSteps[flags >> 2 & 3]);
      info.marker = (flags & 1) != 0;
      if ((flags & 2) != 0) info.timestamp = info.timestamp.plus(3000);
    }
    ++pushed;
    std::size_t given = 0;
    const auto error = depacketizer.push(info, payload, [&](const FrameView& frame) {
      ++given;
      lost += frame.lost_before;
      expect(!frame.data.empty() && frame.data.size() <= most_bytes, "a frame has bytes, and no more than the limit");
      expect(frame.packets > 0 && frame.packets <= pushed, "packets of a frame");
      const Copy copy(frame.data);
      check_frame(Packetizer(), FrameView{copy.view(), frame.timestamp, frame.is_key, frame.packets, 0});
    });
    frames += given;
    expect(given <= 2, "a packet ends two frames at most");
    expect(!error || error->byte_offset <= payload.size(), "an error is where the bytes are");
  }
  const rtp::DepacketizerStats& stats = depacketizer.stats();
  expect(stats.packets == pushed && stats.frames == frames, "counts of a depacketizer");
  expect(stats.late <= pushed && stats.malformed <= pushed && stats.damaged <= pushed, "no more went wrong than came");
  expect(lost <= stats.lost, "packets before a frame were lost");
}

void run(Input input) {
  rtp::ExtensionIds ids;
  const std::size_t first_id = input.pick(0, 20);
  for (std::size_t kind = 0; kind < rtp::kExtensionKinds; ++kind) {
    ids.values[kind] = static_cast<std::uint8_t>(first_id == 0 ? 0 : first_id + kind);
  }
  const std::size_t most_bytes = input.flip() ? input.pick(0, 300) : rtp::kDefaultFrameBytes;
  switch (input.pick(0, 7)) {
    case 0: return run_format<rtp::Vp8Depacketizer, rtp::Vp8Packetizer>(input, most_bytes, ids);
    case 1: return run_format<rtp::Vp9Depacketizer, rtp::Vp9Packetizer>(input, most_bytes, ids);
    case 2:
    case 3: return run_format<rtp::Av1Depacketizer, rtp::Av1Packetizer>(input, most_bytes, ids);
    case 4: return run_format<rtp::OpusDepacketizer, rtp::OpusPacketizer>(input, most_bytes, ids);
    default: return run_format<rtp::H264Depacketizer, rtp::H264Packetizer>(input, most_bytes, ids);
  }
}

}  // namespace
}  // namespace mediacore::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mediacore::fuzz::run(mediacore::fuzz::Input({data, size}));
  return 0;
}
