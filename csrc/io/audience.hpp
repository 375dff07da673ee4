// The viewers of one loop thread: what they send (RTCP here, STUN and DTLS up to Python), and all that is sent to them.
//
// One wake-up: what the sockets have is read; at the end all viewers with something to send are polled, and everything
//   leaves in one flush. Answers to STUN leave at once.
// Policy: a viewer whose state cannot be kept (no memory) is given up, as if it had said BYE; the others go on. What is
//   paced may be late by the coalescing time, so that the viewers' paces share wake-ups.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/ice/demultiplexer.hpp"
#include "io/command.hpp"
#include "io/poller.hpp"
#include "io/rendition.hpp"
#include "io/send_batch.hpp"
#include "io/udp_port.hpp"
#include "io/viewer.hpp"
#include "io/wake.hpp"

namespace mediacore::io {

class Audience {
 public:
  // What the poller gives back for a socket: this bit, and its index.
  static constexpr std::uint64_t kSocketTag = std::uint64_t{1} << 62;
  static constexpr std::size_t kReadsPerTurn =
      16;  // 1024 datagrams: a flood on one socket keeps nobody waiting for long

  struct Settings {
    std::int64_t coalesce_us = 1000;
    bool gso = true;
    std::shared_ptr<const sessions::SessionMap> sessions = nullptr;  // none: every viewer is let in
  };

  struct Figures {
    std::uint64_t datagrams_in = 0;
    std::uint64_t rtp_in = 0;
    std::uint64_t no_keys = 0;
    std::uint64_t rtcp_refused = 0;
    std::uint64_t rtcp_limited = 0;
    std::uint64_t faults = 0;
  };

  // Throws std::system_error.
  Audience(const Settings& settings, std::vector<UdpPort> ports, Renditions& renditions, Poller& poller);

  void add(const AddViewer& command, Wake& wake);
  void send_datagram(const SendDatagram& command, Wake& wake);
  void add_socket(AddRelaySocket command);
  void add_relay(const AddRelay& command);
  void bind(const BindChannel& command);
  void start(const StartViewer& command, Wake& wake);
  void attach(const Attach& command, Wake& wake);
  void detach(Id viewer, Wake& wake);
  void set_pacing(const SetPacing& command, Wake& wake);
  // Says BYE. False: there is no such viewer.
  bool remove(Id viewer, Wake& wake);
  // Media of this rendition stops.
  void leave(Rendition& rendition, Wake& wake);

  // Reads a socket, and answers what is to be answered at once.
  void read(std::uint16_t socket, Wake& wake);

  // Polls whoever has something to send now, and sends it.
  void send(Wake& wake);
  // The sockets that were full have room.
  void flush();
  std::int64_t deadline_us() const noexcept;
  // Some times per second: reports, silence, kept wishes.
  void tend(Wake& wake);
  void say_bye(Wake& wake);

  bool empty() const noexcept { return viewers_.empty(); }
  const Figures& figures() const noexcept { return figures_; }
  const ice::DemuxStats& demux_stats() const noexcept { return demultiplexer_.stats(); }
  const SendStats& send_stats() const noexcept { return batch_.stats(); }

 private:
  struct Socket {
    UdpPort port;
    bool waited_for = false;  // it was full
  };

  Viewer* find(Id id) noexcept;
  Rendition* rendition(Id id) noexcept;
  void take(const UdpPort::Datagram& datagram, Wake& wake);
  void obey(const ice::Verdict& verdict, const UdpPort::Datagram& datagram, Wake& wake);
  void take_rtcp(Viewer& viewer, const ice::Verdict& verdict, const UdpPort::Datagram& datagram, Wake& wake);
  void hand_up(Viewer& viewer, const ice::Verdict& verdict, const UdpPort::Datagram& datagram, Wake& wake);
  void write(const ice::Endpoint& to, std::span<const std::uint8_t> datagram);
  void update_destination(Viewer& viewer, Wake& wake);
  void move_to(Id& place, Id rendition, Viewer& viewer, Wake& wake);
  void begin(Viewer& viewer, Wake& wake);
  void poll(Viewer& viewer, Wake& wake);
  void give_up(Viewer& viewer, Wake& wake) noexcept;
  void leave_all(Viewer& viewer) noexcept;
  void say_bye(Viewer& viewer, Wake& wake) noexcept;

  Settings settings_;
  Renditions& renditions_;
  Poller& poller_;
  ice::Demultiplexer demultiplexer_;
  SendBatch batch_;
  std::unordered_map<std::uint16_t, Socket> sockets_;  // by index
  std::unordered_map<Id, Viewer> viewers_;
  std::vector<Viewer*> paced_;  // with a deadline
  bool written_ = false;        // without a poll
  bool blocked_ = false;        // some socket was full
  Figures figures_;
};

}  // namespace mediacore::io
