#include "io/media_loop.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "io/clock.hpp"

namespace mediacore::io {

// One port number for all addresses; a number that is taken on one of them is not used.
std::vector<UdpPort> MediaLoop::open_ports(const Settings& settings, std::uint16_t& next_port) {
  const std::uint16_t last_port = std::max(settings.port, settings.last_port);
  std::error_code error = std::make_error_code(std::errc::address_in_use);
  std::string where = "the ports up to " + std::to_string(last_port);
  while (settings.port == 0 || (next_port != 0 && next_port <= last_port)) {
    std::vector<UdpPort> ports;
    error.clear();
    for (const std::string& address : settings.addresses) {
      auto port = UdpPort::open(address, next_port, static_cast<std::uint16_t>(ports.size()), error);
      if (!port) {
        where = next_port != 0 ? address + " port " + std::to_string(next_port) : address;
        break;
      }
      ports.push_back(std::move(*port));
    }
    if (settings.port != 0) ++next_port;
    if (!error) return ports;
    if (settings.port == 0 || error != std::errc::address_in_use) break;
  }
  throw std::system_error(error, where);
}

MediaLoop::MediaLoop(const Settings& settings) {
  if (settings.threads == 0 || settings.threads > kMaxThreads) {
    throw std::invalid_argument("threads must be 1 to " + std::to_string(kMaxThreads));
  }
  const Audience::Settings of_thread{
      .coalesce_us = settings.coalesce_us, .gso = settings.gso, .sessions = settings.sessions};
  std::uint16_t next_port = settings.port;
  for (std::size_t i = 0; i < settings.threads; ++i) {
    Place& place = places_.emplace_back();
    std::vector<UdpPort> ports = open_ports(settings, next_port);
    for (const UdpPort& port : ports) place.sockets.push_back({port.host(), port.port()});
    place.thread = std::make_unique<LoopThread>(of_thread, std::move(ports), events_);
  }
  for (const Place& place : places_) place.thread->start();
}

MediaLoop::~MediaLoop() {
  close();
}

void MediaLoop::close() {
  const std::scoped_lock one_at_a_time(closing_);
  {
    const WriteLock lock(mutex_);
    if (closed_) return;
    closed_ = true;
  }
  for (const Place& place : places_) place.thread->stop();
  const WriteLock lock(mutex_);
  for (Place& place : places_) place.thread.reset();
  entries_.clear();
  events_.close();
}

template <class Lock>
Lock MediaLoop::locked() const {
  Lock lock(mutex_);
  if (closed_) throw LoopClosed();
  return lock;
}

int MediaLoop::event_descriptor() const {
  const auto lock = locked<ReadLock>();
  return events_.descriptor();
}

std::vector<MediaLoop::SocketName> MediaLoop::sockets(std::size_t thread) const {
  const auto lock = locked<ReadLock>();
  return places_.at(thread).sockets;
}

std::vector<Event> MediaLoop::take_events() {
  const auto lock = locked<ReadLock>();
  return events_.take();
}

// ---------------------------------------------------------------------------------------------- ids

const MediaLoop::Entry* MediaLoop::find(Id id) const noexcept {
  const auto found = entries_.find(id);
  return found != entries_.end() ? &found->second : nullptr;
}

template <class Object>
const Object* MediaLoop::find_object(Id id) const noexcept {
  const Entry* const entry = find(id);
  return entry != nullptr ? std::get_if<Object>(&entry->object) : nullptr;
}

// Of an id that no longer stands for anything: any thread, which will find nothing.
std::size_t MediaLoop::thread_for(Id rendition) const noexcept {
  const Entry* const entry = find(rendition);
  return entry != nullptr ? entry->thread : 0;
}

std::size_t MediaLoop::least_loaded() const noexcept {
  return static_cast<std::size_t>(std::ranges::min_element(places_, {}, &Place::load) - places_.begin());
}

bool MediaLoop::counts_as_load(const Entry& entry) const noexcept {
  return std::holds_alternative<RenditionEntry>(entry.object) || std::holds_alternative<ViewerEntry>(entry.object);
}

void MediaLoop::send(std::size_t thread, Command& command, bool can_wait) const {
  if (places_[thread].thread->push(command, can_wait)) return;
  refused_.fetch_add(1, std::memory_order_relaxed);
  throw QueueFull();
}

void MediaLoop::send_to(Id id, Command command) const {
  const auto lock = locked<ReadLock>();
  if (const Entry* const entry = find(id)) send(entry->thread, command);
}

Id MediaLoop::add(const Entry& entry, Command& command, const WriteLock&) {
  const Id id = last_id_;
  const auto place = entries_.emplace(id, entry).first;
  try {
    send(entry.thread, command);
  } catch (...) {
    entries_.erase(place);
    throw;
  }
  if (counts_as_load(entry)) ++places_[entry.thread].load;
  return id;
}

void MediaLoop::forget(Id id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Place& place = places_[found->second.thread];
  if (counts_as_load(found->second)) --place.load;
  if (const auto* const viewer = std::get_if<ViewerEntry>(&found->second.object)) {
    // Who gets them next asks for them behind this removal: the thread has closed them by then.
    place.free_relay_sockets.insert(place.free_relay_sockets.end(), viewer->relay_sockets.begin(),
                                    viewer->relay_sockets.end());
  }
  const bool rendition = std::holds_alternative<RenditionEntry>(found->second.object);
  entries_.erase(found);
  if (!rendition) return;
  std::erase_if(entries_, [id](const auto& entry) {
    const auto* const source = std::get_if<SourceEntry>(&entry.second.object);
    return source != nullptr && source->rendition == id;
  });
}

// ---------------------------------------------------------------------------------------------- renditions, sources

Id MediaLoop::add_rendition(Codec codec, std::size_t replay_bytes, std::size_t gop_bytes, Id beside) {
  const auto lock = locked<WriteLock>();
  auto shared = std::make_shared<RenditionShared>();
  const std::size_t thread = find(beside) != nullptr ? thread_for(beside) : least_loaded();
  Command command = AddRendition{
      .id = ++last_id_, .codec = codec, .replay_bytes = replay_bytes, .gop_bytes = gop_bytes, .shared = shared};
  return add({.thread = thread, .object = RenditionEntry{std::move(shared), codec}}, command, lock);
}

std::optional<std::size_t> MediaLoop::thread_of(Id rendition) const {
  const auto lock = locked<ReadLock>();
  const Entry* const entry = find(rendition);
  return entry != nullptr ? std::optional(entry->thread) : std::nullopt;
}

bool MediaLoop::push(Id id, Unit&& unit, std::int64_t due_us) {
  const auto lock = locked<ReadLock>();
  const auto* const rendition = find_object<RenditionEntry>(id);
  if (rendition == nullptr) return true;  // ignored, as every command to it
  Ahead& ahead = rendition->shared->ahead;
  const std::size_t bytes = unit.data.size();
  Command command = Push{.rendition = id, .unit = std::make_shared<Unit>(std::move(unit)), .due_us = due_us};
  if (!ahead.take(bytes, kUnitsAhead, kBytesAhead)) return false;
  // The thread has a tick several times before that: pictures that are pushed ahead of their time wake nobody.
  send(find(id)->thread, command, due_us > monotonic_us() + 2 * LoopThread::kTickUs);
  return true;
}

void MediaLoop::describe(Id rendition, std::uint32_t width, std::uint32_t height) {
  send_to(rendition, Describe{.rendition = rendition, .width = width, .height = height});
}

void MediaLoop::new_epoch(Id rendition) {
  send_to(rendition, NewEpoch{rendition});
}
void MediaLoop::key_frame_unavailable(Id rendition) {
  send_to(rendition, KeyFrameUnavailable{rendition});
}
void MediaLoop::request_key_frame(Id rendition) {
  send_to(rendition, RequestKeyFrame{rendition});
}

Id MediaLoop::add_source(Id rendition, int socket, std::int64_t idle_us, Id learnt_from) {
  const auto lock = locked<WriteLock>();
  auto shared = std::make_shared<SourceShared>();
  Command command = AddSource{.id = ++last_id_,
                              .rendition = rendition,
                              .socket = Descriptor(socket),
                              .idle_us = idle_us,
                              .learnt_from = learnt_from,
                              .shared = shared};
  const std::size_t thread = thread_for(rendition);
  try {
    return add({.thread = thread, .object = SourceEntry{std::move(shared), rendition}}, command, lock);
  } catch (...) {
    static_cast<void>(std::get<AddSource>(command).socket.release());
    throw;
  }
}

Id MediaLoop::add_tap(Id rendition, std::size_t capacity, bool replay) {
  const auto lock = locked<WriteLock>();
  auto tap = std::make_shared<Tap>(capacity);
  Command command = AddTap{.id = ++last_id_, .rendition = rendition, .tap = tap, .replay = replay};
  return add({.thread = thread_for(rendition), .object = std::move(tap)}, command, lock);
}

std::optional<std::vector<UnitRef>> MediaLoop::take_packets(Id id, std::size_t max_count) {
  const auto lock = locked<ReadLock>();
  const auto* const tap = find_object<std::shared_ptr<Tap>>(id);
  return tap != nullptr ? std::optional((*tap)->take(max_count)) : std::nullopt;
}

// ---------------------------------------------------------------------------------------------- viewers

Id MediaLoop::add_viewer(Id rendition, std::string ufrag, std::string password, std::int64_t quiet_us,
                         std::int64_t silent_us) {
  const auto lock = locked<WriteLock>();
  auto shared = std::make_shared<ViewerShared>();
  Command command = AddViewer{.id = ++last_id_,
                              .ufrag = std::move(ufrag),
                              .password = std::move(password),
                              .quiet_us = quiet_us,
                              .silent_us = silent_us,
                              .shared = shared};
  return add({.thread = thread_for(rendition), .object = ViewerEntry{std::move(shared), {}}}, command, lock);
}

bool MediaLoop::send_datagram(Id id, const ice::Endpoint& to, std::span<const std::uint8_t> data) {
  const auto lock = locked<ReadLock>();
  if (find_object<ViewerEntry>(id) == nullptr || data.size() > kDatagramBytes) return false;
  Command command = SendDatagram{.viewer = id, .to = to, .data = {data.begin(), data.end()}};
  if (places_[find(id)->thread].thread->push(command)) return true;
  refused_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

std::optional<MediaLoop::RelaySocket> MediaLoop::open_relay_socket(Id id, const std::string& host,
                                                                   ice::Endpoint server) {
  const auto lock = locked<WriteLock>();
  const auto found = entries_.find(id);
  auto* const viewer = found != entries_.end() ? std::get_if<ViewerEntry>(&found->second.object) : nullptr;
  if (viewer == nullptr) return std::nullopt;
  Place& place = places_[found->second.thread];
  const bool reuses = !place.free_relay_sockets.empty();
  if (viewer->relay_sockets.size() >= kRelaySockets || (!reuses && place.next_relay_socket > 0xffff)) {
    throw TooMany("the viewer, or all together, have too many sockets for relays");
  }
  const auto index = reuses ? place.free_relay_sockets.back() : static_cast<std::uint16_t>(place.next_relay_socket);
  std::error_code error;
  auto port = UdpPort::open(host, 0, index, error);
  if (!port) throw std::system_error(error, host);
  server.socket = index;
  const RelaySocket result{.index = index, .port = port->port()};
  viewer->relay_sockets.reserve(kRelaySockets);
  Command command = AddRelaySocket{.viewer = id, .port = std::move(*port), .socket = index, .server = server};
  send(found->second.thread, command);
  viewer->relay_sockets.push_back(index);
  if (reuses) {
    place.free_relay_sockets.pop_back();
  } else {
    ++place.next_relay_socket;
  }
  return result;
}

void MediaLoop::add_relay(Id viewer, const ice::Endpoint& server) {
  send_to(viewer, AddRelay{.viewer = viewer, .server = server});
}

void MediaLoop::bind_channel(Id viewer, const ice::Endpoint& server, const ice::Endpoint& peer) {
  send_to(viewer, BindChannel{.viewer = viewer, .server = server, .peer = peer});
}

void MediaLoop::start_viewer(Id viewer, const egress::EgressConfig& config) {
  send_to(viewer, StartViewer{.viewer = viewer, .config = std::make_unique<egress::EgressConfig>(config)});
}

void MediaLoop::check_same_thread(const Entry& viewer, Id id, bool audio) const {
  const auto* const rendition = find_object<RenditionEntry>(id);
  if (rendition == nullptr) return;
  if (is_audio(rendition->codec) != audio) throw std::invalid_argument("an audio rendition for video, or the reverse");
  if (find(id)->thread != viewer.thread) throw std::invalid_argument("the rendition is on another thread");
}

void MediaLoop::attach(Id viewer, Id video, Id audio) {
  const auto lock = locked<ReadLock>();
  const Entry* const entry = find(viewer);
  if (entry == nullptr) return;
  check_same_thread(*entry, video, false);
  check_same_thread(*entry, audio, true);
  Command command = Attach{.viewer = viewer, .video = video, .audio = audio};
  send(entry->thread, command);
}

void MediaLoop::detach(Id viewer) {
  send_to(viewer, Detach{viewer});
}

void MediaLoop::set_pacing(Id viewer, const egress::Pacing& pacing) {
  send_to(viewer, SetPacing{.viewer = viewer, .pacing = pacing});
}

void MediaLoop::remove(Id id, std::uint64_t token) {
  const auto lock = locked<WriteLock>();
  Command command = Remove{.id = id, .token = token};
  send(thread_for(id), command);
  forget(id);
}

// ---------------------------------------------------------------------------------------------- figures

std::optional<RenditionFigures> MediaLoop::rendition_figures(Id id) const {
  const auto lock = locked<ReadLock>();
  const auto* const found = find_object<RenditionEntry>(id);
  return found != nullptr ? std::optional(found->shared->figures.read()) : std::nullopt;
}

std::optional<SourceFigures> MediaLoop::source_figures(Id id) const {
  const auto lock = locked<ReadLock>();
  const auto* const found = find_object<SourceEntry>(id);
  return found != nullptr ? std::optional(found->shared->figures.read()) : std::nullopt;
}

std::optional<MediaLoop::ViewerState> MediaLoop::viewer_figures(Id id) const {
  const auto lock = locked<ReadLock>();
  const auto* const found = find_object<ViewerEntry>(id);
  if (found == nullptr) return std::nullopt;
  const ViewerShared& shared = *found->shared;
  ViewerState state;
  state.figures = shared.figures.read();
  if (state.figures.heard_us >= 0) state.silent_us = std::max<std::int64_t>(monotonic_us() - state.figures.heard_us, 0);
  state.handed = shared.handed.figures();
  state.arrival = shared.arrival.figures();
  state.nack = shared.nack.figures();
  state.datagrams_up = shared.datagrams_up.load(std::memory_order_relaxed);
  state.quota_drops = shared.quota_drops.load(std::memory_order_relaxed);
  return state;
}

std::optional<Destination> MediaLoop::destination(Id id) const {
  const auto lock = locked<ReadLock>();
  const auto* const found = find_object<ViewerEntry>(id);
  return found != nullptr ? std::optional(found->shared->destination.read()) : std::nullopt;
}

std::optional<TapFigures> MediaLoop::tap_figures(Id id) const {
  const auto lock = locked<ReadLock>();
  const auto* const found = find_object<std::shared_ptr<Tap>>(id);
  return found != nullptr ? std::optional((*found)->figures()) : std::nullopt;
}

MediaLoop::Figures MediaLoop::figures() const {
  const auto lock = locked<ReadLock>();
  Figures sum;
  for (const Place& place : places_) {
    sum.threads += place.thread->figures();
    sum.cpu_ns += place.thread->cpu_ns();
    sum.commands_queued += place.thread->queued_commands();
  }
  sum.commands_refused = refused_.load(std::memory_order_relaxed);
  sum.events = events_.figures();
  return sum;
}

}  // namespace mediacore::io
