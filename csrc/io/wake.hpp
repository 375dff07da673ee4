// One wake-up of a loop thread: the time, who has something to send at its end, and where events go.
// Threads: the loop's thread.
#pragma once

#include <vector>

#include "io/clock.hpp"
#include "io/event_queue.hpp"
#include "io/viewer.hpp"

namespace mediacore::io {

struct Wake {
  explicit Wake(EventQueue& queue) : events(queue) {}

  // To be polled when everything that came is in.
  void poll_later(Viewer& viewer) {
    if (viewer.ready) return;
    ready.push_back(&viewer);
    viewer.ready = true;
  }

  egress::Now now;
  std::vector<Viewer*> ready;
  EventQueue& events;
};

}  // namespace mediacore::io
