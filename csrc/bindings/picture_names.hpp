// What Python says of pictures, as the core has it: names of matrices, sizes; and an error, as Python has it.
// Threads: with the GIL.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/picture/i420.hpp"
#include "core/picture/limits.hpp"

namespace mediacore::bindings {

inline picture::Matrix matrix_of(std::string_view name) {
  if (name == "bt709") return picture::Matrix::bt709;
  if (name == "bt601") return picture::Matrix::bt601;
  throw pybind11::value_error("matrix must be bt709 or bt601");
}

using OptionalSize = std::optional<std::pair<std::int64_t, std::int64_t>>;

// A length that came from Python; what does not fit is 0 or the greatest, which `check_size` refuses.
inline std::uint32_t length_of(std::int64_t value) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(value, 0, UINT32_MAX));
}

inline picture::Size target_size(picture::Size of_picture, const OptionalSize& wanted) {
  if (!wanted) return of_picture;
  const picture::Size size{length_of(wanted->first), length_of(wanted->second)};
  const auto fits = [](std::uint32_t from, std::uint32_t to) {
    return to >= 1 && to <= from && std::uint64_t{to} * picture::kMaxReduction >= from;
  };
  if (fits(of_picture.width, size.width) && fits(of_picture.height, size.height)) return size;
  throw pybind11::value_error("size must be 1 to 64 times smaller than the picture, which is " +
                              std::to_string(of_picture.width) + "x" + std::to_string(of_picture.height));
}

}  // namespace mediacore::bindings
