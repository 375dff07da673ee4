// Where a datagram comes from or goes to: one of our sockets, a remote address, and the channel of a TURN relay.
//
// Policy: IPv4 addresses are kept as ::ffff:a.b.c.d, so that equal places have equal bytes. With a channel, the
//   remote address is the TURN server's, and datagrams travel as ChannelData (RFC 8656 12).
// Threads: plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace mediacore::ice {

struct Endpoint {
  std::array<std::uint8_t, 16> ip{};
  std::uint16_t port = 0;
  std::uint16_t socket = 0;    // index of ours
  std::uint16_t channel = 0;   // 0x4000 to 0x4fff; 0: not relayed
  std::uint16_t reserved = 0;  // so that there is no padding, and equal means equal bytes

  bool is_ipv4() const noexcept;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};
static_assert(sizeof(Endpoint) == 24);

struct EndpointHash {
  std::size_t operator()(const Endpoint& endpoint) const noexcept {
    return std::hash<std::string_view>()({reinterpret_cast<const char*>(&endpoint), sizeof endpoint});
  }
};

}  // namespace mediacore::ice
