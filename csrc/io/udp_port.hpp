// One UDP socket of ours, bound to one local address: opening it and reading it.
//
// Policy: non-blocking; SO_SNDBUF and SO_RCVBUF raised as far as the system allows (what was got is told); arrival times
//   from the kernel (SO_TIMESTAMPNS) turned into the monotonic clock. An IPv6 socket takes IPv6 only. Errors of opening are
//   std::error_code, never thrown; errors of reading are those of datagrams sent before, and mean nothing here.
// Path MTU: our packets are near 1300 bytes, and nothing here could make them smaller. So no packet carries DF: over a
//   narrower path it travels in fragments, in place of an error (IPv4: routers cut, IP_PMTUDISC_OMIT, and a forged "too big"
//   changes nothing; IPv6: the kernel cuts as it learns the path, IPV6_PMTUDISC_DONT).
// Memory: one block for the datagrams of one read; pages of it that no datagram ever reached are not backed.
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

// More than any DTLS, STUN or RTCP datagram: senders stay below an Ethernet frame.
inline constexpr std::size_t kDatagramBytes = 2048;
inline constexpr std::size_t kDatagramsPerRead = 64;
// What is asked for, each way: a key frame of 200 kB for 16 viewers, 3.2 MB, leaves through one socket at once.
inline constexpr int kSocketBufferBytes = 4 << 20;

// "127.0.0.1" or "::1" and a port to bytes; none if it is no address. Link-local addresses have no scope here.
std::optional<ice::Endpoint> endpoint_of(const std::string& host, std::uint16_t port, std::uint16_t socket) noexcept;
std::string host_of(const ice::Endpoint& endpoint);

class UdpPort {
 public:
  struct Datagram {
    std::span<std::uint8_t> data;  // empty: it was longer than kDatagramBytes, or had no bytes
    ice::Endpoint from;
    std::int64_t arrived_us;  // monotonic
  };

  // Port 0: any free one.
  static std::optional<UdpPort> open(const std::string& host, std::uint16_t port, std::uint16_t socket_index,
                                     std::error_code& error);
  UdpPort(const UdpPort&) = delete;
  UdpPort& operator=(const UdpPort&) = delete;
  UdpPort(UdpPort&&) noexcept;
  UdpPort& operator=(UdpPort&&) noexcept;
  ~UdpPort();

  int descriptor() const noexcept;
  std::uint16_t port() const noexcept;
  const std::string& host() const noexcept;
  // What the system granted, as it counts: its own overhead is in these bytes.
  int send_buffer_bytes() const noexcept;
  int receive_buffer_bytes() const noexcept;

  // One recvmmsg; the datagrams are valid until the next call. Fewer than kDatagramsPerRead: there are no more now.
  std::span<Datagram> read(std::int64_t now_us, std::uint64_t realtime_ns);

 private:
  struct State;
  explicit UdpPort(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mediacore::io
