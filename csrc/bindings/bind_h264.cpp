// mediacore.h264: translation only. What the names mean is said in the core headers and in _core.pyi.
#include <pybind11/operators.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bytes_like.hpp"
#include "bindings/module.hpp"
#include "bindings/results.hpp"
#include "core/h264/access_unit_parser.hpp"
#include "core/h264/burst_flush.hpp"
#include "core/h264/low_delay_sps.hpp"
#include "core/h264/parameter_sets.hpp"
#include "core/h264/sps.hpp"
#include "core/h264/start_code.hpp"

namespace py = pybind11;

namespace mediacore::bindings {
namespace {

using namespace h264;

constexpr std::size_t kWorthReleasingGil = std::size_t{1} << 20;  // a scan of 50 µs

// An access unit with bytes of its own.
struct OwnedUnit {
  explicit OwnedUnit(const AccessUnitView& view)
      : data(to_bytes(view.data)),
        nal_offsets(view.nal_offsets.begin(), view.nal_offsets.end()),
        position(view.position),
        is_idr(view.is_idr),
        is_random_access(view.is_random_access),
        sps(std::const_pointer_cast<Sps>(view.sps)) {}

  std::span<const std::uint8_t> bytes() const noexcept {
    return {reinterpret_cast<const std::uint8_t*>(PyBytes_AS_STRING(data.ptr())),
            static_cast<std::size_t>(PyBytes_GET_SIZE(data.ptr()))};
  }

  py::bytes data;
  std::vector<std::uint32_t> nal_offsets;
  std::uint64_t position;
  bool is_idr;
  bool is_random_access;
  std::shared_ptr<Sps> sps;
};

py::object view_of(const OwnedUnit& unit) {
  return py::reinterpret_steal<py::object>(PyMemoryView_FromObject(unit.data.ptr()));
}

// The parser with the units that a push which raised had completed.
class PythonParser {
 public:
  explicit PythonParser(ParserLimits limits) : parser_(limits) {}

  py::list push(py::handle data, bool complete) {
    const BytesLike bytes(data);
    Collector collect{ready_, nullptr};
    const auto limit_passed = parser_.push(bytes.view(), complete, collect);
    if (collect.failure) std::rethrow_exception(collect.failure);
    if (limit_passed) raise(*limit_passed);
    py::list units(ready_.size());
    for (std::size_t i = 0; i < ready_.size(); ++i) units[i] = py::cast(std::move(ready_[i]));
    ready_.clear();
    return units;
  }

  py::object flush() {
    Collector collect{ready_, nullptr};
    if (ready_.empty()) parser_.flush(collect);
    if (collect.failure) std::rethrow_exception(collect.failure);
    if (ready_.empty()) return py::none();
    py::object unit = py::cast(std::move(ready_.front()));
    ready_.erase(ready_.begin());
    return unit;
  }

  ParserStats stats() const { return parser_.stats(); }

 private:
  // The core's sinks do not throw: what fails here (memory) is raised after the push.
  struct Collector {
    std::vector<std::unique_ptr<OwnedUnit>>& units;
    std::exception_ptr failure;

    void operator()(const AccessUnitView& view) noexcept {
      try {
        units.push_back(std::make_unique<OwnedUnit>(view));
      } catch (...) {
        failure = std::current_exception();
      }
    }
  };

