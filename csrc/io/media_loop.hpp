// The media loop: threads that read sources and talk to viewers. This is its front: ids, and the way to the threads.
//
// Guarantees: no call waits for a thread of the loop (`close` joins them, and the destructor closes). Ids are never used
//   again. Commands to one object are carried out in the order of the calls. `remove` is answered by Done also when
//   there was nothing to remove; the id stands for nothing from the call on.
// Policy: what an id no longer stands for is ignored by commands; figures of such an id are none. A full command queue
//   throws QueueFull. After `close` everything throws LoopClosed.
// Bounds: commands and events by their queues, units ahead of their time by kUnitsAhead and kBytesAhead per rendition.
// Threads: any, except that the destructor must be the last call.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "core/egress/viewer_egress.hpp"
#include "core/sessions/session_map.hpp"
#include "io/event_queue.hpp"
#include "io/figures.hpp"
#include "io/loop_thread.hpp"
#include "io/tap.hpp"
#include "io/unit.hpp"

namespace mediacore::io {

class LoopClosed : public std::runtime_error {
 public:
  LoopClosed() : std::runtime_error("the media loop is closed") {}
};

class QueueFull : public std::runtime_error {
 public:
  QueueFull() : std::runtime_error("the media loop has too many commands waiting") {}
};

class TooMany : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class MediaLoop {
 public:
  static constexpr std::size_t kUnitsAhead = 4096;                   // two minutes at 30 per second
  static constexpr std::size_t kBytesAhead = std::size_t{16} << 20;  // 16 s at 8 Mb/s
  static constexpr std::size_t kMaxThreads = 64;
  static constexpr std::size_t kDatagramBytes = 2048;  // no STUN or DTLS message is larger than an Ethernet frame
  static constexpr std::size_t kRelaySockets = 4;      // per viewer
  static constexpr std::uint16_t kFirstRelaySocket = 0x8000;

  struct Settings {
    std::vector<std::string> addresses;  // none: no viewers, taps alone
    std::size_t threads = 1;
    std::uint16_t port = 0;       // 0: any free one
    std::uint16_t last_port = 0;  // 0: none but `port`
    std::int64_t coalesce_us = 1000;
    bool gso = true;
    // Whose viewers are let in, and noted to be active: see core/ice/demultiplexer.hpp. None: all are let in.
    std::shared_ptr<const sessions::SessionMap> sessions = nullptr;
  };

  struct SocketName {
    std::string host;
    std::uint16_t port;
  };

  struct ViewerState {
    ViewerFigures figures;
    std::int64_t silent_us = -1;  // since the last authenticated message; -1: there was none
    Delays::Figures handed;
    Delays::Figures arrival;
    Delays::Figures nack;
    std::uint64_t datagrams_up = 0;
    std::uint64_t quota_drops = 0;
  };

  struct Figures {
    ThreadFigures threads;  // summed
    std::uint64_t cpu_ns = 0;
    std::size_t commands_queued = 0;
    std::uint64_t commands_refused = 0;
    EventQueue::Figures events;
  };

  // Throws std::system_error, with the address in its text, if a socket cannot be opened; std::invalid_argument.
  explicit MediaLoop(const Settings& settings);
  MediaLoop(const MediaLoop&) = delete;
  MediaLoop& operator=(const MediaLoop&) = delete;
  ~MediaLoop();

  void close();
  int event_descriptor() const;
  std::size_t threads() const noexcept { return places_.size(); }
  std::vector<SocketName> sockets(std::size_t thread) const;  // std::out_of_range
  std::vector<Event> take_events();

  // `beside`: a rendition whose thread it shall have; 0: the least loaded one.
  Id add_rendition(Codec codec, std::size_t replay_bytes, std::size_t gop_bytes, Id beside);
  std::optional<std::size_t> thread_of(Id rendition) const;
  // False: too much is ahead.
  bool push(Id rendition, Unit&& unit, std::int64_t due_us);
  void describe(Id rendition, std::uint32_t width, std::uint32_t height);
  void new_epoch(Id rendition);
  void key_frame_unavailable(Id rendition);
  void request_key_frame(Id rendition);

