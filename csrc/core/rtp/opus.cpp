#include "core/rtp/opus.hpp"

#include <array>

namespace mediacore::rtp {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kMaxDtxBytes = 2;

// Ticks of one frame by the configuration number, the upper 5 bits of the first byte (RFC 6716 table 2).
constexpr std::uint32_t frame_ticks(unsigned config) noexcept {
  constexpr std::array<std::uint32_t, 4> kSilk{480, 960, 1920, 2880};
  constexpr std::array<std::uint32_t, 4> kCelt{120, 240, 480, 960};
  if (config < 12) return kSilk[config % 4];
  if (config < 16) return kSilk[config % 2];
  return kCelt[config % 4];
}

}  // namespace

Result<std::uint32_t> opus_ticks(Bytes packet) noexcept {
  if (packet.empty()) return Error{ErrorCode::empty, 0};
  const unsigned code = packet[0] & 3U;
  std::uint32_t frames = code == 0 ? 1 : 2;
  if (code == 3) {
    if (packet.size() < 2) return Error{ErrorCode::truncated, packet.size()};
    frames = packet[1] & 0x3fU;
  }
  const std::uint32_t ticks = frames * frame_ticks(packet[0] >> 3);
  if (frames == 0 || ticks > kMaxOpusTicks) return Error{ErrorCode::value_out_of_range, 0};
  return ticks;
}

Result<OpusPayload> OpusPacketizer::packetize(Bytes packet) noexcept {
  const auto ticks = opus_ticks(packet);
  if (!ticks) return ticks.error();
  if (packet.size() > kMaxOpusBytes) return Error{ErrorCode::frame_too_large, kMaxOpusBytes};
  const bool pause = packet.size() <= kMaxDtxBytes;
  const bool marker = in_pause_ && !pause;
  in_pause_ = pause;
  return OpusPayload{marker, !(pause && skip_dtx_), *ticks};
}

std::optional<Error> OpusFormat::take(Bytes payload, FrameBytes& frame) {
  if (const auto ticks = opus_ticks(payload); !ticks) return ticks.error();
  if (!frame.append(payload)) return Error{ErrorCode::frame_too_large, 0};
  return std::nullopt;
}

}  // namespace mediacore::rtp
