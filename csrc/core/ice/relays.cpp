#include "core/ice/relays.hpp"

#include <algorithm>

namespace mediacore::ice {

namespace {

constexpr std::uint16_t kFirstChannel = 0x4000;  // RFC 8656 12
constexpr std::uint16_t kLastChannel = 0x4fff;

Endpoint without_channel(Endpoint endpoint) {
  endpoint.channel = 0;
  return endpoint;
}

}  // namespace

bool Relays::dedicate(ViewerId viewer, std::uint16_t socket) {
  return sockets_.try_emplace(socket, viewer).first->second == viewer;
}

bool Relays::add(ViewerId viewer, const Endpoint& server) {
  const Endpoint key = without_channel(server);
  if (const auto known = servers_.find(key); known != servers_.end()) return known->second == viewer;
  const ViewerId owner = socket_owner(server.socket);
  if (owner != 0 && owner != viewer) return false;
  const auto count =
      std::count_if(servers_.begin(), servers_.end(), [&](const auto& it) { return it.second == viewer; });
  if (static_cast<std::size_t>(count) >= kMaxRelays) return false;
  servers_.emplace(key, viewer);
  return true;
}

bool Relays::bind(ViewerId viewer, const Endpoint& server_with_channel, const Endpoint& peer) {
  const std::uint16_t number = server_with_channel.channel;
  if (number < kFirstChannel || number > kLastChannel || server_owner(without_channel(server_with_channel)) != viewer) {
    return false;
  }
  if (const auto known = channels_.find(server_with_channel); known != channels_.end()) {
    known->second.peer = peer;
    return true;
  }
  const auto count =
      std::count_if(channels_.begin(), channels_.end(), [&](const auto& it) { return it.second.viewer == viewer; });
  if (static_cast<std::size_t>(count) >= kMaxChannels) return false;
  channels_.emplace(server_with_channel, Channel{viewer, peer});
  return true;
}

ViewerId Relays::server_owner(const Endpoint& server) const {
  if (servers_.empty()) return 0;
  const auto found = servers_.find(server);
  return found == servers_.end() ? 0 : found->second;
}

ViewerId Relays::socket_owner(std::uint16_t socket) const {
  if (sockets_.empty()) return 0;
  const auto found = sockets_.find(socket);
  return found == sockets_.end() ? 0 : found->second;
}

const Relays::Channel* Relays::channel(const Endpoint& server_with_channel) const {
  const auto found = channels_.find(server_with_channel);
  return found == channels_.end() ? nullptr : &found->second;
}

void Relays::erase_viewer(ViewerId viewer) {
  std::erase_if(sockets_, [&](const auto& it) { return it.second == viewer; });
  std::erase_if(servers_, [&](const auto& it) { return it.second == viewer; });
  std::erase_if(channels_, [&](const auto& it) { return it.second.viewer == viewer; });
}

void Relays::erase_socket(ViewerId viewer, std::uint16_t socket) {
  const auto is_there = [&](const auto& it) { return it.first.socket == socket; };
  if (socket_owner(socket) == viewer) sockets_.erase(socket);
  std::erase_if(servers_, [&](const auto& it) { return is_there(it) && it.second == viewer; });
  std::erase_if(channels_, [&](const auto& it) { return is_there(it) && it.second.viewer == viewer; });
}

}  // namespace mediacore::ice
