// mediacore.rtp: translation only. What the names mean is said in the core headers and in _core.pyi.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bytes_like.hpp"
#include "bindings/module.hpp"
#include "bindings/results.hpp"
#include "core/rtp/av1.hpp"
#include "core/rtp/cut_frame.hpp"
#include "core/rtp/depacketizer.hpp"
#include "core/rtp/h264_depacketizer.hpp"
#include "core/rtp/h264_packetizer.hpp"
#include "core/rtp/header_extensions.hpp"
#include "core/rtp/opus.hpp"
#include "core/rtp/packet.hpp"
#include "core/rtp/vp8.hpp"
#include "core/rtp/vp9.hpp"

namespace py = pybind11;

namespace mediacore::bindings {
namespace {

using namespace rtp;

py::list to_list(const PayloadBuffer& payloads) {
  py::list list(payloads.size());
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const auto payload = payloads[i];
    PyObject* const bytes = PyBytes_FromStringAndSize(reinterpret_cast<const char*>(payload.data()),
                                                      static_cast<Py_ssize_t>(payload.size()));
    if (bytes == nullptr) throw py::error_already_set();
    PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i), bytes);
  }
  return list;
}

// The bytes of a bytes-like object, or of an access unit, whose `data` they are.
py::object bytes_of(py::handle unit) {
  if (PyObject_CheckBuffer(unit.ptr()) != 0) return py::reinterpret_borrow<py::object>(unit);
  py::object data = py::getattr(unit, "data", py::none());
  if (PyObject_CheckBuffer(data.ptr()) == 0) {
    throw py::type_error(std::string("a bytes-like object or an AccessUnit is required, not '") +
                         Py_TYPE(unit.ptr())->tp_name + "'");
  }
  return data;
}

// A packetizer with the buffer that its payloads are made in.
template <class Packetizer>
class PythonPacketizer {
 public:
  explicit PythonPacketizer(Packetizer packetizer) : packetizer_(std::move(packetizer)) {}

  py::list packetize(py::handle unit) {
    const py::object data = bytes_of(unit);
    const BytesLike bytes(data);
    if (const auto error = packetizer_.packetize(bytes.view(), payloads_)) raise(*error);
    return to_list(payloads_);
  }

 private:
  Packetizer packetizer_;
  PayloadBuffer payloads_;
};

PayloadLimits checked_limits(std::size_t least, std::size_t max_payload_bytes, std::size_t first_reduction,
                             std::size_t last_reduction, std::optional<std::size_t> single_reduction, bool balanced) {
  const PayloadLimits limits{max_payload_bytes, first_reduction, last_reduction, single_reduction,
                             balanced ? Split::balanced : Split::equal};
  if (!limits.valid(least)) {
    throw py::value_error("max_payload_bytes must be " + std::to_string(least) + " to " +
                          std::to_string(kMaxPayloadBytes) + ", and reductions a quarter of it at most");
  }
  return limits;
}

void check_picture_id(unsigned picture_id) {
  if (picture_id > kMaxPictureId) throw py::value_error("picture_id must be 0 to 32767");
}

void bind_h264_packetizer(py::module_& m) {
  using Packetizer = PythonPacketizer<H264Packetizer>;
  py::class_<Packetizer>(m, "H264Packetizer", "H.264 access units to RTP payloads (RFC 6184).")
      .def(py::init([](std::size_t max_payload_bytes, int mode, std::size_t first_reduction, std::size_t last_reduction,
                       std::optional<std::size_t> single_reduction, bool balanced) {
             if (mode != 0 && mode != 1) throw py::value_error("mode must be 0 or 1");
             const auto limits = checked_limits(kLeastH264PayloadBytes, max_payload_bytes, first_reduction,
                                                last_reduction, single_reduction, balanced);
             return std::make_unique<Packetizer>(H264Packetizer(limits, static_cast<PacketizationMode>(mode)));
           }),
           py::arg("max_payload_bytes") = kDefaultPayloadBytes, py::arg("mode") = 1, py::kw_only(),
           py::arg("first_reduction") = 0, py::arg("last_reduction") = 0, py::arg("single_reduction") = py::none(),
           py::arg("balanced") = false)
      .def("packetize", &Packetizer::packetize, py::arg("unit"), "The payloads of one access unit.");
}

