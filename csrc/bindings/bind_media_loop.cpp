// mediacore.media_loop: translation only. What the names mean is said in io/media_loop.hpp and in _core.pyi.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cerrno>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings/bytes_like.hpp"
#include "bindings/media_loop_events.hpp"
#include "bindings/media_loop_figures.hpp"
#include "bindings/module.hpp"
#include "bindings/viewer_config.hpp"
#include "io/media_loop.hpp"
#include "io/udp_port.hpp"

namespace py = pybind11;

namespace mediacore::bindings {
namespace {

using namespace io;

// The bytes of a unit, for Python's buffer protocol.
struct PacketData {
  UnitRef unit;
};

py::buffer_info buffer_of(const PacketData& data) {
  const auto size = static_cast<py::ssize_t>(data.unit->data.size());
  auto* const bytes = const_cast<std::uint8_t*>(data.unit->data.data());  // read-only, as the last argument says
  return {bytes, 1, py::format_descriptor<std::uint8_t>::format(), 1, {size}, {1}, true};
}

py::tuple packet_of(UnitRef unit) {
  const Unit& content = *unit;
  const py::object owner = py::cast(PacketData{std::move(unit)});
  auto view = py::reinterpret_steal<py::object>(PyMemoryView_FromObject(owner.ptr()));
  if (!view) throw py::error_already_set();
  return py::make_tuple(std::move(view), content.pts_us, content.is_key, content.epoch, content.received_us);
}

Codec codec_of(const std::string& name) {
  if (name == "h264") return Codec::h264;
  if (name == "vp8") return Codec::vp8;
  if (name == "vp9") return Codec::vp9;
  if (name == "av1") return Codec::av1;
  if (name == "opus") return Codec::opus;
  throw py::value_error("codec must be h264, vp8, vp9, av1 or opus, not " + name);
}

ice::Endpoint endpoint(const std::string& host, std::uint16_t port, std::uint16_t socket) {
  const auto found = endpoint_of(host, port, socket);
  if (!found) throw py::value_error(host + " is no IP address");
  return *found;
}

// The figures or whatever there is of an id; KeyError for one that stands for nothing.
template <class T>
T found(std::optional<T> value, Id id) {
  if (!value) {
    PyErr_SetObject(PyExc_KeyError, py::int_(id).ptr());
    throw py::error_already_set();
  }
  return *std::move(value);
}

[[noreturn]] void raise(const std::system_error& error) {
  const py::tuple arguments = py::make_tuple(error.code().value(), error.what());
  PyErr_SetObject(PyExc_OSError, arguments.ptr());
  throw py::error_already_set();
}

// Joins its threads without the GIL, also when it is collected: they do not need it, others may.
struct WithoutGil {
  void operator()(MediaLoop* loop) const {
    const py::gil_scoped_release released;
    delete loop;  // NOLINT(cppcoreguidelines-owning-memory): this is its owner
  }
};

using LoopPointer = std::unique_ptr<MediaLoop, WithoutGil>;

// The map behind the capsule of a SessionMap (bindings/session_map.pyx).
std::shared_ptr<const sessions::SessionMap> sessions_of(const std::optional<py::capsule>& capsule) {
  if (!capsule) return nullptr;
  if (std::string_view(capsule->name() == nullptr ? "" : capsule->name()) != "mediacore.sessions.SessionMap") {
    throw py::type_error("sessions must be the capsule of a SessionMap");
  }
  return *capsule->get_pointer<std::shared_ptr<sessions::SessionMap>>();
}

LoopPointer make_loop(std::vector<std::string> addresses, std::size_t threads, std::uint16_t port,
                      std::uint16_t last_port, std::int64_t coalesce_us, bool gso,
                      const std::optional<py::capsule>& sessions) {
  auto map = sessions_of(sessions);
  try {
    const py::gil_scoped_release released;
    return LoopPointer(new MediaLoop({.addresses = std::move(addresses),
                                      .threads = threads,
                                      .port = port,
                                      .last_port = last_port,
                                      .coalesce_us = coalesce_us,
                                      .gso = gso,
                                      .sessions = std::move(map)}));
  } catch (const std::system_error& error) {
    raise(error);
  }
}

py::list sockets_of(const MediaLoop& loop, std::size_t thread) {
  py::list names;
  for (const MediaLoop::SocketName& name : loop.sockets(thread)) names.append(py::make_tuple(name.host, name.port));
  return names;
}

py::list events_of(MediaLoop& loop) {
  py::list events;
  for (const Event& event : loop.take_events()) events.append(to_tuple(event));
  return events;
}

// Reckoning with times of both signs stays within 64 bits.
std::int64_t time_of(std::int64_t us, const char* name) {
  constexpr std::int64_t kMostUs = std::int64_t{1} << 60;
  if (us < -kMostUs || us > kMostUs) throw py::value_error(std::string(name) + " is out of range");
  return us;
}

bool push(MediaLoop& loop, Id rendition, py::handle data, std::int64_t pts_us, bool is_key, std::int64_t due_us,
          std::int64_t received_us) {
  const BytesLike bytes(data);
  Unit unit;
  unit.data.assign(bytes.view().begin(), bytes.view().end());
  unit.pts_us = time_of(pts_us, "pts_us");
  unit.is_key = is_key;
  unit.received_us = time_of(received_us, "received_us");
  return loop.push(rendition, std::move(unit), time_of(due_us, "due_us"));
}

// One of push_all: shown, due and received at that time.
struct Pushed {
  explicit Pushed(const std::tuple<py::object, std::int64_t, bool>& unit)
      : bytes(std::get<0>(unit)), at_us(time_of(std::get<1>(unit), "the time")), is_key(std::get<2>(unit)) {}

