// Units for a consumer in Python: a bounded queue between the loop's thread and whoever takes.
//
// Policy when full: the oldest group of pictures goes first, all up to the next key frame; if there is no other group,
//   all goes, the new unit too unless it is a key frame, and then what follows up to the next key frame. Cached units
//   that it begins with do not count. Everything dropped is counted:
//   pushed = delivered + queued + dropped_slow + dropped_before_key.
// Key frames: one is wanted when all was dropped, but only of a consumer that has taken something since the last such wish:
//   one that never takes would have the device make key frames for nobody.
// Wake-up: `push` says that the consumer is to be told once after each `take` that found nothing.
// Threads: any. The lock is held for the time of a push, or of moving the references of one take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <vector>

#include "io/gop_cache.hpp"
#include "io/unit.hpp"

namespace mediacore::io {

struct TapFigures {
  std::uint64_t pushed = 0;
  std::uint64_t delivered = 0;
  std::uint64_t queued = 0;
  std::uint64_t dropped_slow = 0;
  std::uint64_t dropped_before_key = 0;
};

class Tap {
 public:
  struct Pushed {
    bool tell = false;             // there is something to take, and the consumer waits for that
    bool wants_key_frame = false;  // everything was dropped, and the consumer lives
  };

  // A capacity of 0 is taken as 1.
  explicit Tap(std::size_t capacity);

  // Delivers these first; to be called before the first push.
  Pushed replay(std::span<const CachedUnit> units);
  Pushed push(const UnitRef& unit);

  // At most so many; none: see "wake-up".
  std::vector<UnitRef> take(std::size_t max_count);
  TapFigures figures() const;

 private:
  bool drop_oldest_group();
  bool tell() noexcept;
  bool wish() noexcept;

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::deque<UnitRef> units_;
  std::size_t replayed_ = 0;  // at the front of units_
  bool waits_for_key_ = true;
  bool armed_ = true;    // the consumer waits to be told
  bool wishes_ = false;  // everything was dropped, and nobody knows
  bool lives_ = true;    // something was taken since the last wish
  TapFigures figures_;
};

}  // namespace mediacore::io
