// What a viewer is sent with, as Python gives it.
// Threads: with the GIL.
#pragma once

#include <pybind11/pybind11.h>

#include "core/egress/viewer_egress.hpp"

namespace mediacore::bindings {

// Raises ValueError for an unknown name or a value out of range; a name that is not there has its default.
egress::Pacing pacing_of(const pybind11::dict& pacing);
void bind_viewer_config(pybind11::module_& m);

}  // namespace mediacore::bindings
