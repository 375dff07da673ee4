#include "io/audience.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

namespace mediacore::io {
namespace {

std::vector<int> descriptors_of(const std::vector<UdpPort>& ports) {
  std::vector<int> descriptors;
  descriptors.reserve(ports.size());
  for (const UdpPort& port : ports) descriptors.push_back(port.descriptor());
  return descriptors;
}

// The next time of a grid.
constexpr std::int64_t on_grid(std::int64_t us, std::int64_t step_us) noexcept {
  return (us + step_us - 1) / step_us * step_us;
}

}  // namespace

Audience::Audience(const Settings& settings, std::vector<UdpPort> ports, Renditions& renditions, Poller& poller)
    : settings_(settings),
      renditions_(renditions),
      poller_(poller),
      demultiplexer_(settings.sessions.get()),
      batch_(descriptors_of(ports), settings.gso) {
  settings_.coalesce_us = std::max<std::int64_t>(settings_.coalesce_us, 1);
  for (std::size_t i = 0; i < ports.size(); ++i) {
    poller_.add(ports[i].descriptor(), kSocketTag | i);
    sockets_.emplace(static_cast<std::uint16_t>(i), Socket{std::move(ports[i])});
  }
}

Viewer* Audience::find(Id id) noexcept {
  const auto found = viewers_.find(id);
  return found != viewers_.end() ? &found->second : nullptr;
}

Rendition* Audience::rendition(Id id) noexcept {
  const auto found = renditions_.find(id);
  return found != renditions_.end() ? &found->second : nullptr;
}

// ---------------------------------------------------------------------------------------------- commands

void Audience::add(const AddViewer& command, Wake& wake) {
  if (!demultiplexer_.add(command.id, command.ufrag, command.password)) {
    wake.events.post(Done{.token = 0, .error = "the ufrag " + command.ufrag + " is taken"});
    return;
  }
  const Viewer::Settings settings{.id = command.id, .quiet_us = command.quiet_us, .silent_us = command.silent_us};
  viewers_.try_emplace(command.id, settings, command.shared);
}

void Audience::send_datagram(const SendDatagram& command, Wake& wake) {
  Viewer* const viewer = find(command.viewer);
  if (viewer == nullptr) return;
  // What is for a peer behind a TURN server goes through its channel.
  const auto channel = std::ranges::find(viewer->channels, command.to, &Viewer::Channel::peer);
  const ice::Endpoint to = channel != viewer->channels.end() ? channel->server : command.to;
  if (demultiplexer_.note_sent(viewer->id(), command.data, to, wake.now.us)) write(to, command.data);
}

void Audience::add_socket(AddRelaySocket command) {
  Viewer* const viewer = find(command.viewer);
  if (viewer == nullptr || !demultiplexer_.dedicate_socket(command.viewer, command.socket)) return;
  poller_.add(command.port.descriptor(), kSocketTag | command.socket);
  batch_.add_socket(command.socket, command.port.descriptor());
  sockets_.insert_or_assign(command.socket, Socket{std::move(command.port)});
  viewer->relay_sockets.push_back(command.socket);
  static_cast<void>(demultiplexer_.add_relay(command.viewer, command.server));
}

void Audience::add_relay(const AddRelay& command) {
  static_cast<void>(demultiplexer_.add_relay(command.viewer, command.server));
}

void Audience::bind(const BindChannel& command) {
  Viewer* const viewer = find(command.viewer);
  if (viewer == nullptr || !demultiplexer_.bind_channel(command.viewer, command.server, command.peer)) return;
  std::erase_if(viewer->channels, [&](const Viewer::Channel& channel) { return channel.server == command.server; });
  viewer->channels.push_back({command.server, command.peer});
}

void Audience::start(const StartViewer& command, Wake& wake) {
  Viewer* const viewer = find(command.viewer);
  if (viewer == nullptr || viewer->started()) return;
  viewer->start(*command.config, wake.now);
  demultiplexer_.set_handing_up(viewer->id(), false);
  begin(*viewer, wake);
}

// Media begins when there are keys, a destination, and something to watch; whichever comes last.
void Audience::begin(Viewer& viewer, Wake& wake) {
  if (viewer.begun || !viewer.live() || (viewer.video == 0 && viewer.audio == 0)) return;
  viewer.begun = true;
  if (Rendition* const video = rendition(viewer.video)) video->begin(viewer, wake);
}

void Audience::move_to(Id& place, Id id, Viewer& viewer, Wake& wake) {
  if (place == id) return;
  const bool is_video = &place == &viewer.video;
  if (Rendition* const former = rendition(place)) former->remove(viewer);
  place = 0;
  if (is_video && viewer.begun) viewer.wait_for_key(wake.now);
  Rendition* const next = rendition(id);
  if (next == nullptr || is_audio(next->codec()) == is_video) return;
  place = id;
  next->add(viewer);
  if (viewer.begun) next->begin(viewer, wake);
}

void Audience::attach(const Attach& command, Wake& wake) {
  Viewer* const viewer = find(command.viewer);
  if (viewer == nullptr) return;
  move_to(viewer->audio, command.audio, *viewer, wake);
  move_to(viewer->video, command.video, *viewer, wake);
  begin(*viewer, wake);
}

void Audience::detach(Id id, Wake& wake) {
  Viewer* const viewer = find(id);
  if (viewer == nullptr) return;
  move_to(viewer->audio, 0, *viewer, wake);
  move_to(viewer->video, 0, *viewer, wake);
  viewer->begun = false;
}

void Audience::leave_all(Viewer& viewer) noexcept {
  if (Rendition* const video = rendition(viewer.video)) video->remove(viewer);
  if (Rendition* const audio = rendition(viewer.audio)) audio->remove(viewer);
  viewer.video = viewer.audio = 0;
  viewer.begun = false;
}

void Audience::leave(Rendition& rendition, Wake& wake) {
  for (Viewer* viewer : std::vector(rendition.viewers())) {  // they leave it meanwhile
    if (viewer->video == rendition.id()) move_to(viewer->video, 0, *viewer, wake);
    if (viewer->audio == rendition.id()) move_to(viewer->audio, 0, *viewer, wake);
    if (viewer->video == 0 && viewer->audio == 0) viewer->begun = false;
  }
}

void Audience::set_pacing(const SetPacing& command, Wake& wake) {
  Viewer* const viewer = find(command.viewer);
  if (viewer == nullptr) return;
  viewer->set_pacing(command.pacing);
  wake.poll_later(*viewer);
}

bool Audience::remove(Id id, Wake& wake) {
  Viewer* const viewer = find(id);
  if (viewer == nullptr) return false;
  say_bye(*viewer, wake);
  flush();
  leave_all(*viewer);
  std::erase(wake.ready, viewer);
  std::erase(paced_, viewer);
  for (const std::uint16_t socket : viewer->relay_sockets) {
    demultiplexer_.release_socket(id, socket);
    batch_.remove_socket(socket);
    poller_.remove(sockets_.at(socket).port.descriptor());
    sockets_.erase(socket);
  }
  demultiplexer_.remove(id);
  viewers_.erase(id);
  return true;
}

// ---------------------------------------------------------------------------------------------- what comes in

void Audience::read(std::uint16_t index, Wake& wake) {
  const auto socket = sockets_.find(index);
  if (socket == sockets_.end()) return;
  for (std::size_t reads = 0; reads < kReadsPerTurn; ++reads) {
    const auto datagrams = socket->second.port.read(wake.now.us, realtime_ns());
    for (const UdpPort::Datagram& datagram : datagrams) take(datagram, wake);
    if (written_) flush();
    if (datagrams.size() < kDatagramsPerRead) return;
  }
}

void Audience::take(const UdpPort::Datagram& datagram, Wake& wake) {
  ++figures_.datagrams_in;
  if (datagram.data.empty()) return;
  const ice::Verdict verdict = demultiplexer_.classify(datagram.data, datagram.from, wake.now.us);
  try {
    obey(verdict, datagram, wake);
  } catch (const std::exception&) {
    ++figures_.faults;
    if (Viewer* const viewer = find(verdict.viewer)) give_up(*viewer, wake);
  }
}

void Audience::obey(const ice::Verdict& verdict, const UdpPort::Datagram& datagram, Wake& wake) {
  if (!verdict.response.empty()) write(verdict.from, verdict.response);
  if (Viewer* const displaced = find(verdict.displaced)) update_destination(*displaced, wake);
  Viewer* const viewer = find(verdict.viewer);
  if (viewer == nullptr) return;
  if (verdict.authenticated) {
    viewer->heard(wake.now.us);
    viewer->publish();
  }
  if (verdict.moved) update_destination(*viewer, wake);
  switch (verdict.kind) {
    case ice::Kind::dropped: break;
    case ice::Kind::rtp: ++figures_.rtp_in; break;
    case ice::Kind::rtcp: take_rtcp(*viewer, verdict, datagram, wake); break;
    case ice::Kind::up: hand_up(*viewer, verdict, datagram, wake); break;
  }
}

void Audience::update_destination(Viewer& viewer, Wake& wake) {
  viewer.set_destination(demultiplexer_.destination(viewer.id()));
  wake.events.post(DestinationMoved{viewer.id()});
  if (viewer.begun && !viewer.live()) {  // nowhere to go to: from a key frame on when there is again
    viewer.wait_for_key(wake.now);
    viewer.begun = false;
  }
  begin(viewer, wake);
}

// What comes from a bound channel comes from the peer.
void Audience::hand_up(Viewer& viewer, const ice::Verdict& verdict, const UdpPort::Datagram& datagram, Wake& wake) {
  if (!viewer.may_go_up(wake.now.us)) {
    wake.events.drop_datagram(*viewer.shared());
    return;
  }
  DatagramUp event{.viewer = viewer.id(), .from = datagram.from, .data = {}, .shared = viewer.shared()};
  std::span<const std::uint8_t> data = datagram.data;
  const auto channel = std::ranges::find(viewer.channels, verdict.from, &Viewer::Channel::server);
  if (channel != viewer.channels.end()) {
    event.from = channel->peer;
    data = verdict.payload;
  }
  event.data.assign(data.begin(), data.end());
  wake.events.post_datagram(std::move(event));
}

void Audience::write(const ice::Endpoint& to, std::span<const std::uint8_t> datagram) {
  batch_.to(to);
  std::memcpy(batch_.reserve(datagram.size()), datagram.data(), datagram.size());
  batch_.commit(datagram.size());
  written_ = true;
}

void Audience::take_rtcp(Viewer& viewer, const ice::Verdict& verdict, const UdpPort::Datagram& datagram, Wake& wake) {
  if (!viewer.has_keys()) {
    ++figures_.no_keys;
    return;
  }
  const egress::Received received = viewer.receive(verdict.payload, datagram.arrived_us, wake.now);
  viewer.publish();  // who hears of what it led to finds it counted
  if (!received.authenticated) ++figures_.rtcp_refused;
  if (received.limited) ++figures_.rtcp_limited;
  if (received.retransmits) wake.poll_later(viewer);
  if (received.bye) wake.events.post(ViewerBye{viewer.id()});
  Rendition* const video = rendition(viewer.video);
  if (received.key_frame_wanted && viewer.begun && video != nullptr) video->repair(viewer, wake);
}

// ---------------------------------------------------------------------------------------------- what goes out

void Audience::send(Wake& wake) {
  wake.now = now();
  for (Viewer* viewer : paced_) {
    if (viewer->deadline_us().value_or(kNever) <= wake.now.us) wake.poll_later(*viewer);
  }
  if (wake.ready.empty()) {
    if (written_) flush();
    return;
  }
  for (Viewer* viewer : wake.ready) poll(*viewer, wake);
  std::erase_if(paced_, [](Viewer* viewer) {
    viewer->paced = viewer->deadline_us().has_value();
    return !viewer->paced;
  });
  flush();
  const std::int64_t handed_us = monotonic_us();
  for (Viewer* viewer : wake.ready) {
    viewer->handed_over(handed_us);
    viewer->ready = false;
    if (Rendition* const video = rendition(viewer->video)) video->queue_moved();
  }
  wake.ready.clear();
  for (auto& [id, rendition] : renditions_) rendition.publish_queues();
}

void Audience::poll(Viewer& viewer, Wake& wake) {
  try {
    viewer.poll(wake.now, batch_);
    if (viewer.deadline_us() && !viewer.paced) {
      paced_.push_back(&viewer);
      viewer.paced = true;
    }
  } catch (const std::exception&) {
    ++figures_.faults;
    give_up(viewer, wake);
  }
}

void Audience::give_up(Viewer& viewer, Wake& wake) noexcept {
  try {
    viewer.stop();
    leave_all(viewer);
    wake.events.post(ViewerBye{viewer.id()});
  } catch (const std::exception&) {
    ++figures_.faults;  // Python will see that the viewer is silent
  }
}

void Audience::flush() {
  const bool was_blocked = std::exchange(blocked_, !batch_.flush());
  written_ = false;
  if (!blocked_ && !was_blocked) return;
  for (auto& [index, socket] : sockets_) {
    if (batch_.blocked(index) == socket.waited_for) continue;
    socket.waited_for = !socket.waited_for;
    poller_.set_writable(socket.port.descriptor(), kSocketTag | index, socket.waited_for);
  }
}

std::int64_t Audience::deadline_us() const noexcept {
  std::int64_t first = kNever;
  for (const Viewer* viewer : paced_) first = std::min(first, viewer->deadline_us().value_or(kNever));
  return first == kNever ? kNever : on_grid(first, settings_.coalesce_us);
}

void Audience::tend(Wake& wake) {
  for (auto& [id, viewer] : viewers_) {
    if (const auto silent_us = viewer.silence(wake.now.us)) {
      wake.events.post(ViewerSilent{.viewer = id, .silent_us = *silent_us});
    }
    if (!viewer.live()) continue;
    wake.poll_later(viewer);  // its reports
    Rendition* const video = rendition(viewer.video);
    if (video != nullptr && viewer.begun && viewer.kept_wish(wake.now.us)) video->grant(viewer, wake);
  }
}

void Audience::say_bye(Viewer& viewer, Wake& wake) noexcept {
  try {
    viewer.write_bye(wake.now, batch_);
  } catch (const std::exception&) {
    ++figures_.faults;  // it goes all the same
  }
}

void Audience::say_bye(Wake& wake) {
  for (auto& [id, viewer] : viewers_) say_bye(viewer, wake);
  flush();
}

}  // namespace mediacore::io
