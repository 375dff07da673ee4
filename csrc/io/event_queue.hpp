// Events on their way to Python: one queue for all threads of a loop, and a descriptor that is readable when it is not
// empty.
//
// Policy: no state event is lost. What can repeat (a key frame is wanted, a source is damaged, a destination moved, a
//   viewer is silent or says BYE, a tap is ready) is in the queue once per object, with its newest values; of descriptions of one
//   rendition at most kDescriptions, the newest overwriting the last. So the queue is bounded by what exists. Of
//   datagrams there are kDatagramsPerViewer and kDatagrams; more is dropped and counted.
// Wake-up: the descriptor is written when the queue was empty; the reader reads it first and takes then, so no event is
//   left unseen (a spurious wake-up can happen).
// Threads: any. The lock is held for the time of a push or a swap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "io/descriptor.hpp"
#include "io/event.hpp"

namespace mediacore::io {

class EventQueue {
 public:
  static constexpr std::size_t kDatagramsPerViewer = 64;  // a DTLS flight has 10, a data channel's burst 32
  static constexpr std::size_t kDatagrams = 4096;         // of all viewers: 8 MB of full ones
  static constexpr std::size_t kDescriptions = 8;         // per rendition

  struct Figures {
    std::size_t events = 0;     // queued, datagrams included
    std::size_t datagrams = 0;  // queued
    std::uint64_t quota_drops = 0;
  };

  // Throws std::system_error if there is no descriptor.
  EventQueue();

  int descriptor() const noexcept { return signal_.get(); }
  void post(Event event);
  // False: dropped, and counted for the viewer.
  bool post_datagram(DatagramUp datagram);
  // Counts one that was not posted, for its viewer.
  void drop_datagram(ViewerShared& viewer);
  std::vector<Event> take();
  Figures figures() const;
  void close() noexcept { signal_.close(); }

 private:
  // An event that is in the queue already and takes the next one's values.
  struct Pending {
    std::size_t count = 0;
    std::size_t last = 0;  // in events_
  };

  void append(Event event);
  void count_drop(ViewerShared& viewer) noexcept;

  Descriptor signal_;
  mutable std::mutex mutex_;
  std::vector<Event> events_;
  std::unordered_map<std::uint64_t, Pending> pending_;  // by kind and object
  std::size_t datagrams_ = 0;
  std::uint64_t quota_drops_ = 0;
};

}  // namespace mediacore::io
