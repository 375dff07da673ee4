// The units since the last key frame, so that a late consumer can begin at once; with their payloads, made when needed.
//
// Policy: above its bound, in bytes or units, the cache is given up until the next key frame; it never holds part of a
//   group of pictures.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "core/egress/frame.hpp"
#include "io/unit.hpp"

namespace mediacore::io {

struct CachedUnit {
  UnitRef unit;
  egress::FrameRef frame;  // null: not made yet
};

class GopCache {
 public:
  // Half a minute at 240 per second. Beside their bytes they cost less than 2 MB, with payloads less than 4: what is
  // small is made to measure (io/recycler.hpp).
  static constexpr std::size_t kUnits = 8192;

  explicit GopCache(std::size_t max_bytes) noexcept : max_bytes_(max_bytes) {}

  void add(UnitRef unit, egress::FrameRef frame) {
    if (unit->is_key) {
      clear();
    } else if (units_.empty()) {
      return;
    }
    bytes_ += unit->data.size();
    units_.push_back({std::move(unit), std::move(frame)});
    if (bytes_ > max_bytes_ || units_.size() > kUnits) clear();
  }

  void clear() noexcept {
    units_.clear();
    bytes_ = 0;
  }

  // Of the units' data; 0 if there is nothing to begin with.
  std::size_t bytes() const noexcept { return bytes_; }
  std::span<CachedUnit> units() noexcept { return units_; }

 private:
  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::vector<CachedUnit> units_;
};

}  // namespace mediacore::io
