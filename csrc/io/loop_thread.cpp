#include "io/loop_thread.hpp"

#include <pthread.h>

#include <algorithm>
#include <ctime>
#include <exception>
#include <utility>

#include "io/signal_mask.hpp"

namespace mediacore::io {
namespace {

constexpr std::uint64_t kCommandsTag = std::uint64_t{1} << 63;

}  // namespace

LoopThread::LoopThread(const Audience::Settings& settings, std::vector<UdpPort> ports, EventQueue& events)
    : settings_(settings),
      wake_(events),
      intake_(renditions_, poller_),
      audience_(settings, std::move(ports), renditions_, poller_) {
  poller_.add_signal(commands_.descriptor(), kCommandsTag);
}

LoopThread::~LoopThread() {
  stop();
}

void LoopThread::start() {
  {
    const SignalMask masked;
    thread_ = std::thread([this] { run(); });
  }
  pthread_setname_np(thread_.native_handle(), "mediacore-loop");
  running_ = pthread_getcpuclockid(thread_.native_handle(), &cpu_clock_) == 0;
}

void LoopThread::stop() {
  if (!thread_.joinable()) return;
  running_ = false;
  stopping_.store(true, std::memory_order_release);
  commands_.wake();
  thread_.join();
}

std::uint64_t LoopThread::cpu_ns() const noexcept {
  timespec time{};
  if (!running_ || clock_gettime(cpu_clock_, &time) != 0) return 0;
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

void LoopThread::run() noexcept {
  wake_.now = now();
  while (!stopping_.load(std::memory_order_acquire)) {
    try {
      turn(poller_.wait(deadline_us(), sources_from_us_));
    } catch (const std::exception&) {
      ++figures_.faults;  // of no object that is known: what is left undone is done in the next turn
    }
  }
  try {
    audience_.say_bye(wake_);
  } catch (const std::exception&) {
    ++figures_.faults;
  }
}

void LoopThread::turn(std::span<const epoll_event> ready) {
  wake_.now = now();
  ++figures_.wake_ups;
  const std::uint64_t readings = intake_.readings();
  carry_out_commands();
  read_sockets(ready);
  for (const epoll_event& event : ready) {
    if ((event.data.u64 & (kCommandsTag | Audience::kSocketTag)) != 0) continue;
    intake_.read(event.data.u64, poller_.held_back(), wake_);
  }
  intake_.pause(wake_);
  if (crowd_.is_there() && intake_.readings() != readings) sources_from_us_ = wake_.now.us + kCrowdUs;
  take_due();
  if (wake_.now.us >= tick_us_) tick();
  audience_.send(wake_);
  publish();
}

void LoopThread::read_sockets(std::span<const epoll_event> ready) {
  for (const epoll_event& event : ready) {
    if ((event.data.u64 & kCommandsTag) != 0 || (event.data.u64 & Audience::kSocketTag) == 0) continue;
    if ((event.events & EPOLLOUT) != 0) audience_.flush();
    if ((event.events & ~std::uint32_t{EPOLLOUT}) == 0) continue;
    audience_.read(static_cast<std::uint16_t>(event.data.u64 & ~Audience::kSocketTag), wake_);
  }
}

void LoopThread::take_due() {
  for (auto& [id, target] : renditions_) {
    try {
      target.take_due(wake_.now.us + settings_.coalesce_us, wake_);
    } catch (const std::exception&) {
      ++figures_.faults;
      target.lose_unit(wake_);
    }
  }
}

std::int64_t LoopThread::deadline_us() const noexcept {
  const std::int64_t pause_us = std::max(intake_.deadline_us(), sources_from_us_);
  std::int64_t first = std::min({pause_us, audience_.deadline_us(), tick_us_});
  for (const auto& [id, rendition] : renditions_) first = std::min(first, rendition.due_us().value_or(kNever));
  return first;
}

void LoopThread::tick() {
  for (auto& [id, rendition] : renditions_) rendition.measure(wake_);
  audience_.tend(wake_);
  crowd_.observe(intake_.take_activity());
  const bool idle = renditions_.empty() && audience_.empty();
  tick_us_ = idle ? kNever : (wake_.now.us / kTickUs + 1) * kTickUs;
}

void LoopThread::publish() noexcept {
  ThreadFigures figures = figures_;
  const Audience::Figures& audience = audience_.figures();
  figures.datagrams_in = audience.datagrams_in;
  figures.rtp_in = audience.rtp_in;
  figures.no_keys = audience.no_keys;
  figures.rtcp_refused = audience.rtcp_refused;
  figures.rtcp_limited = audience.rtcp_limited;
  figures.faults += audience.faults + intake_.faults();
  figures.demux = audience_.demux_stats();
  figures.send = audience_.send_stats();
  figures_shared_.write(figures);
}

// ---------------------------------------------------------------------------------------------- commands

void LoopThread::carry_out_commands() {
  commands_.take(taken_);
  for (Command& command : taken_) {
    ++figures_.commands;
    try {
      std::visit([this](auto& one) { carry_out(one); }, command);
    } catch (const std::exception& error) {
      tell_fault(error.what());
    }
  }
  taken_.clear();
  if (tick_us_ == kNever && !(renditions_.empty() && audience_.empty())) tick_us_ = wake_.now.us + kTickUs;
}

void LoopThread::tell_fault(const char* what) noexcept {
  ++figures_.faults;
  try {
    wake_.events.post(Done{.token = 0, .error = what});
  } catch (const std::exception&) {
    ++figures_.faults;  // the count has to do
  }
}

Rendition* LoopThread::rendition(Id id) noexcept {
  const auto found = renditions_.find(id);
  return found != renditions_.end() ? &found->second : nullptr;
}

void LoopThread::carry_out(AddRendition& command) {
  renditions_.try_emplace(command.id, command);
}

void LoopThread::carry_out(Push& command) {
  Rendition* const target = rendition(command.rendition);
  if (target == nullptr) return;
  try {
    target->push(std::move(command), wake_);
  } catch (const std::exception&) {
    ++figures_.faults;
    target->lose_unit(wake_);
  }
}

void LoopThread::carry_out(Describe& command) {
  if (Rendition* const target = rendition(command.rendition)) target->describe(command);
}

void LoopThread::carry_out(NewEpoch& command) {
  if (Rendition* const target = rendition(command.rendition)) target->new_epoch();
}

void LoopThread::carry_out(KeyFrameUnavailable& command) {
  if (Rendition* const target = rendition(command.rendition)) target->key_frame_unavailable(wake_);
}

void LoopThread::carry_out(RequestKeyFrame& command) {
  if (Rendition* const target = rendition(command.rendition)) target->want_key_frame(wake_);
}

void LoopThread::carry_out(AddSource& command) {
  intake_.add(std::move(command), wake_);
}
void LoopThread::carry_out(AddViewer& command) {
  audience_.add(command, wake_);
}
void LoopThread::carry_out(SendDatagram& command) {
  audience_.send_datagram(command, wake_);
}
void LoopThread::carry_out(AddRelaySocket& command) {
  audience_.add_socket(std::move(command));
}
void LoopThread::carry_out(AddRelay& command) {
  audience_.add_relay(command);
}
void LoopThread::carry_out(BindChannel& command) {
  audience_.bind(command);
}
void LoopThread::carry_out(StartViewer& command) {
  audience_.start(command, wake_);
}
void LoopThread::carry_out(Attach& command) {
  audience_.attach(command, wake_);
}
void LoopThread::carry_out(Detach& command) {
  audience_.detach(command.viewer, wake_);
}
void LoopThread::carry_out(SetPacing& command) {
  audience_.set_pacing(command, wake_);
}

void LoopThread::carry_out(AddTap& command) {
  if (Rendition* const target = rendition(command.rendition)) {
    target->add_tap(command.id, std::move(command.tap), command.replay, wake_);
  } else {
    wake_.events.post(TapEnded{command.id});
  }
}

bool LoopThread::remove_rendition(Id id) {
  Rendition* const target = rendition(id);
  if (target == nullptr) return false;
  intake_.end_all_of(id, wake_);
  audience_.leave(*target, wake_);
  for (const Rendition::NamedTap& tap : target->taps()) wake_.events.post(TapEnded{tap.id});
  renditions_.erase(id);
  return true;
}

void LoopThread::carry_out(Remove& command) {
  Done done{.token = command.token, .error = {}};
  try {
    remove(command.id);
  } catch (const std::exception& error) {
    ++figures_.faults;
    done.error = error.what();
  }
  if (command.token != 0) wake_.events.post(std::move(done));
}

void LoopThread::remove(Id id) {
  if (intake_.remove(id) || audience_.remove(id, wake_) || remove_rendition(id)) return;
  for (auto& [of, target] : renditions_) {
    if (target.remove_tap(id)) return;
  }
}

}  // namespace mediacore::io
