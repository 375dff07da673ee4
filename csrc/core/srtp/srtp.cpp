#include "core/srtp/srtp.hpp"

#include <variant>

#include "core/rtp/byte_order.hpp"
#include "core/rtp/packet.hpp"
#include "core/srtp/packet_index.hpp"
#include "core/srtp/replay_window.hpp"
#include "core/srtp/source_table.hpp"
#include "core/srtp/transform.hpp"

namespace mediacore::srtp {
namespace {

using rtp::load_be;

// The last second of a fast stream; a retransmission in the original stream may be that late.
constexpr std::size_t kRtpWindow = 1024;

// Bytes of the header with CSRCs and extension, which stay readable; 0 if the packet is no RTP or ends before.
std::size_t header_bytes_of(std::span<const std::uint8_t> packet) noexcept {
  if (packet.size() < rtp::kFixedHeaderBytes || packet[0] >> 6 != 2) return 0;
  std::size_t bytes = rtp::kFixedHeaderBytes + std::size_t{4} * (packet[0] & 0x0f);
  if ((packet[0] & 0x10) != 0) {
    if (packet.size() < bytes + rtp::kExtensionHeadBytes) return 0;
    bytes += rtp::kExtensionHeadBytes + 4 * load_be<2>(&packet[bytes + 2]);
  }
  return bytes <= packet.size() ? bytes : 0;
}

}  // namespace

struct RtpSealer::State {
  Transform transform;
};

RtpSealer::RtpSealer(const KeyMaterial& keys)
    : state_(new State{make_transform(keys, Protocol::rtp, AesGcm::Use::sealing)}) {}
RtpSealer::RtpSealer(RtpSealer&&) noexcept = default;
RtpSealer& RtpSealer::operator=(RtpSealer&&) noexcept = default;
RtpSealer::~RtpSealer() = default;

std::size_t RtpSealer::seal(std::span<std::uint8_t> buffer, std::size_t header_bytes, std::size_t size,
                            std::uint64_t index) noexcept {
  return std::visit(
      [&](auto& transform) noexcept -> std::size_t {
        if (header_bytes < rtp::kFixedHeaderBytes || size < header_bytes || size > kMaxPacketBytes ||
            buffer.size() < size + transform.kRtpOverhead) {
          return 0;
        }
        if (index >= kRtpIndexes || (index & 0xffff) != load_be<2>(&buffer[2])) return 0;
        const auto packet = buffer.first(size + transform.kRtpOverhead);
        return transform.seal_rtp(packet, header_bytes, index) ? packet.size() : 0;
      },
      state_->transform);
}

struct RtpOpener::State {
  Transform transform;
  SourceTable<ReplayWindow<kRtpWindow>> sources;
};

RtpOpener::RtpOpener(const KeyMaterial& keys)
    : state_(new State{make_transform(keys, Protocol::rtp, AesGcm::Use::opening), {}}) {}
RtpOpener::RtpOpener(RtpOpener&&) noexcept = default;
RtpOpener& RtpOpener::operator=(RtpOpener&&) noexcept = default;
RtpOpener::~RtpOpener() = default;

std::optional<std::size_t> RtpOpener::open(std::span<std::uint8_t> packet, Refusal& refusal) noexcept {
  const auto refuse = [&refusal](Refusal reason) noexcept {
    refusal = reason;
    return std::nullopt;
  };
  return std::visit(
      [&](auto& transform) noexcept -> std::optional<std::size_t> {
        const std::size_t header_bytes = header_bytes_of(packet);
        if (header_bytes == 0 || packet.size() - header_bytes < transform.kRtpOverhead ||
            packet.size() > kMaxPacketBytes + transform.kRtpOverhead) {
          return refuse(Refusal::malformed);
        }
        const auto ssrc = static_cast<std::uint32_t>(load_be<4>(&packet[8]));
        const auto sequence_number = static_cast<std::uint16_t>(load_be<2>(&packet[2]));
        auto* source = state_->sources.find(ssrc);
        if (source == nullptr && state_->sources.full()) return refuse(Refusal::too_many_sources);
        const std::uint64_t index =
            source != nullptr ? estimate_index(source->highest(), sequence_number) : sequence_number;
        if (source != nullptr) {
          if (const auto reason = source->refusal(index)) return refuse(*reason);
        }
        if (!transform.open_rtp(packet, header_bytes, index)) return refuse(Refusal::forged);
        if (source == nullptr) source = &state_->sources.add(ssrc);
        source->accept(index);
        return packet.size() - transform.kRtpOverhead;
      },
      state_->transform);
}

}  // namespace mediacore::srtp