void bind_vp8_packetizer(py::module_& m) {
  using Packetizer = PythonPacketizer<Vp8Packetizer>;
  py::class_<Packetizer>(m, "Vp8Packetizer", "VP8 frames to RTP payloads (RFC 7741).")
      .def(py::init([](std::size_t max_payload_bytes, std::optional<unsigned> picture_id,
                       std::optional<std::uint8_t> tl0_pic_idx, std::size_t first_reduction, std::size_t last_reduction,
                       std::optional<std::size_t> single_reduction, bool balanced) {
             check_picture_id(picture_id.value_or(0));
             const auto limits = checked_limits(kLeastCutPayloadBytes, max_payload_bytes, first_reduction,
                                                last_reduction, single_reduction, balanced);
             std::optional<std::uint16_t> first_id;
             if (picture_id) first_id = static_cast<std::uint16_t>(*picture_id);
             return std::make_unique<Packetizer>(Vp8Packetizer(limits, first_id, tl0_pic_idx));
           }),
           py::arg("max_payload_bytes") = kDefaultPayloadBytes, py::kw_only(), py::arg("picture_id") = 0,
           py::arg("tl0_pic_idx") = py::none(), py::arg("first_reduction") = 0, py::arg("last_reduction") = 0,
           py::arg("single_reduction") = py::none(), py::arg("balanced") = false)
      .def("packetize", &Packetizer::packetize, py::arg("frame"), "The payloads of one frame.");
}

void bind_vp9_packetizer(py::module_& m) {
  using Packetizer = PythonPacketizer<Vp9Packetizer>;
  py::class_<Packetizer>(m, "Vp9Packetizer", "VP9 frames to RTP payloads (RFC 9628).")
      .def(py::init([](std::size_t max_payload_bytes, bool flexible, unsigned picture_id, std::uint8_t tl0_pic_idx,
                       std::size_t first_reduction, std::size_t last_reduction,
                       std::optional<std::size_t> single_reduction, bool balanced) {
             check_picture_id(picture_id);
             const auto limits = checked_limits(kLeastCutPayloadBytes, max_payload_bytes, first_reduction,
                                                last_reduction, single_reduction, balanced);
             return std::make_unique<Packetizer>(
                 Vp9Packetizer(limits, flexible, static_cast<std::uint16_t>(picture_id), tl0_pic_idx));
           }),
           py::arg("max_payload_bytes") = kDefaultPayloadBytes, py::kw_only(), py::arg("flexible") = false,
           py::arg("picture_id") = 0, py::arg("tl0_pic_idx") = 0, py::arg("first_reduction") = 0,
           py::arg("last_reduction") = 0, py::arg("single_reduction") = py::none(), py::arg("balanced") = false)
      .def("packetize", &Packetizer::packetize, py::arg("frame"), "The payloads of one frame.");
}

void bind_av1_packetizer(py::module_& m) {
  using Packetizer = PythonPacketizer<Av1Packetizer>;
  py::class_<Packetizer>(m, "Av1Packetizer", "AV1 temporal units to RTP payloads.")
      .def(py::init([](std::size_t max_payload_bytes, std::size_t first_reduction, std::size_t last_reduction,
                       std::optional<std::size_t> single_reduction) {
             return std::make_unique<Packetizer>(Av1Packetizer(checked_limits(
                 kLeastCutPayloadBytes, max_payload_bytes, first_reduction, last_reduction, single_reduction, false)));
           }),
           py::arg("max_payload_bytes") = kDefaultPayloadBytes, py::kw_only(), py::arg("first_reduction") = 0,
           py::arg("last_reduction") = 0, py::arg("single_reduction") = py::none())
      .def("packetize", &Packetizer::packetize, py::arg("unit"), "The payloads of one temporal unit.");
}

