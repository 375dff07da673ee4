// Figures of the media loop as Python's dictionaries.
// Threads: with the GIL.
#pragma once

#include <pybind11/pybind11.h>

#include "io/media_loop.hpp"

namespace mediacore::bindings {

pybind11::dict to_dict(const io::RenditionFigures& figures);
pybind11::dict to_dict(const io::SourceFigures& figures);
pybind11::dict to_dict(const io::TapFigures& figures);
pybind11::dict to_dict(const io::MediaLoop::ViewerState& state);
pybind11::dict to_dict(const io::MediaLoop::Figures& figures);

}  // namespace mediacore::bindings