  // The descriptor is the loop's from now on; but the caller's still if this throws.
  Id add_source(Id rendition, int socket, std::int64_t idle_us, Id learnt_from);

  Id add_viewer(Id rendition, std::string ufrag, std::string password, std::int64_t quiet_us, std::int64_t silent_us);
  // STUN, DTLS or TURN. False: no such viewer, too many commands wait, or it is too large.
  bool send_datagram(Id viewer, const ice::Endpoint& to, std::span<const std::uint8_t> data);
  // A socket bound to `host`, for the viewer's traffic with this TURN server alone; closed with the viewer. Throws
  // std::system_error if it cannot be opened, TooMany when the viewer has kRelaySockets, std::invalid_argument for no
  // address; none: there is no such viewer.
  struct RelaySocket {
    std::uint16_t index;
    std::uint16_t port;
  };
  std::optional<RelaySocket> open_relay_socket(Id viewer, const std::string& host, ice::Endpoint server);
  void add_relay(Id viewer, const ice::Endpoint& server);
  void bind_channel(Id viewer, const ice::Endpoint& server, const ice::Endpoint& peer);
  void start_viewer(Id viewer, const egress::EgressConfig& config);
  // std::invalid_argument: another thread's rendition, or audio for video.
  void attach(Id viewer, Id video, Id audio);
  void detach(Id viewer);
  void set_pacing(Id viewer, const egress::Pacing& pacing);

  Id add_tap(Id rendition, std::size_t capacity, bool replay);
  // None: there is no such tap.
  std::optional<std::vector<UnitRef>> take_packets(Id tap, std::size_t max_count);

  // Token 0: nobody waits.
  void remove(Id id, std::uint64_t token);

  std::optional<RenditionFigures> rendition_figures(Id id) const;
  std::optional<SourceFigures> source_figures(Id id) const;
  std::optional<ViewerState> viewer_figures(Id id) const;
  std::optional<Destination> destination(Id id) const;
  std::optional<TapFigures> tap_figures(Id id) const;
  Figures figures() const;

 private:
  struct RenditionEntry {
    std::shared_ptr<RenditionShared> shared;
    Codec codec;
  };

  struct SourceEntry {
    std::shared_ptr<SourceShared> shared;
    Id rendition;
  };

  struct ViewerEntry {
    std::shared_ptr<ViewerShared> shared;
    std::vector<std::uint16_t> relay_sockets;
  };

  // A thread, and what is known of it here.
  struct Place {
    std::unique_ptr<LoopThread> thread;
    std::vector<SocketName> sockets;
    std::size_t load = 0;  // renditions and viewers
    std::vector<std::uint16_t> free_relay_sockets;
    std::uint32_t next_relay_socket = kFirstRelaySocket;
  };

  struct Entry {
    std::size_t thread;
    std::variant<RenditionEntry, SourceEntry, ViewerEntry, std::shared_ptr<Tap>> object;
  };

  using ReadLock = std::shared_lock<std::shared_mutex>;
  using WriteLock = std::unique_lock<std::shared_mutex>;

  static std::vector<UdpPort> open_ports(const Settings& settings, std::uint16_t& next_port);

  template <class Lock>
  Lock locked() const;
  const Entry* find(Id id) const noexcept;
  template <class Object>
  const Object* find_object(Id id) const noexcept;
  std::size_t thread_for(Id rendition) const noexcept;
  std::size_t least_loaded() const noexcept;
  Id add(const Entry& entry, Command& command, const WriteLock& lock);
  void send(std::size_t thread, Command& command, bool can_wait = false) const;
  void send_to(Id id, Command command) const;
  void check_same_thread(const Entry& viewer, Id rendition, bool audio) const;
  void forget(Id id);
  bool counts_as_load(const Entry& entry) const noexcept;

  EventQueue events_;
  std::mutex closing_;
  // What follows. The threads never take it: nobody who was interrupted while holding it can hold them up.
  mutable std::shared_mutex mutex_;
  bool closed_ = false;
  Id last_id_ = 0;
  std::unordered_map<Id, Entry> entries_;
  std::vector<Place> places_;  // by thread
  mutable std::atomic<std::uint64_t> refused_{0};
};

}  // namespace mediacore::io
