#include <variant>

#include "core/rtp/byte_order.hpp"
#include "core/srtp/packet_index.hpp"
#include "core/srtp/replay_window.hpp"
#include "core/srtp/source_table.hpp"
#include "core/srtp/srtp.hpp"
#include "core/srtp/transform.hpp"

namespace mediacore::srtp {
namespace {

using rtp::load_be;

// Reports come one in some milliseconds at most; on the way few of them change places.
constexpr std::size_t kRtcpWindow = 128;

}  // namespace

struct RtcpSealer::State {
  Transform transform;
  std::uint64_t next_index;
};

RtcpSealer::RtcpSealer(const KeyMaterial& keys, std::uint32_t first_index)
    : state_(new State{make_transform(keys, Protocol::rtcp, AesGcm::Use::sealing), first_index}) {}
RtcpSealer::RtcpSealer(RtcpSealer&&) noexcept = default;
RtcpSealer& RtcpSealer::operator=(RtcpSealer&&) noexcept = default;
RtcpSealer::~RtcpSealer() = default;

std::optional<std::size_t> RtcpSealer::seal(std::span<std::uint8_t> buffer, std::size_t size) noexcept {
  return std::visit(
      [&](auto& transform) noexcept -> std::optional<std::size_t> {
        if (size < kRtcpClearBytes || size > kMaxPacketBytes || buffer.size() < size + transform.kRtcpOverhead ||
            state_->next_index >= kRtcpIndexes) {
          return std::nullopt;
        }
        const auto packet = buffer.first(size + transform.kRtcpOverhead);
        if (!transform.seal_rtcp(packet, static_cast<std::uint32_t>(state_->next_index++))) return std::nullopt;
        return packet.size();
      },
      state_->transform);
}

struct RtcpOpener::State {
  Transform transform;
  SourceTable<ReplayWindow<kRtcpWindow>> senders;
};

RtcpOpener::RtcpOpener(const KeyMaterial& keys)
    : state_(new State{make_transform(keys, Protocol::rtcp, AesGcm::Use::opening), {}}) {}
RtcpOpener::RtcpOpener(RtcpOpener&&) noexcept = default;
RtcpOpener& RtcpOpener::operator=(RtcpOpener&&) noexcept = default;
RtcpOpener::~RtcpOpener() = default;

std::optional<std::size_t> RtcpOpener::open(std::span<std::uint8_t> packet, Refusal& refusal) noexcept {
  const auto refuse = [&refusal](Refusal reason) noexcept {
    refusal = reason;
    return std::nullopt;
  };
  return std::visit(
      [&](auto& transform) noexcept -> std::optional<std::size_t> {
        if (packet.size() < kRtcpClearBytes + transform.kRtcpOverhead ||
            packet.size() > kMaxPacketBytes + transform.kRtcpOverhead || packet[0] >> 6 != 2) {
          return refuse(Refusal::malformed);
        }
        const std::uint64_t word = load_be<kIndexWordBytes>(&packet[packet.size() - transform.kIndexWordFromEnd]);
        if ((word & kEncryptedFlag) == 0) return refuse(Refusal::not_encrypted);
        const std::uint64_t index = word & ~std::uint64_t{kEncryptedFlag};
        const auto ssrc = static_cast<std::uint32_t>(load_be<4>(&packet[4]));
        auto* sender = state_->senders.find(ssrc);
        if (sender == nullptr && state_->senders.full()) return refuse(Refusal::too_many_sources);
        if (sender != nullptr) {
          if (const auto reason = sender->refusal(index)) return refuse(*reason);
        }
        if (!transform.open_rtcp(packet)) return refuse(Refusal::forged);
        if (sender == nullptr) sender = &state_->senders.add(ssrc);
        sender->accept(index);
        return packet.size() - transform.kRtcpOverhead;
      },
      state_->transform);
}

}  // namespace mediacore::srtp
