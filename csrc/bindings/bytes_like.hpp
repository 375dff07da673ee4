// The bytes of any Python object with a contiguous buffer, held for as long as this object lives.
// Threads: made and destroyed with the GIL.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace mediacore::bindings {

class BytesLike {
 public:
  // Raises TypeError or BufferError, as Python's own functions do.
  explicit BytesLike(pybind11::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &buffer_, PyBUF_SIMPLE) != 0) throw pybind11::error_already_set();
  }
  BytesLike(const BytesLike&) = delete;
  BytesLike& operator=(const BytesLike&) = delete;
  ~BytesLike() { PyBuffer_Release(&buffer_); }

  std::span<const std::uint8_t> view() const noexcept {
    return {static_cast<const std::uint8_t*>(buffer_.buf), static_cast<std::size_t>(buffer_.len)};
  }

 private:
  Py_buffer buffer_{};
};

}  // namespace mediacore::bindings
