// One thread of the media loop: waits, and does in one wake-up all that is there to do.
//
// A wake-up: datagrams are read, commands carried out, sources read, pauses and pushes that are due taken; then everything
//   that is to be sent leaves in one flush. Pushes that are due within the coalescing time are served too (early is
//   harmless there), pauses of sources are not. What is only to be done some times per second shares one time, so that it
//   costs kTicks wake-ups however many viewers there are.
// A Crowd of sources is read at common times: a wake-up costs more than the unit that it is for. What is urgent
//   (datagrams, commands, paces) is not held up by that, and sources are read then as well.
// Policy: an exception (memory) ends the object that it concerns, with an event; the others go on. Nothing here waits for
//   anybody but the kernel. Signals are not delivered to the thread.
// fork: the child has no such thread, and nobody empties its queues; a loop is for the process that made it.
// Threads: `push`, `queued_commands`, `figures` and `cpu_ns` from any; the rest is the owner's.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "io/audience.hpp"
#include "io/command_queue.hpp"
#include "io/crowd.hpp"
#include "io/event_queue.hpp"
#include "io/intake.hpp"
#include "io/poller.hpp"
#include "io/rendition.hpp"
#include "io/snapshot.hpp"
#include "io/udp_port.hpp"

namespace mediacore::io {

class LoopThread {
 public:
  static constexpr std::int64_t kTickUs = 250'000;
  static constexpr std::int64_t kCrowdUs = 5'000;  // a crowd is read once in this time

  // Throws std::system_error.
  LoopThread(const Audience::Settings& settings, std::vector<UdpPort> ports, EventQueue& events);
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;
  // Stops it.
  ~LoopThread();

  void start();
  // BYE to all viewers; then joins, and closes the sources' sockets.
  void stop();

  // False: the queue is full, and the command is as it was.
  bool push(Command& command, bool can_wait = false) { return commands_.push(command, can_wait); }
  std::size_t queued_commands() const { return commands_.size(); }
  ThreadFigures figures() const noexcept { return figures_shared_.read(); }
  std::uint64_t cpu_ns() const noexcept;

 private:
  void run() noexcept;
  void turn(std::span<const epoll_event> ready);
  void read_sockets(std::span<const epoll_event> ready);
  void carry_out_commands();
  void tell_fault(const char* what) noexcept;
  void take_due();
  std::int64_t deadline_us() const noexcept;
  void tick();
  void publish() noexcept;

  void carry_out(AddRendition& command);
  void carry_out(Push& command);
  void carry_out(Describe& command);
  void carry_out(NewEpoch& command);
  void carry_out(KeyFrameUnavailable& command);
  void carry_out(RequestKeyFrame& command);
  void carry_out(AddSource& command);
  void carry_out(AddViewer& command);
  void carry_out(SendDatagram& command);
  void carry_out(AddRelaySocket& command);
  void carry_out(AddRelay& command);
  void carry_out(BindChannel& command);
  void carry_out(StartViewer& command);
  void carry_out(Attach& command);
  void carry_out(Detach& command);
  void carry_out(SetPacing& command);
  void carry_out(AddTap& command);
  void carry_out(Remove& command);
  void remove(Id id);
  bool remove_rendition(Id id);
  Rendition* rendition(Id id) noexcept;

  Audience::Settings settings_;
  CommandQueue commands_;
  Poller poller_;
  Wake wake_;
  Renditions renditions_;
  Intake intake_;
  Audience audience_;
  std::vector<Command> taken_;
  std::int64_t tick_us_ = kNever;
  std::int64_t sources_from_us_ = 0;  // no wake-up for sources before this time
  Crowd crowd_;
  ThreadFigures figures_;
  Snapshot<ThreadFigures> figures_shared_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> running_{false};
  clockid_t cpu_clock_{};
  std::thread thread_;
};

}  // namespace mediacore::io
