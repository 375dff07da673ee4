#include "io/send_batch.hpp"

#include <stdexcept>
#include <utility>

#include "core/rtp/byte_order.hpp"
#include "io/send_lane.hpp"

namespace mediacore::io {

namespace {

constexpr std::size_t kChannelHeaderBytes = 4;  // RFC 8656 12.4: channel number and length

static_assert(kMaxKeptBytes + kMaxPacketBytes + kChannelHeaderBytes <= kBlockBytes,
              "a kept block has room for a packet");

}  // namespace

struct SendBatch::State {
  // By index; none where there is no socket.
  std::vector<std::unique_ptr<SendLane>> lanes;
  std::vector<std::uint16_t> waiting;  // lanes with packets, each once
  bool gso = true;
  SendMessages send_messages;
  Envelopes envelopes;

  ice::Endpoint destination;
  SendLane* lane = nullptr;  // of the destination; none: it cannot be reached
  bool reserved = false;
  std::vector<std::uint8_t> nowhere;  // written to when there is no lane

  std::size_t header_bytes() const noexcept { return destination.channel == 0 ? 0 : kChannelHeaderBytes; }
};

SendBatch::SendBatch(std::vector<int> sockets, bool gso) : SendBatch(std::move(sockets), gso, ::sendmmsg) {}

SendBatch::SendBatch(std::vector<int> sockets, bool gso, SendMessages send_messages)
    : state_(std::make_unique<State>()) {
  state_->gso = gso;
  state_->send_messages = std::move(send_messages);
  for (std::size_t i = 0; i < sockets.size(); ++i) add_socket(static_cast<std::uint16_t>(i), sockets[i]);
}

SendBatch::~SendBatch() = default;

void SendBatch::add_socket(std::uint16_t index, int descriptor) {
  remove_socket(index);
  if (index >= state_->lanes.size()) state_->lanes.resize(std::size_t{index} + 1);
  state_->lanes[index] = std::make_unique<SendLane>(descriptor, state_->gso);
  to(state_->destination);
}

void SendBatch::remove_socket(std::uint16_t index) {
  if (index >= state_->lanes.size() || !state_->lanes[index]) return;
  stats_.dropped_closed += state_->lanes[index]->packets();
  std::erase(state_->waiting, index);
  state_->lanes[index].reset();
  to(state_->destination);
}

void SendBatch::to(const ice::Endpoint& destination) {
  state_->destination = destination;
  state_->reserved = false;
  SendLane* const lane = destination.socket < state_->lanes.size() ? state_->lanes[destination.socket].get() : nullptr;
  state_->lane = lane != nullptr && lane->reaches(destination) ? lane : nullptr;
}

std::uint8_t* SendBatch::reserve(std::size_t capacity) {
  if (capacity > kMaxPacketBytes) throw std::length_error("a packet of more than kMaxPacketBytes");
  State& state = *state_;
  state.reserved = true;
  if (state.lane == nullptr) {
    state.nowhere.resize(kMaxPacketBytes);
    return state.nowhere.data();
  }
  const std::size_t header = state.header_bytes();
  if (!state.lane->has_room(header + capacity) && state.lane->send(state.send_messages, state.envelopes, stats_)) {
    std::erase(state.waiting, state.destination.socket);
  }
  return state.lane->next(header + capacity) + header;
}

void SendBatch::commit(std::size_t size) {
  State& state = *state_;
  if (!std::exchange(state.reserved, false) || size == 0) return;
  if (state.lane == nullptr) {
    ++stats_.dropped_error;
    return;
  }
  const std::size_t header = state.header_bytes();
  if (header > 0) {
    std::uint8_t* const packet = state.lane->next(header);
    rtp::store_be<2>(state.destination.channel, packet);
    rtp::store_be<2>(size, packet + 2);
  }
  if (state.lane->empty()) state.waiting.push_back(state.destination.socket);
  state.lane->append(state.destination, header + size);
}

bool SendBatch::flush() {
  State& state = *state_;
  std::erase_if(state.waiting, [&](std::uint16_t index) {
    return state.lanes[index]->send(state.send_messages, state.envelopes, stats_);
  });
  return state.waiting.empty();
}

bool SendBatch::blocked(std::size_t socket) const noexcept {
  return socket < state_->lanes.size() && state_->lanes[socket] && state_->lanes[socket]->blocked();
}

}  // namespace mediacore::io
