// What does it cost to send a frame to one viewer and to many: a system call for each packet, one for all, or GSO?
//
//   bench_send [--json]
//
// Over the loopback interface, IPv4: packets of one frame for each of some places, one socket of ours. The time is that of
// the sending thread, which on loopback does the receiver's share of the kernel's work too; another thread reads what
// arrives. That all of it arrives is looked at first.
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "io/send_batch.hpp"
#include "io/socket_address.hpp"
#include "io/udp_port.hpp"
#include "race.hpp"

namespace mediacore::benchmarks {
namespace {

constexpr std::size_t kPacketBytes = 1200;
constexpr std::size_t kPacketsPerFrame = 8;  // 2.4 Mb/s at 30 frames a second

io::UdpPort open_port() {
  std::error_code error;
  auto port = io::UdpPort::open("127.0.0.1", 0, 0, error);
  if (!port) throw std::system_error(error, "127.0.0.1");
  return std::move(*port);
}

// Places that are read by a thread of their own.
class Receivers {
 public:
  explicit Receivers(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      ports_.push_back(open_port());
      places.push_back(io::endpoint_of("127.0.0.1", ports_.back().port(), 0).value_or(ice::Endpoint()));
    }
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        std::size_t read = 0;
        for (io::UdpPort& port : ports_) read += port.read(0, 0).size();
        packets.fetch_add(read, std::memory_order_relaxed);  // a sum that is waited for; nothing is published with it
        if (read == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
    });
  }

  std::vector<ice::Endpoint> places;
  std::atomic<std::size_t> packets = 0;

 private:
  std::vector<io::UdpPort> ports_;
  std::jthread thread_;  // the last member: it ends first
};

// A frame for each place, by one call for each packet.
class OneByOne {
 public:
  explicit OneByOne(const std::vector<ice::Endpoint>& places) {
    for (const ice::Endpoint& place : places) sizes_.push_back(io::to_socket_address(place, addresses_.emplace_back()));
  }

  void send(const std::uint8_t* payload) {
    for (std::size_t i = 0; i < addresses_.size(); ++i) {
      for (std::size_t k = 0; k < kPacketsPerFrame; ++k) {
        std::memcpy(packet_, payload, kPacketBytes);
        const auto sent = sendto(port_.descriptor(), packet_, kPacketBytes, 0, &addresses_[i].any, sizes_[i]);
        if (sent != static_cast<ssize_t>(kPacketBytes)) throw std::runtime_error("not sent");
      }
    }
  }

 private:
  io::UdpPort port_ = open_port();
  std::vector<io::SocketAddress> addresses_;
  std::vector<socklen_t> sizes_;
  std::uint8_t packet_[kPacketBytes] = {};
};

class Batch {
 public:
  Batch(const std::vector<ice::Endpoint>& places, bool gso) : places_(places), batch_({port_.descriptor()}, gso) {}

  void send(const std::uint8_t* payload) {
    for (const ice::Endpoint& place : places_) {
      batch_.to(place);
      for (std::size_t k = 0; k < kPacketsPerFrame; ++k) {
        std::memcpy(batch_.reserve(kPacketBytes), payload, kPacketBytes);
        batch_.commit(kPacketBytes);
      }
    }
    if (!batch_.flush() || batch_.stats().dropped_error > 0) throw std::runtime_error("not sent");
  }

 private:
  io::UdpPort port_ = open_port();
  const std::vector<ice::Endpoint>& places_;
  io::SendBatch batch_;
};

template <class Sender>
void check(Receivers& receivers, Sender& sender, const std::uint8_t* payload) {
  const std::size_t wanted = receivers.packets + receivers.places.size() * kPacketsPerFrame;
  sender.send(payload);
  for (int patience = 0; receivers.packets < wanted && patience < 2000; ++patience) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (receivers.packets != wanted) throw std::runtime_error("packets were lost on loopback");
}

Report measure(std::size_t count) {
  static const std::vector<std::uint8_t> payload(kPacketBytes, 7);
  Receivers receivers(count);
  OneByOne one_by_one(receivers.places);
  Batch together(receivers.places, false);
  Batch gso(receivers.places, true);
  check(receivers, one_by_one, payload.data());
  check(receivers, together, payload.data());
  check(receivers, gso, payload.data());
  const auto packets = static_cast<double>(count * kPacketsPerFrame);
  return race("A frame of 8 packets for " + std::to_string(count) + (count == 1 ? " place" : " places"), "packet",
              {{"sendto", [&] { one_by_one.send(payload.data()); }, packets},
               {"SendBatch, sendmmsg", [&] { together.send(payload.data()); }, packets},
               {"SendBatch, GSO", [&] { gso.send(payload.data()); }, packets}});
}

}  // namespace
}  // namespace mediacore::benchmarks

int main(int argc, char** argv) {
  try {
    const bool json = argc > 1 && std::string_view(argv[1]) == "--json";
    mediacore::benchmarks::print({mediacore::benchmarks::measure(1), mediacore::benchmarks::measure(16)}, json);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
