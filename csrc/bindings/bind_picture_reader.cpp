// The picture reader: what it reports, as tuples; pictures as read-only buffers that keep their slot.
#include <fcntl.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

#include "bindings/module.hpp"
#include "bindings/picture_names.hpp"
#include "bindings/results.hpp"
#include "io/clock.hpp"
#include "io/picture_reader.hpp"

namespace py = pybind11;

namespace mediacore::bindings {
namespace {

using namespace mediacore::io;       // NOLINT(google-build-using-namespace)
using namespace mediacore::picture;  // NOLINT(google-build-using-namespace)

// A slot of the reader's pool: it goes back with the last view of this.
class PictureSlot {
 public:
  PictureSlot(memory::SharedLease lease, std::size_t bytes) : lease_(std::move(lease)), bytes_(bytes) {}

  py::buffer_info buffer() { return {lease_->data().data(), static_cast<py::ssize_t>(bytes_), /*readonly=*/true}; }

 private:
  memory::SharedLease lease_;
  std::size_t bytes_;
};

std::string_view word_of(Damage damage) noexcept {
  switch (damage) {
    case Damage::truncated: return "truncated";
    case Damage::corrupt: return "corrupt";
    case Damage::oversize: return "oversize";
    case Damage::no_picture: return "device-failed";
    case Damage::pool_exhausted: return "pool-exhausted";
  }
  return "corrupt";
}

std::string_view word_of(PicturesEnded::Reason reason) noexcept {
  switch (reason) {
    case PicturesEnded::Reason::closed: return "closed";
    case PicturesEnded::Reason::failed: return "failed";
    case PicturesEnded::Reason::damaged: return "damaged";
  }
  return "failed";
}

py::str text_of(const std::string& bytes) {
  return py::reinterpret_steal<py::str>(
      PyUnicode_DecodeUTF8(bytes.data(), static_cast<py::ssize_t>(bytes.size()), "backslashreplace"));
}

// ("shot", slot, (width, height), stride, dirty rows, (first byte, complete, decoded), wire bytes, format)
py::object to_object(Shot& shot) {
  const I420Layout layout = shot.picture.layout;
  py::object dirty = py::none();
  if (shot.picture.dirty) dirty = py::make_tuple(shot.picture.dirty->first, shot.picture.dirty->end);
  auto slot = std::make_shared<PictureSlot>(std::move(shot.picture.lease), layout.bytes());
  return py::make_tuple("shot", slot, py::make_tuple(layout.size.width, layout.size.height), layout.stride, dirty,
                        py::make_tuple(shot.first_byte_us, shot.complete_us, shot.decoded_us), shot.wire_bytes,
                        picture::word_of(shot.form));
}

// ("damaged", cause, detail)
py::object to_object(DamagedShot& shot) {
  return py::make_tuple("damaged", word_of(shot.damage), text_of(shot.detail));
}

// ("ended", error number, head, reason)
py::object to_object(PicturesEnded& end) {
  return py::make_tuple("ended", end.error_number, to_bytes(end.head), word_of(end.reason));
}

std::int64_t deadline_of(double timeout_s) {
  constexpr double kMostS = 4e9;  // some 127 years: in microseconds it still fits
  if (std::isnan(timeout_s)) throw py::value_error("timeout_s is not a number");
  return monotonic_us() + static_cast<std::int64_t>(std::clamp(timeout_s, 0.0, kMostS) * 1e6);
}

Size largest_of(const OptionalSize& size) {
  if (!size) return {};
  if (size->first < 1 || size->second < 1) throw py::value_error("size must be at least 1x1");
  return {length_of(size->first), length_of(size->second)};
}

PictureReader::Framing framing_of(const std::optional<std::string>& trailer) {
  if (!trailer) return FrameStreamFraming();
  const bool fits = trailer->size() >= ShotFraming::kLeastTrailer && trailer->size() <= ShotFraming::kMostTrailer;
  if (!fits || trailer->find('\n') != std::string::npos) {
    throw py::value_error("the trailer must be one line of 8 to 256 bytes");
  }
  return ShotFraming(*trailer);
}

[[noreturn]] void raise(const std::system_error& error) {
  const py::tuple arguments = py::make_tuple(error.code().value(), error.what());
  PyErr_SetObject(PyExc_OSError, arguments.ptr());
  throw py::error_already_set();
}

class PythonPictureReader {
 public:
  PythonPictureReader(int fd, const std::optional<std::string>& trailer, std::int64_t slots, std::int64_t slot_bytes,
                      std::int64_t capacity, std::string_view matrix, const OptionalSize& size) {
    const auto count = [](std::int64_t value) { return static_cast<std::size_t>(std::max<std::int64_t>(value, 0)); };
    if (capacity < 1) throw py::value_error("capacity must be at least 1");
    if (!memory::FramePool::valid(count(slots), count(slot_bytes))) {
      throw py::value_error("there may be 1 to 4096 slots, of 4 GiB in all");
    }
    PictureReader::Framing framing = framing_of(trailer);
    const PictureReader::Settings settings{count(capacity), matrix_of(matrix), largest_of(size)};
    Descriptor socket(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!socket) raise(std::system_error(errno, std::generic_category()));
    try {
      const py::gil_scoped_release released;
      auto pool = std::make_shared<memory::FramePool>(count(slots), count(slot_bytes));
      reader_ = std::make_unique<PictureReader>(std::move(socket), std::move(framing), std::move(pool), settings);
    } catch (const std::system_error& error) {
      raise(error);
    }
  }
  PythonPictureReader(const PythonPictureReader&) = delete;
  PythonPictureReader& operator=(const PythonPictureReader&) = delete;
  // Also when it is collected: its thread is joined without the GIL, which it does not need but others may.
  ~PythonPictureReader() {
    if (reader_) close();
  }

