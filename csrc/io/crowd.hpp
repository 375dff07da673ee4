// Whether the sources of a loop thread are a crowd, which is looked at in common: by what they gave in each tick.
//
// Policy: it is units that count, not readings: a picture in a hundred pieces makes no crowd, and how sources are read does
//   not change what is counted. To stay a crowd takes half of what makes one, so that it does not come and go. Fewer than
//   kSources share too little to be made to wait.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mediacore::io {

// Of a tick.
struct Activity {
  std::uint64_t units = 0;
  std::size_t sources = 0;  // that gave any of them
};

class Crowd {
 public:
  static constexpr std::uint64_t kUnits = 75;  // ten devices at 30 pictures per second, four times per second
  static constexpr std::size_t kSources = 4;

  void observe(const Activity& activity) noexcept {
    const std::uint64_t least = is_there_ ? kUnits / 2 : kUnits;
    is_there_ = activity.sources >= kSources && activity.units >= least;
  }

  bool is_there() const noexcept { return is_there_; }

 private:
  bool is_there_ = false;
};

}  // namespace mediacore::io
