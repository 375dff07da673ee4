// A plane of a picture as a DLPack capsule (DLPack 0.8, dlpack.h), the form in which PyAV takes planes of any size
// without a copy. numpy makes none of read-only arrays, since a capsule cannot say that it is one: who takes it is to
// read only.
//
// Threads: capsules are made with the GIL; what they hold may be given back by any thread, with it or without it.
#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>

#include "bindings/module.hpp"

namespace py = pybind11;

namespace mediacore::bindings {
namespace {

constexpr const char* kUnused = "dltensor";  // who takes it gives it another name
constexpr std::int32_t kCpu = 1;
constexpr std::uint8_t kUnsigned = 1;

struct Device {
  std::int32_t type;
  std::int32_t id;
};
struct DataType {
  std::uint8_t code;
  std::uint8_t bits;
  std::uint16_t lanes;
};
struct Tensor {
  void* data;
  Device device;
  std::int32_t dimensions;
  DataType type;
  std::int64_t* shape;
  std::int64_t* strides;  // in elements
  std::uint64_t byte_offset;
};
struct ManagedTensor {
  Tensor tensor;
  void* owner;
  void (*give_back)(ManagedTensor*);
};

struct Plane {
  Plane() = default;
  Plane(const Plane&) = delete;
  Plane& operator=(const Plane&) = delete;
  ~Plane() {
    if (buffer.obj != nullptr) PyBuffer_Release(&buffer);
  }

  ManagedTensor managed{};
  Py_buffer buffer{};
  std::int64_t shape[2]{};    // NOLINT(*-avoid-c-arrays): what DLPack points to
  std::int64_t strides[2]{};  // NOLINT(*-avoid-c-arrays)
};

void give_back(ManagedTensor* managed) {
  if (Py_IsInitialized() == 0) return;  // the process ends, and the memory with it
  const py::gil_scoped_acquire acquired;
  delete static_cast<Plane*>(managed->owner);
}

void destroy_capsule(PyObject* capsule) {
  if (PyCapsule_IsValid(capsule, kUnused) == 0) return;
  auto* const managed = static_cast<ManagedTensor*>(PyCapsule_GetPointer(capsule, kUnused));
  managed->give_back(managed);
}

py::object plane_capsule(py::handle rows) {
  auto plane = std::make_unique<Plane>();
  if (PyObject_GetBuffer(rows.ptr(), &plane->buffer, PyBUF_STRIDED_RO) != 0) throw py::error_already_set();
  const Py_buffer& buffer = plane->buffer;
  if (buffer.ndim != 2 || buffer.itemsize != 1) throw py::value_error("a plane has rows and columns of bytes");
  for (int i = 0; i < 2; ++i) {
    plane->shape[i] = buffer.shape[i];
    plane->strides[i] = buffer.strides[i];
  }
  plane->managed = {
      {buffer.buf, {kCpu, 0}, 2, {kUnsigned, 8, 1}, plane->shape, plane->strides, 0}, plane.get(), give_back};
  auto capsule = py::reinterpret_steal<py::object>(PyCapsule_New(&plane->managed, kUnused, destroy_capsule));
  if (!capsule) throw py::error_already_set();
  static_cast<void>(plane.release());
  return capsule;
}

}  // namespace

void bind_plane(py::module_& m) {
  m.def("plane_capsule", &plane_capsule, py::arg("rows"), "A DLPack capsule of rows of bytes, which it keeps alive.");
}

}  // namespace mediacore::bindings
