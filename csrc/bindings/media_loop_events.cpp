#include "bindings/media_loop_events.hpp"

#include <variant>

#include "bindings/results.hpp"
#include "io/udp_port.hpp"

namespace py = pybind11;

namespace mediacore::bindings {
namespace {

using namespace io;

// The constant of an event is its place in the variant.
template <class E, std::size_t I = 0>
constexpr int kind_of() {
  if constexpr (std::is_same_v<std::variant_alternative_t<I, Event>, E>) {
    return static_cast<int>(I);
  } else {
    return kind_of<E, I + 1>();
  }
}

struct Translate {
  py::tuple operator()(const Done& event) const {
    const py::object error = event.error.empty() ? py::object(py::none()) : py::str(event.error);
    return py::make_tuple(kind_of<Done>(), event.token, error);
  }
  py::tuple operator()(const Description& event) const {
    return py::make_tuple(kind_of<Description>(), event.rendition, event.width, event.height, event.profile_level_id,
                          event.epoch, event.pts_us);
  }
  py::tuple operator()(const KeyFrameWanted& event) const {
    return py::make_tuple(kind_of<KeyFrameWanted>(), event.rendition);
  }
  py::tuple operator()(const SourceCurrent& event) const {
    return py::make_tuple(kind_of<SourceCurrent>(), event.source, event.epoch);
  }
  py::tuple operator()(const SourceDamaged& event) const {
    return py::make_tuple(kind_of<SourceDamaged>(), event.source);
  }
  py::tuple operator()(const SourceEnded& event) const {
    return py::make_tuple(kind_of<SourceEnded>(), event.source, event.error, to_bytes(event.head), event.reason);
  }
  py::tuple operator()(const DatagramUp& event) const {
    return py::make_tuple(kind_of<DatagramUp>(), event.viewer, event.from.socket, host_of(event.from), event.from.port,
                          to_bytes(event.data));
  }
  py::tuple operator()(const DestinationMoved& event) const {
    return py::make_tuple(kind_of<DestinationMoved>(), event.viewer);
  }
  py::tuple operator()(const ViewerSilent& event) const {
    return py::make_tuple(kind_of<ViewerSilent>(), event.viewer, event.silent_us);
  }
  py::tuple operator()(const ViewerBye& event) const { return py::make_tuple(kind_of<ViewerBye>(), event.viewer); }
  py::tuple operator()(const TapReady& event) const { return py::make_tuple(kind_of<TapReady>(), event.tap); }
  py::tuple operator()(const TapEnded& event) const { return py::make_tuple(kind_of<TapEnded>(), event.tap); }
};

}  // namespace

py::tuple to_tuple(const Event& event) {
  return std::visit(Translate{}, event);
}

void bind_event_constants(py::module_& m) {
  m.attr("EVENT_DONE") = kind_of<Done>();
  m.attr("EVENT_DESCRIPTION") = kind_of<Description>();
  m.attr("EVENT_KEY_FRAME_WANTED") = kind_of<KeyFrameWanted>();
  m.attr("EVENT_SOURCE_CURRENT") = kind_of<SourceCurrent>();
  m.attr("EVENT_SOURCE_DAMAGED") = kind_of<SourceDamaged>();
  m.attr("EVENT_SOURCE_ENDED") = kind_of<SourceEnded>();
  m.attr("EVENT_DATAGRAM") = kind_of<DatagramUp>();
  m.attr("EVENT_DESTINATION") = kind_of<DestinationMoved>();
  m.attr("EVENT_VIEWER_SILENT") = kind_of<ViewerSilent>();
  m.attr("EVENT_VIEWER_BYE") = kind_of<ViewerBye>();
  m.attr("EVENT_TAP_READY") = kind_of<TapReady>();
  m.attr("EVENT_TAP_ENDED") = kind_of<TapEnded>();
}

}  // namespace mediacore::bindings
