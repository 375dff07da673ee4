// Native threads beside Python: pictures pushed into a ring by its capsule, without the GIL; and the peer that takes the GIL
// and calls call_soon_threadsafe. Each picture carries the time at which it was pushed, in ns of the monotonic clock.
#include <pybind11/pybind11.h>

#include <cstdint>
#include <ctime>
#include <memory>
#include <thread>

#include "io/frame_channel.hpp"

namespace py = pybind11;

namespace {

using mediacore::io::FrameChannel;
using mediacore::memory::Lease;

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void sleep_us(std::int64_t us) {
  const timespec pause{us / 1'000'000, us % 1'000'000 * 1000};
  nanosleep(&pause, nullptr);
}

// Joined when it goes.
class Producer {
 public:
  explicit Producer(std::thread thread) : thread_(std::move(thread)) {}
  ~Producer() { join(); }
  void join() {
    const py::gil_scoped_release released;
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::thread thread_;
};

std::unique_ptr<Producer> push(const py::capsule& capsule, int count, std::int64_t pause_us) {
  auto channel = *capsule.get_pointer<std::shared_ptr<FrameChannel>>();
  return std::make_unique<Producer>(std::thread([channel, count, pause_us] {
    for (int frame = 0; frame < count; ++frame) {
      sleep_us(pause_us);
      Lease lease = channel->acquire();
      if (!lease) continue;
      lease.info() = {.width = 2, .height = 2, .stride = 2, .bt601 = false, .pts_us = now_ns()};
      channel->push(std::move(lease));
    }
    channel->close();
  }));
}

// `post` is loop.call_soon_threadsafe, `take` what it shall call with the time.
std::unique_ptr<Producer> call(py::object post, py::object take, int count, std::int64_t pause_us) {
  auto* kept = new std::pair(std::move(post), std::move(take));
  return std::make_unique<Producer>(std::thread([kept, count, pause_us] {
    for (int frame = 0; frame < count; ++frame) {
      sleep_us(pause_us);
      const std::int64_t pushed_ns = now_ns();
      const py::gil_scoped_acquire acquired;
      kept->first(kept->second, pushed_ns);
    }
    const py::gil_scoped_acquire acquired;
    kept->first(kept->second, py::none());
    delete kept;
  }));
}

}  // namespace

PYBIND11_MODULE(frame_producer, m) {
  py::class_<Producer>(m, "Producer").def("join", &Producer::join);
  m.def("push", &push);
  m.def("call", &call);
}
