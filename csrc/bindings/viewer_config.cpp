#include "bindings/viewer_config.hpp"

#include <pybind11/stl.h>

#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bindings/bytes_like.hpp"
#include "core/rtp/header_extensions.hpp"
#include "core/srtp/keys.hpp"

namespace py = pybind11;

namespace mediacore::bindings {
namespace {

using egress::EgressConfig;
using egress::Pacing;

double number_in(const py::handle& value, std::string_view name, double least, double most) {
  const auto number = value.cast<double>();
  if (!(number >= least && number <= most)) throw py::value_error(std::string(name) + " is out of range");
  return number;
}

void set_pacing_value(Pacing& pacing, std::string_view name, const py::handle& value) {
  constexpr double kMostBps = 1e11;
  constexpr double kMostFactor = 1000;
  constexpr double kMostBytes = 1 << 30;
  constexpr double kMostUs = 60e6;
  if (name == "enabled" || name == "pacing_enabled") {
    pacing.enabled = py::bool_(py::reinterpret_borrow<py::object>(value));
  } else if (name == "start_rate_bps") {
    pacing.start_rate_bps = static_cast<std::uint64_t>(number_in(value, name, 0, kMostBps));
  } else if (name == "start_factor") {
    pacing.start_factor = number_in(value, name, 0, kMostFactor);
  } else if (name == "factor") {
    pacing.factor = number_in(value, name, 0, kMostFactor);
  } else if (name == "bucket_bytes") {
    pacing.bucket_bytes = static_cast<std::size_t>(number_in(value, name, 0, kMostBytes));
  } else if (name == "max_queue_us") {
    pacing.max_queue_us = static_cast<std::int64_t>(number_in(value, name, 0, kMostUs));
  } else {
    throw py::value_error("pacing has no " + std::string(name));
  }
}

rtp::ExtensionIds extension_ids_of(const std::map<std::string, unsigned>& ids) {
  rtp::ExtensionIds found;
  for (const auto& [uri, id] : ids) {
    if (id == 0 || id > 255) throw py::value_error("the id of " + uri + " must be 1 to 255");
    for (std::size_t kind = 0; kind < rtp::kExtensionKinds; ++kind) {
      const auto extension = static_cast<rtp::ExtensionKind>(kind);
      if (rtp::extension_uri(extension) == uri) found[extension] = static_cast<std::uint8_t>(id);
    }
  }
  return found;
}

rtp::PlayoutDelay playout_delay_of(std::pair<unsigned, unsigned> ms) {
  constexpr unsigned kUnitMs = 10;
  const auto [least, most] = ms;
  if (least > most || most / kUnitMs > rtp::kMaxPlayoutDelay) {
    throw py::value_error("playout_delay_ms must be rising and at most 40950");
  }
  return {.min_10ms = static_cast<std::uint16_t>(least / kUnitMs),
          .max_10ms = static_cast<std::uint16_t>((most + kUnitMs - 1) / kUnitMs)};
}

srtp::KeyPair keys_of(unsigned profile, py::handle exported) {
  for (const auto known :
       {srtp::Profile::aes128_cm_sha1_80, srtp::Profile::aead_aes_128_gcm, srtp::Profile::aead_aes_256_gcm}) {
    if (static_cast<unsigned>(known) != profile) continue;
    const auto keys = srtp::split_exported(known, BytesLike(exported).view());
    if (!keys) throw py::value_error("the exported keying material has another size than the profile's");
    return *keys;
  }
  throw py::value_error("profile must be 1, 7 or 8, not " + std::to_string(profile));
}

struct TrackArguments {
  std::uint32_t ssrc;
  unsigned payload_type;
  std::string mid;
  std::uint32_t timestamp_origin;
};

std::uint8_t payload_type_of(unsigned value) {
  if (value > rtp::kMaxPayloadType) throw py::value_error("a payload type is at most 127");
  return static_cast<std::uint8_t>(value);
}

egress::Track track_of(const TrackArguments& arguments, std::uint32_t clock_hz, std::uint16_t first_sequence) {
  return {.ssrc = arguments.ssrc,
          .payload_type = payload_type_of(arguments.payload_type),
          .clock_hz = clock_hz,
          .timestamp_origin = arguments.timestamp_origin,
          .first_sequence = first_sequence,
          .rtx = std::nullopt,
          .mid = arguments.mid};
}

// As the constructor's keywords; `first_sequences`: of video, RTX and audio.
EgressConfig config_of(unsigned profile, py::handle exported, const TrackArguments& video, std::uint32_t rtx_ssrc,
                       unsigned rtx_payload_type, const TrackArguments& audio,
                       const std::vector<std::uint16_t>& first_sequences) {
  if (first_sequences.size() != 3) throw py::value_error("first_sequences must have three numbers: video, rtx, audio");
  constexpr std::uint32_t kVideoClockHz = 90'000;
  constexpr std::uint32_t kAudioClockHz = 48'000;
  const srtp::KeyPair keys = keys_of(profile, exported);
  EgressConfig config;
  config.send = keys.server;
  config.receive = keys.client;
  config.video = track_of(video, kVideoClockHz, first_sequences[0]);
  if (rtx_payload_type != 0) {
    config.video.rtx = egress::Rtx{
        .ssrc = rtx_ssrc, .payload_type = payload_type_of(rtx_payload_type), .first_sequence = first_sequences[1]};
  }
  if (audio.payload_type != 0) config.audio = track_of(audio, kAudioClockHz, first_sequences[2]);
  return config;
}

}  // namespace

Pacing pacing_of(const py::dict& pacing) {
  Pacing result;
  for (const auto& [name, value] : pacing) set_pacing_value(result, name.cast<std::string>(), value);
  return result;
}

void bind_viewer_config(py::module_& m) {
  using Sequences = std::vector<std::uint16_t>;
  py::class_<EgressConfig>(m, "ViewerConfig",
                           "What a viewer is sent with: keys, SSRCs, payload types, extensions, pace.")
      .def(py::init([](unsigned profile, py::handle exported, std::uint32_t video_ssrc, unsigned video_payload_type,
                       std::uint32_t rtx_ssrc, unsigned rtx_payload_type, std::uint32_t audio_ssrc,
                       unsigned audio_payload_type, std::string video_mid, std::string audio_mid,
                       const std::map<std::string, unsigned>& extension_ids,
                       std::optional<std::pair<unsigned, unsigned>> playout_delay_ms, std::string cname,
                       std::uint32_t video_timestamp_origin, std::uint32_t audio_timestamp_origin,
                       const Sequences& first_sequences, const py::dict& pacing) {
             EgressConfig config = config_of(
                 profile, exported, {video_ssrc, video_payload_type, std::move(video_mid), video_timestamp_origin},
                 rtx_ssrc, rtx_payload_type,
                 {audio_ssrc, audio_payload_type, std::move(audio_mid), audio_timestamp_origin}, first_sequences);
             config.extensions = extension_ids_of(extension_ids);
             // Not sent without a delay to tell.
             if (!playout_delay_ms) config.extensions[rtp::ExtensionKind::playout_delay] = 0;
             if (playout_delay_ms) config.playout_delay = playout_delay_of(*playout_delay_ms);
             config.cname = std::move(cname);
             config.pacing = pacing_of(pacing);
             return config;
           }),
           py::kw_only(), py::arg("profile"), py::arg("exported"), py::arg("video_ssrc"), py::arg("video_payload_type"),
           py::arg("rtx_ssrc") = 0, py::arg("rtx_payload_type") = 0, py::arg("audio_ssrc") = 0,
           py::arg("audio_payload_type") = 0, py::arg("video_mid") = "", py::arg("audio_mid") = "",
           py::arg("extension_ids") = std::map<std::string, unsigned>(), py::arg("playout_delay_ms") = py::none(),
           py::arg("cname") = "", py::arg("video_timestamp_origin") = 0, py::arg("audio_timestamp_origin") = 0,
           py::arg("first_sequences") = Sequences{0, 0, 0}, py::arg("pacing") = py::dict());
}

}  // namespace mediacore::bindings
