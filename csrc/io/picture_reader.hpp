// Reads pictures from a device's socket and decodes them, on a thread of its own.
//
//   PictureReader reader(socket, ShotFraming(trailer), pool, {.capacity = 2});
//   reader.request();
//   while (auto report = reader.next_until(deadline_us)) …
//
// Guarantees: a consumer that is slow, or is gone, never keeps the reader from reading (io/picture_reports.hpp says what it
//   misses). A damaged picture is told and costs no other. No byte of a picture is copied between the socket and its
//   decoder. After `close` the thread has ended and the socket is closed; it waits for no more than one decoder's work on a
//   picture, and of a JPEG not for that. Signals are not delivered to the thread.
// Memory: the framing's buffer, and slots of the pool: `capacity`, two, and what the consumer keeps.
// Threads: `next_until` from one at a time, the rest from any.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <thread>
#include <variant>
#include <vector>

#include "core/memory/frame_pool.hpp"
#include "core/picture/frame_stream_framing.hpp"
#include "core/picture/i420.hpp"
#include "core/picture/pooled_screen.hpp"
#include "core/picture/shot_framing.hpp"
#include "io/descriptor.hpp"
#include "io/picture_reports.hpp"

namespace mediacore::io {

class PictureReader {
 public:
  using Framing = std::variant<picture::ShotFraming, picture::FrameStreamFraming>;

  struct Settings {
    std::size_t capacity = 2;  // pictures that wait for the consumer, at least 1
    picture::Matrix matrix = picture::Matrix::bt709;
    picture::Size largest = {};  // as `fitted` takes it
  };

  // `socket` is a stream's, connected. Throws std::system_error if it is not, or if there is no thread left.
  PictureReader(Descriptor socket, Framing framing, std::shared_ptr<memory::FramePool> pool, Settings settings);
  PictureReader(const PictureReader&) = delete;
  PictureReader& operator=(const PictureReader&) = delete;
  ~PictureReader() { close(); }

  // Asks for one more shot. False: the device takes nothing now, or never will again.
  bool request() noexcept;

  // From the next picture on.
  void set_largest(picture::Size size) noexcept;

  // Nothing: nothing came in time, a signal did, or it was closed. The end is told again and again.
  std::optional<PictureReport> next_until(std::int64_t deadline_us) { return reports_.take_until(deadline_us); }

  void close() noexcept;
  bool is_closed() const noexcept { return stop_.stop_requested(); }
  PictureCounts counts() const { return reports_.counts(); }

 private:
  // What the thread works with; it goes with the thread.
  struct Work {
    Framing framing;
    picture::PooledScreen screen;
    std::int64_t first_byte_us = 0;
  };

  void run(Work work) noexcept;
  PicturesEnded read(Work& work);
  template <class AnyFraming>
  PicturesEnded read(Work& work, AnyFraming& framing);
  void tell(Work& work, const picture::Framed& framed, std::int64_t complete_us);
  template <class AnyFraming>
  void tell_cut_short(const AnyFraming& framing);
  bool wait_for_bytes() const noexcept;
  // Words where a header should be: a header's length of them is read, and the others are what tells the reason.
  std::vector<std::uint8_t> with_what_follows(std::span<const std::uint8_t> rest) const;
  // After every read: an adb server sends with Nagle's algorithm, so the last bytes of a picture, a small piece behind large
  // ones, would wait for our delayed ACK, 40 ms. The kernel clears the option.
  void quick_ack() noexcept;

  PictureReports reports_;
  std::atomic<std::uint64_t> largest_;  // width, and height in the low half
  std::stop_source stop_;
  bool quick_ack_ = true;    // the thread's
  std::mutex socket_mutex_;  // of who writes to it or closes it
  Descriptor socket_;
  std::mutex close_mutex_;
  std::thread thread_;
};

}  // namespace mediacore::io
