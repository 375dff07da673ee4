// What the media loop tells: one struct per event.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/ice/endpoint.hpp"
#include "io/figures.hpp"
#include "io/unit.hpp"

namespace mediacore::io {

// A command with this token was carried out. Token 0: nobody waits, but there is an error to tell.
struct Done {
  std::uint64_t token;
  std::string error;  // empty: none
};

// What follows has another size, profile or epoch; told before its first packet.
struct Description {
  Id rendition;
  std::uint32_t width;
  std::uint32_t height;
  std::string profile_level_id;  // of H.264
  std::uint32_t epoch;
  std::int64_t pts_us;  // of that packet

  bool same_as(const Description& other) const noexcept {
    return width == other.width && height == other.height && epoch == other.epoch &&
           profile_level_id == other.profile_level_id;
  }
};

struct KeyFrameWanted {
  Id rendition;
};

struct SourceCurrent {
  Id source;
  std::uint32_t epoch;
};

// An access unit was cut or dropped: only a key frame heals that.
struct SourceDamaged {
  Id source;
};

struct SourceEnded {
  Id source;
  int error = 0;                     // errno; 0: the end of the stream
  std::vector<std::uint8_t> head{};  // the first bytes, if no access unit came
  const char* reason;  // a constant: end, error, superseded, removed (with its rendition), no rendition, no memory
};

// STUN or DTLS for Python.
struct DatagramUp {
  Id viewer;
  ice::Endpoint from;
  std::vector<std::uint8_t> data;
  std::shared_ptr<ViewerShared> shared;  // whose quota it takes
};

struct DestinationMoved {
  Id viewer;
};

struct ViewerSilent {
  Id viewer;
  std::int64_t silent_us;
};

struct ViewerBye {
  Id viewer;
};

struct TapReady {
  Id tap;
};

struct TapEnded {
  Id tap;
};

using Event = std::variant<Done, Description, KeyFrameWanted, SourceCurrent, SourceDamaged, SourceEnded, DatagramUp,
                           DestinationMoved, ViewerSilent, ViewerBye, TapReady, TapEnded>;

}  // namespace mediacore::io
