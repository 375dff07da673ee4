// Sockets on the loopback interface for the tests of io: receivers that are read in a bounded time.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <cstdint>
#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/udp_port.hpp"

namespace mediacore::io::testing {

using Buffer = std::vector<std::uint8_t>;

inline std::uint64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

inline std::int64_t monotonic_us() {
  return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC) / 1000);
}

struct Received {
  Buffer data;
  ice::Endpoint from;
  std::int64_t arrived_us;
};

inline UdpPort open_port(const std::string& host, std::uint16_t socket_index = 0) {
  std::error_code error;
  auto port = UdpPort::open(host, 0, socket_index, error);
  if (!port) throw std::system_error(error, host);
  return std::move(*port);
}

// Where a port is reached from socket `socket` of the sender.
inline ice::Endpoint address_of(const UdpPort& port, std::uint16_t socket = 0) {
  return endpoint_of(port.host(), port.port(), socket).value();
}

inline bool readable(const UdpPort& port, int timeout_ms) {
  pollfd wait{port.descriptor(), POLLIN, 0};
  return poll(&wait, 1, timeout_ms) == 1;
}

// Reads until there are `count` datagrams, at most 2 s for each read; and what else is there by then.
inline std::vector<Received> receive(UdpPort& port, std::size_t count) {
  constexpr int kPatienceMs = 2000;
  std::vector<Received> all;
  while (all.size() < count ? readable(port, kPatienceMs) : readable(port, 0)) {
    for (const UdpPort::Datagram& datagram : port.read(monotonic_us(), clock_ns(CLOCK_REALTIME))) {
      all.push_back({{datagram.data.begin(), datagram.data.end()}, datagram.from, datagram.arrived_us});
    }
  }
  return all;
}

}  // namespace mediacore::io::testing
