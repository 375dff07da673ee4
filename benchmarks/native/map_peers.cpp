// The session map behind two other bindings: a hand-written METH_FASTCALL and METH_O, and pybind11; values are objects.
//
// Also what native threads do with the map of a SessionMap, by its capsule, without the GIL: lookups, timed one by one.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/sessions/session_map.hpp"

namespace py = pybind11;

namespace {

using mediacore::sessions::SessionMap;

struct Shared {
  SessionMap map{32};
  std::vector<PyObject*> values;
};

Shared& shared() {
  static Shared one;
  return one;
}

PyObject* value_of(std::string_view id) {
  const auto found = shared().map.get(id);
  if (!found) Py_RETURN_NONE;
  PyObject* value = shared().values[found->handle];
  Py_INCREF(value);
  return value;
}

PyObject* fastcall_get(PyObject* /*self*/, PyObject* const* arguments, Py_ssize_t count) {
  if (count != 1 || !PyUnicode_Check(arguments[0])) {
    PyErr_SetString(PyExc_TypeError, "get(id)");
    return nullptr;
  }
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(arguments[0], &size);
  if (text == nullptr) return nullptr;
  return value_of({text, static_cast<std::size_t>(size)});
}

PyMethodDef fastcall_methods[] = {
    {"get", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(fastcall_get)), METH_FASTCALL, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot fastcall_slots[] = {{Py_tp_methods, fastcall_methods}, {0, nullptr}};
PyType_Spec fastcall_spec = {"map_peers.FastcallMap", 0, 0, Py_TPFLAGS_DEFAULT, fastcall_slots};

struct PybindMap {
  py::object get(std::string_view id) const { return py::reinterpret_steal<py::object>(value_of(id)); }
};

void put(const std::string& id, const py::object& value) {
  shared().values.push_back(value.inc_ref().ptr());
  shared().map.put(id, shared().values.size() - 1, 0);
}

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// A thread that looks ids up and times each lookup, until it is stopped.
class Lookups {
 public:
  Lookups(const py::capsule& capsule, std::vector<std::string> ids)
      : map_(*capsule.get_pointer<std::shared_ptr<SessionMap>>()), ids_(std::move(ids)), thread_([this] { run(); }) {}
  ~Lookups() { stop(); }

  py::tuple stop() {
    stopping_ = true;
    {
      const py::gil_scoped_release released;
      if (thread_.joinable()) thread_.join();
    }
    std::sort(ns_.begin(), ns_.end());
    const auto at = [this](double share) {
      return ns_.empty() ? 0 : ns_[static_cast<std::size_t>(share * static_cast<double>(ns_.size() - 1))];
    };
    return py::make_tuple(ns_.size(), missing_, at(0.5), at(0.99), at(0.999), at(1));
  }

 private:
  void run() {
    constexpr std::size_t kMost = 4'000'000;
    ns_.reserve(kMost);
    for (std::size_t i = 0; !stopping_ && ns_.size() < kMost; ++i) {
      const std::int64_t began_ns = now_ns();
      const bool found = map_->get(ids_[i % ids_.size()]).has_value();
      ns_.push_back(now_ns() - began_ns);
      missing_ += found ? 0 : 1;
    }
  }

  std::shared_ptr<SessionMap> map_;
  std::vector<std::string> ids_;
  std::vector<std::int64_t> ns_;
  std::size_t missing_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace

PYBIND11_MODULE(map_peers, m) {
  m.attr("FastcallMap") = py::reinterpret_steal<py::object>(PyType_FromSpec(&fastcall_spec));
  py::class_<PybindMap>(m, "PybindMap").def(py::init<>()).def("get", &PybindMap::get);
  m.def("put", &put);
  py::class_<Lookups>(m, "Lookups")
      .def(py::init([](const py::capsule& capsule, const py::list& ids) {
        return std::make_unique<Lookups>(capsule, ids.cast<std::vector<std::string>>());
      }))
      .def("stop", &Lookups::stop, "(lookups, missing, p50, p99, p99.9, greatest, in ns)");
}
