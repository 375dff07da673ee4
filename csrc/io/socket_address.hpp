// Addresses as the kernel wants them, to and from endpoints.
//
// Policy: an IPv4 endpoint is an AF_INET address, everything else AF_INET6 without a scope.
// Threads: pure functions, plain values.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "core/ice/endpoint.hpp"

namespace mediacore::io {

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// Returns the length of the address.
socklen_t to_socket_address(const ice::Endpoint& endpoint, SocketAddress& address) noexcept;

// An address of another family gives an endpoint without a port.
ice::Endpoint to_endpoint(const SocketAddress& address, std::uint16_t socket) noexcept;

}  // namespace mediacore::io