  bool request() { return reader_->request(); }

  py::object next(double timeout_s) {
    const std::int64_t deadline_us = deadline_of(timeout_s);
    for (;;) {
      std::optional<PictureReport> report;
      {
        const py::gil_scoped_release released;
        report = reader_->next_until(deadline_us);
      }
      if (report) {
        return std::visit([](auto& any) { return to_object(any); }, *report);
      }
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      if (reader_->is_closed() || monotonic_us() >= deadline_us) return py::none();
    }
  }

  void set_size(const OptionalSize& size) { reader_->set_largest(largest_of(size)); }

  void close() {
    const py::gil_scoped_release released;
    reader_->close();
  }

  py::dict counts() const {
    const PictureCounts counts = reader_->counts();
    py::dict damaged;
    for (std::size_t i = 0; i < kDamages; ++i) damaged[py::str(word_of(static_cast<Damage>(i)))] = counts.damaged[i];
    py::dict all;
    all["pictures"] = counts.pictures;
    all["delivered"] = counts.delivered;
    all["queued"] = counts.queued;
    all["overflown"] = counts.overflown;
    all["damaged"] = damaged;
    all["wire_bytes"] = counts.wire_bytes;
    all["skipped_bytes"] = counts.skipped_bytes;
    return all;
  }

 private:
  std::unique_ptr<PictureReader> reader_;
};

}  // namespace

void bind_picture_reader(py::module_& m) {
  py::class_<PictureSlot, std::shared_ptr<PictureSlot>>(m, "PictureSlot", py::buffer_protocol(),
                                                        "The planes of one picture of a reader.")
      .def_buffer([](PictureSlot& slot) { return slot.buffer(); });
  py::class_<PythonPictureReader>(m, "PictureReader", "Pictures of a socket, read and decoded on a thread of its own.")
      .def(py::init<int, const std::optional<std::string>&, std::int64_t, std::int64_t, std::int64_t, std::string_view,
                    const OptionalSize&>(),
           py::arg("fd"), py::arg("trailer"), py::arg("slots"), py::arg("slot_bytes"), py::arg("capacity"),
           py::arg("matrix"), py::arg("size"))
      .def("request", &PythonPictureReader::request, "Asks for one more shot; False if that cannot be sent.")
      .def("next", &PythonPictureReader::next, py::arg("timeout_s"), "What was reported next, as a tuple, or None.")
      .def("set_size", &PythonPictureReader::set_size, py::arg("size"), "The largest size, from the next picture on.")
      .def("close", &PythonPictureReader::close, "Ends the thread and closes the socket.")
      .def("counts", &PythonPictureReader::counts, "Counts by name.");
  m.def(
      "picture_slot_bytes",
      [](std::int64_t width, std::int64_t height) {
        const Size size{length_of(width), length_of(height)};
        if (check_size(size)) throw py::value_error("there is no picture of this size");
        return std::max(I420Layout(size).bytes(), I420Layout({size.height, size.width}).bytes());
      },
      py::arg("width"), py::arg("height"), "What a slot needs for a picture of this size, either way up.");
}

}  // namespace mediacore::bindings
