// How many packets a second leave one core: RTP, history, AES-128-GCM and the kernel's UDP, for some viewers at once?
//
//   bench_saturated [--json]
//
// The whole way out of one rendition as the loop's thread walks it: a frame of 8 payloads of 1200 bytes for each viewer's
// ViewerEgress, all into one SendBatch, flushed once a frame; pacing off, loopback, IPv4. The kernel delivers in the sender's
// context there, so its work for the receiver is in the figures; what arrives is read by another thread. The peer has what
// is usual: the same packets, a sendto for each.
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include "core/egress/viewer_egress.hpp"
#include "io/send_batch.hpp"
#include "io/socket_address.hpp"
#include "io/udp_port.hpp"
#include "race.hpp"

namespace mediacore::benchmarks {
namespace {

constexpr std::size_t kPayloadBytes = 1200;
constexpr std::size_t kFramePackets = 8;
constexpr std::size_t kFrames = 32;
constexpr std::int64_t kFrameUs = 1'000;

io::UdpPort open_port() {
  std::error_code error;
  auto port = io::UdpPort::open("127.0.0.1", 0, 0, error);
  if (!port) throw std::system_error(error, "127.0.0.1");
  return std::move(*port);
}

// Places; what comes to them is read by a thread of their own.
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
        packets.fetch_add(read, std::memory_order_relaxed);  // a sum; nothing is published with it
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

// sendto for each packet.
class OneByOne final : public egress::PacketSink {
 public:
  void to(const ice::Endpoint& place) { size_ = io::to_socket_address(place, address_); }
  std::uint8_t* reserve(std::size_t capacity) override {
    if (capacity > sizeof packet_) throw std::runtime_error("packet too large");
    return packet_;
  }
  void commit(std::size_t size) override {
    if (size == 0) return;
    const auto sent = sendto(port_.descriptor(), packet_, size, 0, &address_.any, size_);
    if (sent != static_cast<ssize_t>(size)) throw std::runtime_error("not sent");
  }
  void flush() {}

 private:
  io::UdpPort port_ = open_port();
  io::SocketAddress address_;
  socklen_t size_ = 0;
  std::uint8_t packet_[1500] = {};
};

class Batch final : public egress::PacketSink {
 public:
  explicit Batch(bool gso) : batch_({port_.descriptor()}, gso) {}
  void to(const ice::Endpoint& place) { batch_.to(place); }
  std::uint8_t* reserve(std::size_t capacity) override { return batch_.reserve(capacity); }
  void commit(std::size_t size) override { batch_.commit(size); }
  void flush() {
    if (!batch_.flush() || batch_.stats().dropped_error > 0) throw std::runtime_error("not sent");
  }

 private:
  io::UdpPort port_ = open_port();
  io::SendBatch batch_;
};

egress::EgressConfig config() {
  egress::EgressConfig made;
  made.video.ssrc = 1;
  made.video.payload_type = 102;
  made.video.mid.assign(1, '0');  // GCC 12 warns of a literal here
  made.video.rtx = egress::Rtx{2, 103, 0};
  for (std::uint8_t id = 0;
       const auto kind :
       {rtp::ExtensionKind::mid, rtp::ExtensionKind::abs_send_time, rtp::ExtensionKind::transport_sequence_number,
        rtp::ExtensionKind::playout_delay, rtp::ExtensionKind::abs_capture_time}) {
    made.extensions[kind] = ++id;
  }
  made.cname = "bench";
  made.send.profile = made.receive.profile = srtp::Profile::aead_aes_128_gcm;
  made.send.key.fill(7);
  made.send.salt.fill(9);
  made.receive = made.send;
  made.pacing.enabled = false;
  return made;
}

// Viewers of one rendition, and what they send by.
template <class Sink>
class Fan {
 public:
  template <class... Arguments>
  explicit Fan(const std::vector<ice::Endpoint>& places, Arguments... arguments)
      : sink_(arguments...), places_(places) {
    for (std::size_t i = 0; i < places.size(); ++i) viewers_.emplace_back(config(), egress::Now{});
    for (std::size_t i = 0; i < kFrames; ++i) {
      auto frame = std::make_shared<egress::Frame>();
      for (std::size_t packet = 0; packet < kFramePackets; ++packet) {
        std::memset(frame->payloads.add(kPayloadBytes), static_cast<int>(i), kPayloadBytes);
      }
      frame->is_key = i == 0;
      frames_.push_back(std::move(frame));
    }
  }

  void frame() {
    const egress::FrameRef& frame = frames_[next_++ % kFrames];
    now_us_ += kFrameUs;
    const egress::Now now{now_us_, static_cast<std::uint64_t>(now_us_) << 12};
    for (std::size_t i = 0; i < viewers_.size(); ++i) {
      sink_.to(places_[i]);
      viewers_[i].send(frame, now);
      viewers_[i].poll(now, sink_);
    }
    sink_.flush();
  }

 private:
  Sink sink_;
  const std::vector<ice::Endpoint>& places_;
  std::vector<egress::ViewerEgress> viewers_;
  std::vector<egress::FrameRef> frames_;
  std::size_t next_ = 0;
  std::int64_t now_us_ = 0;
};

template <class Sink>
void check(Receivers& receivers, Fan<Sink>& fan) {
  const std::size_t wanted = receivers.packets + receivers.places.size() * kFramePackets;
  fan.frame();
  for (int patience = 0; receivers.packets < wanted && patience < 2000; ++patience) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (receivers.packets < wanted) throw std::runtime_error("packets were lost on loopback");
}

Report measure(std::size_t count) {
  Receivers receivers(count);
  Fan<Batch> gso(receivers.places, true);
  Fan<Batch> together(receivers.places, false);
  Fan<OneByOne> one_by_one(receivers.places);
  check(receivers, gso);
  check(receivers, together);
  check(receivers, one_by_one);
  const auto packets = static_cast<double>(count * kFramePackets);
  return race("AES-128-GCM to " + std::to_string(count) + (count == 1 ? " viewer" : " viewers"), "packet",
              {{"mediacore, GSO", [&] { gso.frame(); }, packets},
               {"mediacore, sendmmsg", [&] { together.frame(); }, packets},
               {"the same, sendto", [&] { one_by_one.frame(); }, packets}});
}

}  // namespace
}  // namespace mediacore::benchmarks

int main(int argc, char** argv) {
  try {
    using namespace mediacore::benchmarks;
    const bool json = argc > 1 && std::string_view(argv[1]) == "--json";
    const std::vector<Report> reports{measure(1), measure(16), measure(64)};
    print(reports, json);
    if (!json) {
      for (const Report& report : reports) {
        std::printf("%s: %.0f packets a second of one core's time\n", report.title.c_str(),
                    1e9 / report.outcomes.front().ns);
      }
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
