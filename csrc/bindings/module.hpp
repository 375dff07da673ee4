// What the extension module consists of: one function per core header.
#pragma once

#include <pybind11/pybind11.h>

namespace mediacore::bindings {

void bind_h264(pybind11::module_& m);
void bind_media_loop(pybind11::module_& m);
void bind_picture(pybind11::module_& m);
void bind_picture_reader(pybind11::module_& m);
void bind_plane(pybind11::module_& m);
void bind_profile_level_id(pybind11::module_& m);
void bind_reshape(pybind11::module_& m);
void bind_rtcp(pybind11::module_& m);
void bind_rtp(pybind11::module_& m);
void bind_srtp(pybind11::module_& m);
void bind_stun(pybind11::module_& m);

}  // namespace mediacore::bindings
