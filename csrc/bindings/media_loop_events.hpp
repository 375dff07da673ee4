// Events of the media loop as Python's tuples.
// Threads: with the GIL.
#pragma once

#include <pybind11/pybind11.h>

#include "io/event.hpp"

namespace mediacore::bindings {

pybind11::tuple to_tuple(const io::Event& event);
// The constants EVENT_..., which tuples begin with.
void bind_event_constants(pybind11::module_& m);

}  // namespace mediacore::bindings
