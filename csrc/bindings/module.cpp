// The extension module `mediacore._core`: registers what each bind_<noun>.cpp translates.
#include "bindings/module.hpp"

PYBIND11_MODULE(_core, m) {
  m.doc() = "Native core of mediacore. Use the typed modules mediacore.h264 and so on.";
  mediacore::bindings::bind_h264(m);
  mediacore::bindings::bind_media_loop(m);
  mediacore::bindings::bind_picture(m);
  mediacore::bindings::bind_picture_reader(m);
  mediacore::bindings::bind_plane(m);
  mediacore::bindings::bind_profile_level_id(m);
  mediacore::bindings::bind_reshape(m);
  mediacore::bindings::bind_rtcp(m);
  mediacore::bindings::bind_rtp(m);
  mediacore::bindings::bind_srtp(m);
  mediacore::bindings::bind_stun(m);
}
