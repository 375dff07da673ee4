// mediacore.h264.ProfileLevelId and the levels: translation only.
#include <pybind11/operators.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <optional>
#include <string>

#include "bindings/module.hpp"
#include "core/h264/profile_level_id.hpp"

namespace py = pybind11;

namespace mediacore::bindings {
namespace {

using namespace h264;

constexpr std::array<const char*, 6> kProfileNames{"constrained-baseline", "baseline", "main",
                                                   "constrained-high",     "high",     "predictive-high-444"};
constexpr std::array<const char*, 17> kLevelNames{"1",   "1b",  "1.1", "1.2", "1.3", "2", "2.1", "2.2", "3",
                                                  "3.1", "3.2", "4",   "4.1", "4.2", "5", "5.1", "5.2"};

template <class Enum, std::size_t kSize>
Enum named(const std::array<const char*, kSize>& names, const std::string& name, const char* what) {
  for (std::size_t i = 0; i < kSize; ++i) {
    if (name == names[i]) return static_cast<Enum>(i);
  }
  throw py::value_error(std::string("no such ") + what + ": " + name);
}

std::optional<std::string> level_name(std::optional<Level> level) {
  if (!level) return std::nullopt;
  return kLevelNames[static_cast<std::size_t>(*level)];
}

}  // namespace

void bind_profile_level_id(py::module_& m) {
  py::class_<ProfileLevelId>(m, "ProfileLevelId", "Profile and level that a profile-level-id names.")
      .def(py::init([](const std::string& profile, const std::string& level) {
             return ProfileLevelId{named<Profile>(kProfileNames, profile, "H.264 profile"),
                                   named<Level>(kLevelNames, level, "H.264 level")};
           }),
           py::arg("profile"), py::arg("level"))
      .def_static("parse", &parse_profile_level_id, py::arg("text"), "Six hexadecimal digits; None if they name none.")
      .def_property_readonly(
          "profile", [](const ProfileLevelId& id) { return kProfileNames[static_cast<std::size_t>(id.profile)]; })
      .def_property_readonly("level", [](const ProfileLevelId& id) { return level_name(id.level); })
      .def_property_readonly("text",
                             [](const ProfileLevelId& id) -> std::optional<std::string> {
                               const auto text = profile_level_text(id);
                               if (!text) return std::nullopt;
                               return std::string(text->begin(), text->end());
                             })
      .def(
          "answered",
          [](const ProfileLevelId& id, const ProfileLevelId& theirs, bool both_allow_asymmetry) {
            return ProfileLevelId{id.profile, answered_level(id.level, theirs.level, both_allow_asymmetry)};
          },
          py::arg("theirs"), py::kw_only(), py::arg("both_allow_asymmetry"), "Ours, with the level of an answer.")
      .def(py::self == py::self)
      .def("__hash__", [](const ProfileLevelId& id) {
        return static_cast<std::size_t>(id.profile) * kLevelNames.size() + static_cast<std::size_t>(id.level);
      });
  m.def(
      "guaranteed_level",
      [](std::uint64_t max_pixels, double max_fps) { return level_name(guaranteed_level(max_pixels, max_fps)); },
      py::arg("max_pixels"), py::arg("max_fps"), "The highest level that a decoder of these limits takes in any case.");
  m.def(
      "required_level",
      [](std::uint32_t width, std::uint32_t height, double fps) {
        return level_name(required_level(width, height, fps));
      },
      py::arg("width"), py::arg("height"), py::arg("fps"), "The lowest level that such a stream fits into.");
}

}  // namespace mediacore::bindings
