#include "io/socket_address.hpp"

#include <cstring>

namespace mediacore::io {

namespace {

constexpr std::size_t kMappedPrefixBytes = 12;  // of ::ffff:a.b.c.d

}  // namespace

socklen_t to_socket_address(const ice::Endpoint& endpoint, SocketAddress& address) noexcept {
  address = SocketAddress{};
  if (endpoint.is_ipv4()) {
    address.v4 = sockaddr_in{};
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = htons(endpoint.port);
    std::memcpy(&address.v4.sin_addr, endpoint.ip.data() + kMappedPrefixBytes, sizeof address.v4.sin_addr);
    return sizeof address.v4;
  }
  address.v6 = sockaddr_in6{};
  address.v6.sin6_family = AF_INET6;
  address.v6.sin6_port = htons(endpoint.port);
  std::memcpy(&address.v6.sin6_addr, endpoint.ip.data(), sizeof address.v6.sin6_addr);
  return sizeof address.v6;
}

ice::Endpoint to_endpoint(const SocketAddress& address, std::uint16_t socket) noexcept {
  ice::Endpoint endpoint;
  endpoint.socket = socket;
  if (address.any.sa_family == AF_INET) {
    endpoint.ip[10] = endpoint.ip[11] = 0xff;
    std::memcpy(endpoint.ip.data() + kMappedPrefixBytes, &address.v4.sin_addr, sizeof address.v4.sin_addr);
    endpoint.port = ntohs(address.v4.sin_port);
  } else if (address.any.sa_family == AF_INET6) {
    std::memcpy(endpoint.ip.data(), &address.v6.sin6_addr, sizeof address.v6.sin6_addr);
    endpoint.port = ntohs(address.v6.sin6_port);
  }
  return endpoint;
}

}  // namespace mediacore::io
