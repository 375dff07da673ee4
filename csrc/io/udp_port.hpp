// One UDP socket of ours, bound to one local address: opening it and reading it.
//
// Policy: non-blocking, SO_SNDBUF and SO_RCVBUF raised as far as the system allows (what was got is told), arrival times
//   from the kernel (SO_TIMESTAMPNS) turned into the monotonic clock. Errors are std::error_code, never thrown.
// Threads: one reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>

#include "core/ice/endpoint.hpp"

namespace mediacore::io {

inline constexpr std::size_t kDatagramBytes = 2048;
inline constexpr std::size_t kDatagramsPerRead = 64;

// "127.0.0.1" or "::1" and a port to bytes; none if it is no address. Link-local addresses have no scope here.
std::optional<ice::Endpoint> endpoint_of(const std::string& host, std::uint16_t port, std::uint16_t socket) noexcept;
std::string host_of(const ice::Endpoint& endpoint);

class UdpPort {
 public:
  struct Datagram {
    std::span<std::uint8_t> data;
    ice::Endpoint from;
    std::int64_t arrived_us;  // monotonic
  };

  // Port 0: any free one.
  static std::optional<UdpPort> open(const std::string& host, std::uint16_t port, std::uint16_t socket_index,
                                     std::error_code& error);
  UdpPort(UdpPort&&) noexcept;
  UdpPort& operator=(UdpPort&&) noexcept;
  ~UdpPort();

  int descriptor() const noexcept;
  std::uint16_t port() const noexcept;
  const std::string& host() const noexcept;

  // One recvmmsg; the datagrams are valid until the next call. Fewer than kDatagramsPerRead: there are no more now.
  std::span<Datagram> read(std::int64_t now_us, std::uint64_t realtime_ns);

 private:
  struct State;
  explicit UdpPort(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mediacore::io