  BytesLike bytes;
  std::int64_t at_us;
  bool is_key;
};

// (data, time in us, is_key). All are converted before the first is pushed: what raises has pushed nothing.
std::size_t push_all(MediaLoop& loop, Id rendition, const py::sequence& units) {
  std::deque<Pushed> all;  // they do not move
  for (const py::object unit : units) all.emplace_back(unit.cast<std::tuple<py::object, std::int64_t, bool>>());
  std::size_t taken = 0;
  for (const Pushed& pushed : all) {
    const std::span<const std::uint8_t> bytes = pushed.bytes.view();
    Unit unit;
    unit.data.assign(bytes.begin(), bytes.end());
    unit.pts_us = unit.received_us = pushed.at_us;
    unit.is_key = pushed.is_key;
    if (!loop.push(rendition, std::move(unit), pushed.at_us)) break;
    ++taken;
  }
  return taken;
}

py::list packets_of(MediaLoop& loop, Id tap, std::size_t max_count) {
  py::list packets;
  for (UnitRef& unit : found(loop.take_packets(tap, max_count), tap)) packets.append(packet_of(std::move(unit)));
  return packets;
}

py::object destination_of(const MediaLoop& loop, Id viewer) {
  const Destination destination = found(loop.destination(viewer), viewer);
  if (!destination.known) return py::none();
  const ice::Endpoint& to = destination.endpoint;
  return py::make_tuple(to.socket, host_of(to), to.port, to.channel);
}

py::tuple relay_socket_of(MediaLoop& loop, Id viewer, const std::string& host, const std::string& relay_host,
                          std::uint16_t relay_port) {
  try {
    const auto socket = found(loop.open_relay_socket(viewer, host, endpoint(relay_host, relay_port, 0)), viewer);
    return py::make_tuple(socket.index, socket.port);
  } catch (const std::system_error& error) {
    raise(error);
  }
}

using Class = py::class_<MediaLoop, LoopPointer>;

void bind_renditions(Class& loop) {
  loop.def(
          "add_rendition",
          [](MediaLoop& self, const std::string& codec, std::size_t replay_bytes, std::size_t gop_bytes, Id beside) {
            return self.add_rendition(codec_of(codec), replay_bytes, gop_bytes, beside);
          },
          py::kw_only(), py::arg("codec"), py::arg("replay_bytes"), py::arg("gop_bytes") = std::size_t{16} << 20,
          py::arg("beside") = 0, "Makes an encoding: h264, vp8, vp9, av1 or opus; returns its id.")
      .def(
          "thread_of", [](const MediaLoop& self, Id id) { return found(self.thread_of(id), id); }, py::arg("rendition"),
          "The thread of the loop that a rendition, and so its viewers, stands on.")
      .def("push", &push, py::arg("rendition"), py::arg("data"), py::kw_only(), py::arg("pts_us"), py::arg("is_key"),
           py::arg("due_us") = 0, py::arg("received_us") = 0, "Gives one access unit; False if too much is ahead.")
      .def("push_all", &push_all, py::arg("rendition"), py::arg("units"),
           "Gives access units ahead of their times: (data, time in us, is_key). Returns how many were taken.")
      .def("describe", &MediaLoop::describe, py::arg("rendition"), py::kw_only(), py::arg("width"), py::arg("height"),
           "The size of what is pushed next, for streams that do not carry it.")
      .def("new_epoch", &MediaLoop::new_epoch, py::arg("rendition"), "What is pushed next belongs to a new epoch.")
      .def("key_frame_unavailable", &MediaLoop::key_frame_unavailable, py::arg("rendition"),
           "There will be no key frame: viewers that wait get the cached pictures.")
      .def("request_key_frame", &MediaLoop::request_key_frame, py::arg("rendition"), "As if a viewer had asked.")
      .def("add_source", &MediaLoop::add_source, py::arg("rendition"), py::arg("fd"), py::kw_only(), py::arg("idle_us"),
           py::arg("learnt_from") = 0,
           "Reads raw Annex B from a connected socket, which belongs to the loop from now on.")
      .def("add_tap", &MediaLoop::add_tap, py::arg("rendition"), py::arg("capacity"), py::kw_only(),
           py::arg("replay") = true, "A bounded queue of the rendition's packets.")
      .def("take_packets", &packets_of, py::arg("tap"), py::arg("max_count") = 64,
           "What waits: (data, pts_us, is_key, epoch, received_us).");
}

void bind_viewers(Class& loop) {
  loop.def("add_viewer", &MediaLoop::add_viewer, py::arg("rendition"), py::kw_only(), py::arg("ufrag"),
           py::arg("password"), py::arg("quiet_us"), py::arg("silent_us"), "Lets a viewer's STUN and DTLS in.")
      .def(
          "send_datagram",
          [](MediaLoop& self, Id viewer, std::uint16_t socket, const std::string& host, std::uint16_t port,
             py::handle data) {
            return self.send_datagram(viewer, endpoint(host, port, socket), BytesLike(data).view());
          },
          py::arg("viewer"), py::arg("socket"), py::arg("host"), py::arg("port"), py::arg("data"),
          "Sends STUN or DTLS; False if it could not be taken.")
      .def("open_relay_socket", &relay_socket_of, py::arg("viewer"), py::arg("host"), py::arg("relay_host"),
           py::arg("relay_port"), "A socket for a viewer's traffic with a TURN server: (socket index, port).")
      .def(
          "add_relay",
          [](MediaLoop& self, Id viewer, std::uint16_t socket, const std::string& host, std::uint16_t port) {
            self.add_relay(viewer, endpoint(host, port, socket));
          },
          py::arg("viewer"), py::arg("socket"), py::arg("host"), py::arg("port"), "A TURN server of a viewer.")
      .def(
          "bind_channel",
          [](MediaLoop& self, Id viewer, std::uint16_t socket, const std::string& host, std::uint16_t port,
             std::uint16_t channel, const std::string& peer_host, std::uint16_t peer_port) {
            ice::Endpoint server = endpoint(host, port, socket);
            server.channel = channel;
            self.bind_channel(viewer, server, endpoint(peer_host, peer_port, socket));
          },
          py::arg("viewer"), py::arg("socket"), py::arg("host"), py::arg("port"), py::arg("channel"),
          py::arg("peer_host"), py::arg("peer_port"), "A channel of a viewer's TURN server, and the peer it leads to.")
      .def("start_viewer", &MediaLoop::start_viewer, py::arg("viewer"), py::arg("config"), "Gives a viewer its keys.")
      .def("attach", &MediaLoop::attach, py::arg("viewer"), py::arg("rendition"), py::arg("audio") = 0,
           "Media flows; or another rendition's from now on.")
      .def("detach", &MediaLoop::detach, py::arg("viewer"), "Media stops; the viewer stays.")
      .def(
          "set_pacing",
          [](MediaLoop& self, Id viewer, const py::dict& pacing) { self.set_pacing(viewer, pacing_of(pacing)); },
          py::arg("viewer"), py::arg("pacing"), "Replaces how a viewer is paced.")
      .def("destination", &destination_of, py::arg("viewer"), "Where media goes: (socket, host, port, channel).");
}

void bind_figures(Class& loop) {
  const auto figures = [&loop](const char* name, auto read, const char* of) {
    loop.def(
        name, [read](const MediaLoop& self, Id id) { return to_dict(found((self.*read)(id), id)); }, py::arg(of),
        "Figures by name.");
  };
  figures("rendition_figures", &MediaLoop::rendition_figures, "rendition");
  figures("source_figures", &MediaLoop::source_figures, "source");
  figures("viewer_figures", &MediaLoop::viewer_figures, "viewer");
  figures("tap_figures", &MediaLoop::tap_figures, "tap");
  loop.def("loop_figures", [](const MediaLoop& self) { return to_dict(self.figures()); }, "Figures by name.");
}

}  // namespace

void bind_media_loop(py::module_& m) {
  py::register_exception<LoopClosed>(m, "LoopClosedError", PyExc_RuntimeError);
  py::register_exception<QueueFull>(m, "QueueFullError", PyExc_RuntimeError);
  py::register_exception<TooMany>(m, "TooManyError", PyExc_RuntimeError);
  bind_event_constants(m);
  bind_viewer_config(m);
  py::class_<PacketData>(m, "PacketData", py::buffer_protocol(), "The bytes of one packet; read-only.")
      .def_buffer(&buffer_of);
  Class loop(m, "MediaLoop", "Threads that read sources and talk to viewers, without Python.");
  loop.def(py::init(&make_loop), py::kw_only(), py::arg("addresses"), py::arg("threads") = 1, py::arg("port") = 0,
           py::arg("last_port") = 0, py::arg("coalesce_us") = 1000, py::arg("gso") = true,
           py::arg("sessions") = py::none())
      .def("close", &MediaLoop::close, py::call_guard<py::gil_scoped_release>(), "Ends everything; idempotent.")
      .def_property_readonly("event_fd", &MediaLoop::event_descriptor)
      .def_property_readonly("threads", &MediaLoop::threads)
      .def("sockets", &sockets_of, py::arg("thread"), "(address, port) by socket index.")
      .def("take_events", &events_of, "All events there are, as tuples that begin with an EVENT_ constant.")
      .def("remove", &MediaLoop::remove, py::arg("id"), py::arg("token") = 0,
           "Ends a rendition, source, viewer or tap.");
  bind_renditions(loop);
  bind_viewers(loop);
  bind_figures(loop);
}

}  // namespace mediacore::bindings
