// TURN servers that viewers are reached through, and the channels bound there (RFC 8656).
//
// Whose a server is: an allocation is known by the server's and our address (its 5-tuple), and a server refuses a second one
//   from the same socket (437). So one socket and one server are one viewer's, and each relayed viewer needs a socket of its
//   own: `dedicate` says so, and lets nothing in there but what comes from that viewer's servers.
// Bounds: kMaxRelays and kMaxChannels per viewer; more is refused.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <unordered_map>

#include "core/ice/endpoint.hpp"
#include "core/ice/viewer_id.hpp"

namespace mediacore::ice {

inline constexpr std::size_t kMaxRelays = 8;     // servers times sockets
inline constexpr std::size_t kMaxChannels = 64;  // peers: a browser's candidates

class Relays {
 public:
  struct Channel {
    ViewerId viewer;
    Endpoint peer;  // as the server sees it
  };

  // Only this viewer's relays are heard on that socket. False: it is another viewer's.
  bool dedicate(ViewerId viewer, std::uint16_t socket);
  // False: the server is another viewer's on this socket, or the socket is, or the bound is reached.
  bool add(ViewerId viewer, const Endpoint& server);
  // False: no such server of the viewer, no channel number, or the bound is reached. Again: with another peer.
  bool bind(ViewerId viewer, const Endpoint& server_with_channel, const Endpoint& peer);

  // Whose server that is; 0: nobody's.
  ViewerId server_owner(const Endpoint& server) const;
  // Whose socket that is; 0: everybody's.
  ViewerId socket_owner(std::uint16_t socket) const;
  // None if the channel is not bound.
  const Channel* channel(const Endpoint& server_with_channel) const;

  void erase_viewer(ViewerId viewer);
  void erase_socket(ViewerId viewer, std::uint16_t socket);

 private:
  std::unordered_map<std::uint16_t, ViewerId> sockets_;
  std::unordered_map<Endpoint, ViewerId, EndpointHash> servers_;
  std::unordered_map<Endpoint, Channel, EndpointHash> channels_;
};

}  // namespace mediacore::ice
