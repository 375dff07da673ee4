#include "io/udp_port.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "io/arrival.hpp"
#include "io/socket_address.hpp"

namespace mediacore::io {

namespace {

// Errors of former datagrams wait in the socket one at a time; a reader that finds more goes on at its next read.
constexpr int kReadAttempts = 4;

// Datagrams may wait in the socket while the thread is held up, and their times measure round trips; a clock that is set
// costs one such measurement.
constexpr std::int64_t kOldestArrivalUs = 5'000'000;

bool set(int descriptor, int level, int name, int value) noexcept {
  return setsockopt(descriptor, level, name, &value, sizeof value) == 0;
}

int get(int descriptor, int level, int name) noexcept {
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(descriptor, level, name, &value, &size) == 0 ? value : 0;
}

// The first may pass the system's limit, and needs a privilege.
void raise_buffer(int descriptor, int forced, int plain) noexcept {
  if (!set(descriptor, SOL_SOCKET, forced, kSocketBufferBytes)) set(descriptor, SOL_SOCKET, plain, kSocketBufferBytes);
}

// What the socket works without is not insisted on.
void set_options(int descriptor, bool ipv4) noexcept {
  raise_buffer(descriptor, SO_SNDBUFFORCE, SO_SNDBUF);
  raise_buffer(descriptor, SO_RCVBUFFORCE, SO_RCVBUF);
  stamp_arrivals(descriptor);
  if (ipv4) {
    set(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
  } else {
    set(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
  }
}

// Closes what it holds.
class Descriptor {
 public:
  explicit Descriptor(int descriptor) noexcept : descriptor_(descriptor) {}
  Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  int get() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

std::error_code last_error() noexcept {
  return {errno, std::system_category()};
}

}  // namespace

std::optional<ice::Endpoint> endpoint_of(const std::string& host, std::uint16_t port, std::uint16_t socket) noexcept {
  SocketAddress address{};
  if (inet_pton(AF_INET, host.c_str(), &address.v4.sin_addr) == 1) {
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = htons(port);
  } else if (inet_pton(AF_INET6, host.c_str(), &address.v6.sin6_addr) == 1) {
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_port = htons(port);
  } else {
    return std::nullopt;
  }
  return to_endpoint(address, socket);
}

std::string host_of(const ice::Endpoint& endpoint) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  SocketAddress address{};
  to_socket_address(endpoint, address);
  const void* const bytes = endpoint.is_ipv4() ? static_cast<const void*>(&address.v4.sin_addr)
                                               : static_cast<const void*>(&address.v6.sin6_addr);
  inet_ntop(address.any.sa_family, bytes, text.data(), text.size());
  return text.data();
}

struct UdpPort::State {
  State(Descriptor opened, std::string local_host, std::uint16_t index)
      : socket(std::move(opened)),
        socket_index(index),
        host(std::move(local_host)),
        block(std::make_unique_for_overwrite<std::uint8_t[]>(kDatagramBytes * kDatagramsPerRead)) {
    for (std::size_t i = 0; i < kDatagramsPerRead; ++i) pieces[i] = {block.get() + i * kDatagramBytes, kDatagramBytes};
  }

  void prepare() noexcept {
    for (std::size_t i = 0; i < kDatagramsPerRead; ++i) {
      msghdr& header = headers[i].msg_hdr;
      header = {};
      header.msg_name = &addresses[i];
      header.msg_namelen = sizeof addresses[i];
      header.msg_iov = &pieces[i];
      header.msg_iovlen = 1;
      header.msg_control = &controls[i];
      header.msg_controllen = sizeof controls[i];
    }
  }

  Descriptor socket;
  std::uint16_t socket_index;
  std::uint16_t port = 0;
  std::string host;
  std::unique_ptr<std::uint8_t[]> block;
  std::array<iovec, kDatagramsPerRead> pieces{};
  std::array<mmsghdr, kDatagramsPerRead> headers{};
  std::array<SocketAddress, kDatagramsPerRead> addresses{};
  std::array<ArrivalControl, kDatagramsPerRead> controls{};
  std::array<Datagram, kDatagramsPerRead> datagrams{};
};

UdpPort::UdpPort(std::unique_ptr<State> state) : state_(std::move(state)) {}
UdpPort::UdpPort(UdpPort&&) noexcept = default;
UdpPort& UdpPort::operator=(UdpPort&&) noexcept = default;
UdpPort::~UdpPort() = default;

std::optional<UdpPort> UdpPort::open(const std::string& host, std::uint16_t port, std::uint16_t socket_index,
                                     std::error_code& error) {
  const auto local = endpoint_of(host, port, socket_index);
  if (!local) {
    error = std::make_error_code(std::errc::invalid_argument);
    return std::nullopt;
  }
  SocketAddress address{};
  socklen_t size = to_socket_address(*local, address);
  Descriptor socket(::socket(address.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) {
    error = last_error();
    return std::nullopt;
  }
  const int descriptor = socket.get();
  set_options(descriptor, local->is_ipv4());
  if ((!local->is_ipv4() && !set(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1)) ||
      bind(descriptor, &address.any, size) != 0 || getsockname(descriptor, &address.any, &size) != 0) {
    error = last_error();
    return std::nullopt;
  }
  error.clear();
  auto state = std::make_unique<State>(std::move(socket), host, socket_index);
  state->port = to_endpoint(address, socket_index).port;
  return UdpPort(std::move(state));
}

int UdpPort::descriptor() const noexcept {
  return state_->socket.get();
}
std::uint16_t UdpPort::port() const noexcept {
  return state_->port;
}
const std::string& UdpPort::host() const noexcept {
  return state_->host;
}
int UdpPort::send_buffer_bytes() const noexcept {
  return get(descriptor(), SOL_SOCKET, SO_SNDBUF);
}
int UdpPort::receive_buffer_bytes() const noexcept {
  return get(descriptor(), SOL_SOCKET, SO_RCVBUF);
}

std::span<UdpPort::Datagram> UdpPort::read(std::int64_t now_us, std::uint64_t realtime_ns) {
  State& state = *state_;
  state.prepare();
  int received = -1;
  for (int attempt = 0; received < 0 && attempt < kReadAttempts; ++attempt) {
    received = recvmmsg(descriptor(), state.headers.data(), kDatagramsPerRead, MSG_DONTWAIT, nullptr);
    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
  }
  const std::size_t count = received > 0 ? static_cast<std::size_t>(received) : 0;
  for (std::size_t i = 0; i < count; ++i) {
    mmsghdr& message = state.headers[i];
    const bool cut = (message.msg_hdr.msg_flags & MSG_TRUNC) != 0;
    state.datagrams[i] = {{state.block.get() + i * kDatagramBytes, cut ? 0 : std::size_t{message.msg_len}},
                          to_endpoint(state.addresses[i], state.socket_index),
                          arrival_us(message.msg_hdr, now_us, realtime_ns, kOldestArrivalUs)};
  }
  return {state.datagrams.data(), count};
}

}  // namespace mediacore::io