  AccessUnitParser parser_;
  std::vector<std::unique_ptr<OwnedUnit>> ready_;
};

ParserLimits checked_limits(std::size_t max_access_unit_bytes, std::size_t max_nal_units) {
  if (max_access_unit_bytes == 0 || max_access_unit_bytes > kMaxAccessUnitBytes) {
    throw py::value_error("max_access_unit_bytes must be 1 to " + std::to_string(kMaxAccessUnitBytes));
  }
  if (max_nal_units == 0 || max_nal_units > kMaxNalUnits) {
    throw py::value_error("max_nal_units must be 1 to " + std::to_string(kMaxNalUnits));
  }
  return {max_access_unit_bytes, max_nal_units};
}

// A named tuple (type, ref_idc, offset, size).
py::object nal_unit_type() {
  static std::array<PyStructSequence_Field, 5> fields{{{"type", "nal_unit_type (table 7-1)."},
                                                       {"ref_idc", "nal_ref_idc: 0 if no other picture refers to it."},
                                                       {"offset", "Of the header byte in the unit's data."},
                                                       {"size", "Header byte included, trailing zeros excluded."},
                                                       {nullptr, nullptr}}};
  PyStructSequence_Desc description{"mediacore.h264.NalUnit", "One NAL unit of an access unit.", fields.data(), 4};
  return py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(PyStructSequence_NewType(&description)));
}

py::list nal_units_of(const OwnedUnit& unit, const py::object& type) {
  py::list result(unit.nal_offsets.size());
  for (std::size_t i = 0; i < unit.nal_offsets.size(); ++i) {
    const NalUnit nal = nal_unit_at(unit.bytes(), unit.nal_offsets, i);
    auto entry = py::reinterpret_steal<py::object>(PyStructSequence_New(reinterpret_cast<PyTypeObject*>(type.ptr())));
    if (!entry) throw py::error_already_set();
    const std::array<std::size_t, 4> values{nal.type, nal.ref_idc, nal.offset, nal.size};
    for (std::size_t k = 0; k < values.size(); ++k) {
      PyStructSequence_SET_ITEM(entry.ptr(), static_cast<Py_ssize_t>(k), PyLong_FromSize_t(values[k]));
    }
    result[i] = std::move(entry);
  }
  return result;
}

std::string text_of(const OwnedUnit& unit) {
  std::string text = "AccessUnit(" + std::to_string(unit.bytes().size()) + " bytes, " +
                     std::to_string(unit.nal_offsets.size()) + " NAL units";
  if (unit.is_idr) text += ", IDR";
  if (unit.is_random_access && !unit.is_idr) text += ", recovery point";
  return text + ")";
}

std::string text_of(const Sps& sps) {
  return "Sps(id=" + std::to_string(sps.id) + ", " + std::to_string(sps.width) + "x" + std::to_string(sps.height) +
         ", profile_level_id='" + sps.profile_level_id() + "')";
}

std::string text_of(const ParserStats& stats) {
  const std::array<std::pair<const char*, std::uint64_t>, 8> counts{{{"bytes", stats.bytes},
                                                                     {"nal_units", stats.nal_units},
                                                                     {"units", stats.units},
                                                                     {"corrupt", stats.corrupt},
                                                                     {"oversize", stats.oversize},
                                                                     {"dropped", stats.dropped},
                                                                     {"cut_units", stats.cut_units},
                                                                     {"skipped_bytes", stats.skipped_bytes}}};
  std::string text = "ParserStats(";
  for (const auto& [name, count] : counts) {
    if (text.back() != '(') text += ", ";
    text += std::string(name) + "=" + std::to_string(count);
  }
  return text + ")";
}

std::vector<std::size_t> start_codes_in(py::handle data) {
  const BytesLike bytes(data);
  std::vector<std::size_t> offsets;
  if (bytes.view().size() < kWorthReleasingGil) {
    find_start_codes(bytes.view(), offsets);
  } else {
    const py::gil_scoped_release released;
    find_start_codes(bytes.view(), offsets);
  }
  return offsets;
}

std::shared_ptr<Sps> sps_of(py::handle nal) {
  auto sps = parse_sps(BytesLike(nal).view());
  if (!sps) raise(sps.error());
  return std::make_shared<Sps>(std::move(*sps));
}

py::bytes low_delay_sps_of(py::handle nal, const std::optional<SpsColour>& colour) {
  const auto rewritten = low_delay_sps(BytesLike(nal).view(), colour);
  if (!rewritten) raise(rewritten.error());
  return to_bytes(*rewritten);
}

py::object complete(const ParameterSets& sets, const OwnedUnit& unit) {
  std::vector<std::uint8_t> completed;
  if (!unit.is_random_access || !sets.complete(unit.bytes(), unit.nal_offsets, completed)) return view_of(unit);
  return to_bytes(completed);
}

void bind_vui(py::module_& m) {
  py::class_<FrameCropping>(m, "FrameCropping")
      .def_readonly("left", &FrameCropping::left)
      .def_readonly("right", &FrameCropping::right)
      .def_readonly("top", &FrameCropping::top)
      .def_readonly("bottom", &FrameCropping::bottom);
  py::class_<TimingInfo>(m, "TimingInfo")
      .def_readonly("num_units_in_tick", &TimingInfo::num_units_in_tick)
      .def_readonly("time_scale", &TimingInfo::time_scale)
      .def_readonly("fixed_frame_rate_flag", &TimingInfo::fixed_frame_rate_flag);
  py::class_<HrdSchedule>(m, "HrdSchedule")
      .def_readonly("bit_rate_value_minus1", &HrdSchedule::bit_rate_value_minus1)
      .def_readonly("cpb_size_value_minus1", &HrdSchedule::cpb_size_value_minus1)
      .def_readonly("cbr_flag", &HrdSchedule::cbr_flag);
  py::class_<HrdParameters>(m, "HrdParameters")
      .def_readonly("schedules", &HrdParameters::schedules)
      .def_readonly("bit_rate_scale", &HrdParameters::bit_rate_scale)
      .def_readonly("cpb_size_scale", &HrdParameters::cpb_size_scale)
      .def_readonly("initial_cpb_removal_delay_length_minus1", &HrdParameters::initial_cpb_removal_delay_length_minus1)
      .def_readonly("cpb_removal_delay_length_minus1", &HrdParameters::cpb_removal_delay_length_minus1)
      .def_readonly("dpb_output_delay_length_minus1", &HrdParameters::dpb_output_delay_length_minus1)
      .def_readonly("time_offset_length", &HrdParameters::time_offset_length);
  using Restriction = BitstreamRestriction;
  py::class_<Restriction>(m, "BitstreamRestriction")
      .def_readonly("motion_vectors_over_pic_boundaries_flag", &Restriction::motion_vectors_over_pic_boundaries_flag)
      .def_readonly("max_bytes_per_pic_denom", &Restriction::max_bytes_per_pic_denom)
      .def_readonly("max_bits_per_mb_denom", &Restriction::max_bits_per_mb_denom)
      .def_readonly("log2_max_mv_length_horizontal", &Restriction::log2_max_mv_length_horizontal)
      .def_readonly("log2_max_mv_length_vertical", &Restriction::log2_max_mv_length_vertical)
      .def_readonly("max_num_reorder_frames", &Restriction::max_num_reorder_frames)
      .def_readonly("max_dec_frame_buffering", &Restriction::max_dec_frame_buffering);
  py::class_<Vui>(m, "Vui")
      .def_readonly("aspect_ratio_info_present_flag", &Vui::aspect_ratio_info_present_flag)
      .def_readonly("aspect_ratio_idc", &Vui::aspect_ratio_idc)
      .def_readonly("sar_width", &Vui::sar_width)
      .def_readonly("sar_height", &Vui::sar_height)
      .def_readonly("overscan_info_present_flag", &Vui::overscan_info_present_flag)
      .def_readonly("overscan_appropriate_flag", &Vui::overscan_appropriate_flag)
      .def_readonly("video_signal_type_present_flag", &Vui::video_signal_type_present_flag)
      .def_readonly("video_format", &Vui::video_format)
      .def_readonly("video_full_range_flag", &Vui::video_full_range_flag)
      .def_readonly("colour_description_present_flag", &Vui::colour_description_present_flag)
      .def_readonly("colour_primaries", &Vui::colour_primaries)
      .def_readonly("transfer_characteristics", &Vui::transfer_characteristics)
      .def_readonly("matrix_coefficients", &Vui::matrix_coefficients)
      .def_readonly("chroma_loc_info_present_flag", &Vui::chroma_loc_info_present_flag)
      .def_readonly("chroma_sample_loc_type_top_field", &Vui::chroma_sample_loc_type_top_field)
      .def_readonly("chroma_sample_loc_type_bottom_field", &Vui::chroma_sample_loc_type_bottom_field)
      .def_readonly("timing_info", &Vui::timing_info)
      .def_readonly("nal_hrd", &Vui::nal_hrd)
      .def_readonly("vcl_hrd", &Vui::vcl_hrd)
      .def_readonly("low_delay_hrd_flag", &Vui::low_delay_hrd_flag)
      .def_readonly("pic_struct_present_flag", &Vui::pic_struct_present_flag)
      .def_readonly("bitstream_restriction", &Vui::bitstream_restriction);
}

void bind_sps(py::module_& m) {
  py::class_<Sps, std::shared_ptr<Sps>>(m, "Sps", "Sequence parameter set (H.264 7.3.2.1.1); never changes.")
      .def_readonly("profile_idc", &Sps::profile_idc)
      .def_readonly("constraint_flags", &Sps::constraint_flags)
      .def_readonly("level_idc", &Sps::level_idc)
      .def_readonly("id", &Sps::id)
      .def_readonly("chroma_format_idc", &Sps::chroma_format_idc)
      .def_readonly("separate_colour_plane_flag", &Sps::separate_colour_plane_flag)
      .def_readonly("bit_depth_luma", &Sps::bit_depth_luma)
      .def_readonly("bit_depth_chroma", &Sps::bit_depth_chroma)
      .def_readonly("qpprime_y_zero_transform_bypass_flag", &Sps::qpprime_y_zero_transform_bypass_flag)
      .def_readonly("seq_scaling_matrix_present_flag", &Sps::seq_scaling_matrix_present_flag)
      .def_readonly("log2_max_frame_num", &Sps::log2_max_frame_num)
      .def_readonly("pic_order_cnt_type", &Sps::pic_order_cnt_type)
      .def_readonly("log2_max_pic_order_cnt_lsb", &Sps::log2_max_pic_order_cnt_lsb)
      .def_readonly("delta_pic_order_always_zero_flag", &Sps::delta_pic_order_always_zero_flag)
      .def_readonly("offset_for_non_ref_pic", &Sps::offset_for_non_ref_pic)
      .def_readonly("offset_for_top_to_bottom_field", &Sps::offset_for_top_to_bottom_field)
      .def_readonly("offset_for_ref_frame", &Sps::offset_for_ref_frame)
      .def_readonly("max_num_ref_frames", &Sps::max_num_ref_frames)
      .def_readonly("gaps_in_frame_num_value_allowed_flag", &Sps::gaps_in_frame_num_value_allowed_flag)
      .def_readonly("pic_width_in_mbs", &Sps::pic_width_in_mbs)
      .def_readonly("pic_height_in_map_units", &Sps::pic_height_in_map_units)
      .def_readonly("frame_mbs_only_flag", &Sps::frame_mbs_only_flag)
      .def_readonly("mb_adaptive_frame_field_flag", &Sps::mb_adaptive_frame_field_flag)
      .def_readonly("direct_8x8_inference_flag", &Sps::direct_8x8_inference_flag)
      .def_readonly("frame_cropping", &Sps::frame_cropping)
      .def_readonly("vui", &Sps::vui)
      .def_readonly("vui_truncated", &Sps::vui_truncated)
      .def_readonly("width", &Sps::width)
      .def_readonly("height", &Sps::height)
      .def_property_readonly("fps", &Sps::fps)
      .def_property_readonly("profile_level_id", &Sps::profile_level_id)
      .def(py::self == py::self)
      .def("__hash__", [](const Sps& sps) { return py::hash(py::str(text_of(sps))); })
      .def("__repr__", [](const Sps& sps) { return text_of(sps); });
}

void bind_parser(py::module_& m) {
  const py::object nal_unit = nal_unit_type();
  m.attr("NalUnit") = nal_unit;
  py::class_<OwnedUnit>(m, "AccessUnit", "One access unit with its own bytes.")
      .def_property_readonly("data", &view_of)
      .def_property_readonly("nal_units", [nal_unit](const OwnedUnit& unit) { return nal_units_of(unit, nal_unit); })
      .def_readonly("position", &OwnedUnit::position)
      .def_readonly("is_idr", &OwnedUnit::is_idr)
      .def_readonly("is_random_access", &OwnedUnit::is_random_access)
      .def_readonly("sps", &OwnedUnit::sps)
      .def("__repr__", [](const OwnedUnit& unit) { return text_of(unit); });
  py::class_<ParserStats>(m, "ParserStats", "Counts of an AccessUnitParser since it was made.")
      .def_readonly("bytes", &ParserStats::bytes)
      .def_readonly("nal_units", &ParserStats::nal_units)
      .def_readonly("units", &ParserStats::units)
      .def_readonly("corrupt", &ParserStats::corrupt)
      .def_readonly("oversize", &ParserStats::oversize)
      .def_readonly("dropped", &ParserStats::dropped)
      .def_readonly("cut_units", &ParserStats::cut_units)
      .def_readonly("skipped_bytes", &ParserStats::skipped_bytes)
      .def("__repr__", [](const ParserStats& stats) { return text_of(stats); });
  const ParserLimits defaults;
  py::class_<PythonParser>(m, "AccessUnitParser", "Annex B bytes in, access units out, whatever the chunking.")
      .def(py::init([](std::size_t max_access_unit_bytes, std::size_t max_nal_units) {
             return std::make_unique<PythonParser>(checked_limits(max_access_unit_bytes, max_nal_units));
           }),
           py::arg("max_access_unit_bytes") = defaults.access_unit_bytes, py::arg("max_nal_units") = defaults.nal_units)
      .def("push", &PythonParser::push, py::arg("data"), py::kw_only(), py::arg("complete") = false,
           "Takes bytes; returns the access units that are complete.")
      .def("flush", &PythonParser::flush, "Returns the access unit received so far, or None.")
      .def("stats", &PythonParser::stats, "The counts so far.");
}

void bind_stream_parts(py::module_& m) {
  py::class_<ParameterSets>(m, "ParameterSets", "Keeps SPS and PPS, and puts them before random access points.")
      .def(py::init<>())
      .def(
          "observe", [](ParameterSets& sets, const OwnedUnit& unit) { sets.observe(unit.bytes(), unit.nal_offsets); },
          py::arg("unit"), "Keeps the SPS and PPS of a unit.")
      .def("complete", &complete, py::arg("unit"), "The unit's bytes, with the sets that a random access point lacks.");
  py::class_<BurstFlush>(m, "BurstFlush", "When to flush a stream without frame boundaries; learns from its pauses.")
      .def(py::init<std::int64_t, std::int64_t>(), py::arg("idle_us") = BurstFlush::kDefaultIdleUs,
           py::arg("max_idle_us") = BurstFlush::kDefaultMaxIdleUs)
      .def(
          "observe",
          [](BurstFlush& flush, std::int64_t now_us, py::handle data) {
            return flush.observe(now_us, BytesLike(data).view());
          },
          py::arg("now_us"), py::arg("data"), "Bytes came in at now_us; returns when to flush, or None.")
      .def("flushed", &BurstFlush::flushed, py::arg("now_us"), "The parser was flushed at now_us.")
      .def("for_new_stream", &BurstFlush::for_new_stream, "One that knows the link's pauses, for another stream.")
      .def_property_readonly("wrong_flushes", &BurstFlush::wrong_flushes)
      .def_property_readonly("idle_us", &BurstFlush::idle_us);
}

}  // namespace

void bind_h264(py::module_& m) {
  bind_vui(m);
  bind_sps(m);
  bind_parser(m);
  bind_stream_parts(m);
  m.def("find_start_codes", &start_codes_in, py::arg("data"), "Offsets of the first byte of each 00 00 01.");
  m.def("parse_sps", &sps_of, py::arg("nal"), "Parses an SPS NAL unit (header byte first, no start code).");
  m.def(
      "low_delay_sps",
      [](py::handle nal, const std::optional<std::tuple<std::uint8_t, std::uint8_t, std::uint8_t, bool>>& colour) {
        std::optional<SpsColour> wanted;
        if (colour) {
          const auto& [primaries, transfer, matrix, full_range] = *colour;
          wanted = SpsColour{primaries, transfer, matrix, full_range};
        }
        return low_delay_sps_of(nal, wanted);
      },
      py::arg("nal"), py::kw_only(), py::arg("colour") = py::none(),
      "An SPS NAL unit whose VUI lets decoders give each picture at once.");
}

}  // namespace mediacore::bindings