void bind_opus_packetizer(py::module_& m) {
  py::class_<OpusPayload>(m, "OpusPayload", "How an Opus packet is to be sent.")
      .def_readonly("marker", &OpusPayload::marker)
      .def_readonly("send", &OpusPayload::send)
      .def_readonly("ticks", &OpusPayload::ticks);
  py::class_<OpusPacketizer>(m, "OpusPacketizer", "Opus packets to RTP (RFC 7587).")
      .def(py::init<bool>(), py::kw_only(), py::arg("skip_dtx") = false)
      .def(
          "packetize",
          [](OpusPacketizer& packetizer, py::handle packet) {
            const auto payload = packetizer.packetize(BytesLike(packet).view());
            if (!payload) raise(payload.error());
            return *payload;
          },
          py::arg("packet"), "How this packet is to be sent.");
}

// A frame with bytes of its own.
struct OwnedFrame {
  explicit OwnedFrame(const FrameView& view)
      : data(to_bytes(view.data)),
        timestamp(view.timestamp.value),
        is_key(view.is_key),
        packets(view.packets),
        lost_before(view.lost_before) {}

  py::bytes data;
  std::uint32_t timestamp;
  bool is_key;
  std::uint32_t packets;
  std::uint64_t lost_before;
};

// A depacketizer with the frames that a push which raised had completed.
template <class Format>
class PythonDepacketizer {
 public:
  explicit PythonDepacketizer(std::size_t max_frame_bytes) : depacketizer_(max_frame_bytes) {}

  py::list push(py::handle payload, std::uint16_t sequence_number, std::uint32_t timestamp, bool marker) {
    const BytesLike bytes(payload);
    std::exception_ptr failure;  // the core's sinks do not throw: what fails here (memory) is raised after the push
    const auto error =
        depacketizer_.push({{sequence_number}, {timestamp}, marker}, bytes.view(), [&](const FrameView& view) noexcept {
          try {
            ready_.push_back(std::make_unique<OwnedFrame>(view));
          } catch (...) {
            failure = std::current_exception();
          }
        });
    if (failure) std::rethrow_exception(failure);
    if (error) raise(*error);
    py::list frames(ready_.size());
    for (std::size_t i = 0; i < ready_.size(); ++i) frames[i] = py::cast(std::move(ready_[i]));
    ready_.clear();
    return frames;
  }

  DepacketizerStats stats() const { return depacketizer_.stats(); }

 private:
  Depacketizer<Format> depacketizer_;
  std::vector<std::unique_ptr<OwnedFrame>> ready_;
};

template <class Format>
void bind_depacketizer(py::module_& m, const char* name) {
  using Class = PythonDepacketizer<Format>;
  py::class_<Class>(m, name, "RTP payloads of one SSRC to frames.")
      .def(py::init([](std::size_t max_frame_bytes) {
             if (max_frame_bytes == 0 || max_frame_bytes > kMaxFrameBytes) {
               throw py::value_error("max_frame_bytes must be 1 to " + std::to_string(kMaxFrameBytes));
             }
             return std::make_unique<Class>(max_frame_bytes);
           }),
           py::arg("max_frame_bytes") = kDefaultFrameBytes)
      .def("push", &Class::push, py::arg("payload"), py::kw_only(), py::arg("sequence_number"),
           py::arg("timestamp") = 0, py::arg("marker"), "Takes one payload; returns the frames that are complete.")
      .def("stats", &Class::stats, "The counts so far.");
}

