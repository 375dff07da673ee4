// What a picture reader tells its consumer, in order: pictures, damaged ones, and at last that there will be none any more.
//
// Policy: `capacity` pictures wait; then the oldest goes for a newer one, and the rows that it changed count to the next one
//   of the queue. Of damaged pictures the newest kMostDamaged wait; all are counted. The end stays, once it is there.
// Guarantees: no push waits. pictures = delivered + queued + overflown + damaged.
// Threads: one pushes, one takes; the rest from any. A lock that is held for some instructions: a picture is milliseconds of
//   work.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/picture/pooled_screen.hpp"
#include "io/doorbell.hpp"

namespace mediacore::io {

struct Shot {
  picture::PooledPicture picture;
  picture::WireForm form;
  std::int64_t first_byte_us;
  std::int64_t complete_us;
  std::int64_t decoded_us;
  std::size_t wire_bytes;
};

struct DamagedShot {
  picture::Damage damage;
  std::string detail;
};

struct PicturesEnded {
  enum class Reason : std::uint8_t { closed, failed, damaged };

  Reason reason;
  int error_number;                // of `failed`
  std::vector<std::uint8_t> head;  // of what came and was no whole picture
};

using PictureReport = std::variant<Shot, DamagedShot, PicturesEnded>;

struct PictureCounts {
  std::uint64_t pictures = 0;  // whole or damaged
  std::uint64_t delivered = 0;
  std::uint64_t queued = 0;
  std::uint64_t overflown = 0;
  std::array<std::uint64_t, picture::kDamages> damaged{};  // by Damage
  std::uint64_t wire_bytes = 0;
  std::uint64_t skipped_bytes = 0;  // in front of pictures
};

class PictureReports {
 public:
  static constexpr std::size_t kMostDamaged = 16;

  // Throws std::system_error.
  explicit PictureReports(std::size_t capacity) : capacity_(capacity) {}

  void push(Shot shot, std::size_t skipped_bytes);
  void push(DamagedShot shot, std::size_t wire_bytes, std::size_t skipped_bytes);
  void push(PicturesEnded end);

  // Nothing: nothing came in time, a signal did, or it is closed.
  std::optional<PictureReport> take_until(std::int64_t deadline_us);

  // Nothing is given any more; what is queued goes, and so does what is pushed yet.
  void close();
  PictureCounts counts() const;

 private:
  std::optional<PictureReport> take();
  void drop_oldest_shot();

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::deque<PictureReport> queue_;  // without the end
  std::size_t shots_ = 0;
  std::size_t damaged_ = 0;
  std::optional<PicturesEnded> end_;
  bool is_closed_ = false;
  PictureCounts counts_;
  Doorbell doorbell_;
};

}  // namespace mediacore::io
