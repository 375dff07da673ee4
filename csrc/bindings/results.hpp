// What bindings give back to Python: bytes, and BitstreamError for an expected failure.
// Threads: with the GIL.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <span>
#include <string>

namespace mediacore::bindings {

inline pybind11::bytes to_bytes(std::span<const std::uint8_t> data) {
  return pybind11::bytes(reinterpret_cast<const char*>(data.data()), data.size());
}

// `error` has a code that `describe` knows, and the byte at which it was found.
template <class Error>
[[noreturn]] void raise(const Error& error) {
  const pybind11::object type = pybind11::module_::import("mediacore.errors").attr("BitstreamError");
  const std::string what(describe(error.code));
  PyErr_SetObject(type.ptr(), type(what, error.byte_offset).ptr());
  throw pybind11::error_already_set();
}

}  // namespace mediacore::bindings
