// What the media loop's threads are told: one struct per command. An id that no longer stands for anything is ignored.
// Threads: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/egress/viewer_egress.hpp"
#include "core/ice/endpoint.hpp"
#include "io/descriptor.hpp"
#include "io/figures.hpp"
#include "io/tap.hpp"
#include "io/udp_port.hpp"
#include "io/unit.hpp"

namespace mediacore::io {

struct AddRendition {
  Id id;
  Codec codec;
  std::size_t replay_bytes;
  std::size_t gop_bytes;
  std::shared_ptr<RenditionShared> shared;
};

struct Push {
  Id rendition;
  std::shared_ptr<Unit> unit;  // without epoch and the time at which it was whole
  std::int64_t due_us;         // 0: now
};

struct Describe {
  Id rendition;
  std::uint32_t width;
  std::uint32_t height;
};

struct NewEpoch {
  Id rendition;
};

struct KeyFrameUnavailable {
  Id rendition;
};

struct RequestKeyFrame {
  Id rendition;
};

struct AddSource {
  Id id;
  Id rendition;
  Descriptor socket;
  std::int64_t idle_us;
  Id learnt_from;
  std::shared_ptr<SourceShared> shared;
};

struct AddViewer {
  Id id;
  std::string ufrag;
  std::string password;
  std::int64_t quiet_us;
  std::int64_t silent_us;
  std::shared_ptr<ViewerShared> shared;
};

// STUN or DTLS from Python.
struct SendDatagram {
  Id viewer;
  ice::Endpoint to;
  std::vector<std::uint8_t> data;
};

// A socket for a viewer's traffic with a TURN server.
struct AddRelaySocket {
  Id viewer;
  UdpPort port;
  std::uint16_t socket;  // its index
  ice::Endpoint server;
};

struct AddRelay {
  Id viewer;
  ice::Endpoint server;
};

struct BindChannel {
  Id viewer;
  ice::Endpoint server;  // with the channel
  ice::Endpoint peer;
};

struct StartViewer {
  Id viewer;
  std::unique_ptr<egress::EgressConfig> config;
};

struct Attach {
  Id viewer;
  Id video;  // 0: none
  Id audio;
};

struct Detach {
  Id viewer;
};

struct SetPacing {
  Id viewer;
  egress::Pacing pacing;
};

struct AddTap {
  Id id;
  Id rendition;
  std::shared_ptr<Tap> tap;
  bool replay;
};

struct Remove {
  Id id;
  std::uint64_t token;
};

using Command = std::variant<AddRendition, Push, Describe, NewEpoch, KeyFrameUnavailable, RequestKeyFrame, AddSource,
                             AddViewer, SendDatagram, AddRelaySocket, AddRelay, BindChannel, StartViewer, Attach,
                             Detach, SetPacing, AddTap, Remove>;

}  // namespace mediacore::io