void bind_depacketizers(py::module_& m) {
  py::class_<OwnedFrame>(m, "DepacketizedFrame", "One frame, put together from its packets.")
      .def_readonly("data", &OwnedFrame::data)
      .def_readonly("timestamp", &OwnedFrame::timestamp)
      .def_readonly("is_key", &OwnedFrame::is_key)
      .def_readonly("packets", &OwnedFrame::packets)
      .def_readonly("lost_before", &OwnedFrame::lost_before);
  py::class_<DepacketizerStats>(m, "DepacketizerStats", "Counts of a depacketizer since it was made.")
      .def_readonly("packets", &DepacketizerStats::packets)
      .def_readonly("frames", &DepacketizerStats::frames)
      .def_readonly("damaged", &DepacketizerStats::damaged)
      .def_readonly("lost", &DepacketizerStats::lost)
      .def_readonly("late", &DepacketizerStats::late)
      .def_readonly("malformed", &DepacketizerStats::malformed);
  bind_depacketizer<H264Format>(m, "H264Depacketizer");
  bind_depacketizer<Vp8Format>(m, "Vp8Depacketizer");
  bind_depacketizer<Vp9Format>(m, "Vp9Depacketizer");
  bind_depacketizer<Av1Format>(m, "Av1Depacketizer");
  bind_depacketizer<OpusFormat>(m, "OpusDepacketizer");
}

ExtensionIds ids_of(const py::dict& by_uri) {
  ExtensionIds ids;
  for (std::size_t i = 0; i < kExtensionKinds; ++i) {
    const auto kind = static_cast<ExtensionKind>(i);
    const py::str uri{std::string(extension_uri(kind))};
    if (!by_uri.contains(uri)) continue;
    const int id = by_uri[uri].cast<int>();
    if (id < 1 || id > 255) throw py::value_error("the id of a header extension must be 1 to 255");
    ids[kind] = static_cast<std::uint8_t>(id);
  }
  return ids;
}

py::object to_text(const std::optional<std::string_view>& text) {
  if (!text) return py::none();
  // Whatever bytes came: no error of decoding.
  return py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(text->data(), static_cast<Py_ssize_t>(text->size()), "replace"));
}

py::tuple to_tuple(const Extensions& from) {
  py::object delay = py::none();
  if (from.playout_delay) delay = py::make_tuple(from.playout_delay->min_10ms * 10, from.playout_delay->max_10ms * 10);
  py::object capture = py::none();
  if (from.abs_capture_time) {
    capture = py::make_tuple(from.abs_capture_time->ntp, from.abs_capture_time->clock_offset);
  }
  py::object level = py::none();
  if (from.audio_level) level = py::make_tuple(from.audio_level->voice, from.audio_level->minus_dbov);
  return py::make_tuple(to_text(from.mid), to_text(from.rid), to_text(from.repaired_rid), from.abs_send_time,
                        from.transport_sequence_number, delay, capture, level);
}

// The texts stay where they are in `from`, which must live as long as the result.
Extensions to_extensions(const py::tuple& from) {
  Extensions to;
  const auto text = [&](std::size_t index) -> std::optional<std::string_view> {
    if (from[index].is_none()) return std::nullopt;
    return from[index].cast<std::string_view>();
  };
  to.mid = text(0);
  to.rid = text(1);
  to.repaired_rid = text(2);
  to.abs_send_time = from[3].cast<std::optional<std::uint32_t>>();
  to.transport_sequence_number = from[4].cast<std::optional<std::uint16_t>>();
  if (const auto delay = from[5].cast<std::optional<std::pair<int, int>>>()) {
    const auto units = [](int ms) {
      if (ms < 0 || ms % 10 != 0 || ms / 10 > kMaxPlayoutDelay) {
        throw py::value_error("a playout delay must be 0 to 40950 ms in steps of 10 ms");
      }
      return static_cast<std::uint16_t>(ms / 10);
    };
    to.playout_delay = PlayoutDelay{units(delay->first), units(delay->second)};
  }
  if (const auto time = from[6].cast<std::optional<std::pair<std::uint64_t, std::optional<std::int64_t>>>>()) {
    to.abs_capture_time = AbsCaptureTime{time->first, time->second};
  }
  if (const auto level = from[7].cast<std::optional<std::pair<bool, std::uint8_t>>>()) {
    to.audio_level = AudioLevel{level->first, level->second};
  }
  return to;
}

