// Frames for the tests of the way out: of given sizes, with bytes that tell them apart.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "core/egress/frame.hpp"
#include "core/rtp/h264_packetizer.hpp"

namespace mediacore::egress::testing {

using Buffer = std::vector<std::uint8_t>;

inline constexpr std::uint64_t kSomeNtp = std::uint64_t{3'900'000'000} << 32;  // of monotonic 0

// Both clocks after so many µs.
inline Now at(std::int64_t us) {
  const auto whole = static_cast<std::uint64_t>(us / 1'000'000);
  const auto rest = static_cast<std::uint64_t>(us % 1'000'000);
  return {us, kSomeNtp + (whole << 32) + (rest << 32) / 1'000'000};
}

struct FrameKind {
  bool is_key = false;
  std::int64_t pts_us = 0;
  std::size_t packets = 1;
  std::size_t payload_bytes = 1000;  // of each packet
};

inline FrameRef frame(const FrameKind& kind) {
  static std::uint8_t fill = 0;
  auto made = std::make_shared<Frame>();
  for (std::size_t i = 0; i < kind.packets; ++i) {
    std::uint8_t* const payload = made->payloads.add(kind.payload_bytes);
    std::memset(payload, ++fill, kind.payload_bytes);
    payload[0] = kind.is_key ? 0x65 : 0x41;
  }
  made->bytes = kind.packets * kind.payload_bytes;
  made->pts_us = kind.pts_us;
  made->received_us = kind.pts_us;
  made->complete_us = kind.pts_us;
  made->is_key = kind.is_key;
  return made;
}

inline FrameRef key_frame(std::int64_t pts_us, std::size_t packets = 1) {
  return frame({.is_key = true, .pts_us = pts_us, .packets = packets});
}

inline FrameRef delta_frame(std::int64_t pts_us, std::size_t packets = 1) {
  return frame({.is_key = false, .pts_us = pts_us, .packets = packets});
}

// An access unit of one slice of `bytes`, whose content depends on `seed`.
inline Buffer access_unit(bool is_key, std::size_t bytes, unsigned seed) {
  // SPS, PPS, IDR slice; the other begins with a slice alone.
  static constexpr std::array<std::uint8_t, 22> kKeyHead{0, 0, 0,    1,    0x67, 0x42, 0xe0, 0x1f, 0x95, 0, 0,
                                                         0, 1, 0x68, 0xce, 0x3c, 0x80, 0,    0,    0,    1, 0x65};
  static constexpr std::array<std::uint8_t, 5> kHead{0, 0, 0, 1, 0x41};
  const std::span<const std::uint8_t> head = is_key ? std::span<const std::uint8_t>(kKeyHead) : kHead;
  Buffer unit(head.begin(), head.end());
  unit.reserve(head.size() + bytes);
  for (std::size_t i = 0; i < bytes; ++i) {
    seed = seed * 1'664'525 + 1'013'904'223;
    unit.push_back(static_cast<std::uint8_t>((seed >> 24) | 1U));  // no start code in it
  }
  return unit;
}

inline FrameRef packetized(std::span<const std::uint8_t> unit, bool is_key, std::int64_t pts_us) {
  auto made = std::make_shared<Frame>();
  rtp::H264Packetizer packetizer;
  if (packetizer.packetize(unit, made->payloads)) return nullptr;
  for (std::size_t i = 0; i < made->payloads.size(); ++i) made->bytes += made->payloads[i].size();
  made->pts_us = pts_us;
  made->received_us = pts_us;
  made->complete_us = pts_us;
  made->is_key = is_key;
  return made;
}

}  // namespace mediacore::egress::testing