py::tuple parse_python_packet(py::handle data, const py::dict& extension_ids) {
  const BytesLike bytes(data);
  const auto packet = parse_packet(bytes.view());
  if (!packet) raise(packet.error());
  const auto extensions = parse_extensions(packet->extension, ids_of(extension_ids));
  if (!extensions) raise(extensions.error());
  py::tuple csrcs(packet->csrc_count());
  for (std::size_t i = 0; i < packet->csrc_count(); ++i) csrcs[i] = packet->csrc(i);
  const Header& header = packet->header;
  return py::make_tuple(to_bytes(packet->payload), header.payload_type, header.sequence_number.value,
                        header.timestamp.value, header.ssrc, header.marker, csrcs, to_tuple(*extensions),
                        packet->padding_bytes);
}

py::bytes write_python_packet(py::handle payload, std::uint8_t payload_type, std::uint16_t sequence_number,
                              std::uint32_t timestamp, std::uint32_t ssrc, bool marker,
                              const std::vector<std::uint32_t>& csrcs, const py::tuple& extensions,
                              std::uint8_t padding_bytes, const py::dict& extension_ids) {
  const BytesLike bytes(payload);
  std::array<std::uint8_t, kMaxExtensionsBytes> block_bytes;
  const auto block = write_extensions(to_extensions(extensions), ids_of(extension_ids), block_bytes);
  if (!block) throw py::value_error(std::string(describe(block.error().code)));
  const PacketParts parts{csrcs, *block, padding_bytes};
  std::vector<std::uint8_t> out(header_bytes(parts) + bytes.view().size() + padding_bytes);
  const Header header{payload_type, marker, {sequence_number}, {timestamp}, ssrc};
  const auto size = write_packet(header, parts, bytes.view(), out);
  if (!size) throw py::value_error(std::string(describe(size.error().code)));
  return to_bytes(std::span(out).first(*size));
}

void bind_packets(py::module_& m) {
  py::dict uris;
  constexpr std::array<const char*, kExtensionKinds> kNames{"mid",
                                                            "rid",
                                                            "repaired_rid",
                                                            "abs_send_time",
                                                            "transport_sequence_number",
                                                            "playout_delay_ms",
                                                            "abs_capture_time",
                                                            "audio_level"};
  for (std::size_t i = 0; i < kExtensionKinds; ++i) {
    uris[kNames[i]] = std::string(extension_uri(static_cast<ExtensionKind>(i)));
  }
  m.attr("EXTENSION_URIS") = uris;
  m.def("abs_send_time", &abs_send_time, py::arg("now_us"), "The 24 bits of abs-send-time for a time in us.");
  m.def("parse_rtp_packet", &parse_python_packet, py::arg("data"), py::arg("extension_ids"),
        "The parts of an RTP packet, in the order of RtpPacket's fields.");
  m.def("write_rtp_packet", &write_python_packet, py::arg("payload"), py::arg("payload_type"),
        py::arg("sequence_number"), py::arg("timestamp"), py::arg("ssrc"), py::arg("marker"), py::arg("csrcs"),
        py::arg("extensions"), py::arg("padding_bytes"), py::arg("extension_ids"),
        "The bytes of an RTP packet, from the values of RtpPacket's fields.");
}

}  // namespace

void bind_rtp(py::module_& m) {
  bind_packets(m);
  bind_h264_packetizer(m);
  bind_vp8_packetizer(m);
  bind_vp9_packetizer(m);
  bind_av1_packetizer(m);
  bind_opus_packetizer(m);
  bind_depacketizers(m);
}

}  // namespace mediacore::bindings
