// One encoding: takes units from its source or from pushes, caches the group of pictures, cuts each unit into payloads
// once, and gives it to its viewers and taps.
//
// Times: a source's unit gets the time at which its first byte arrived, and a later one than the unit before.
// Epochs: 1 is the first; each source that takes over, and `new_epoch`, makes the next one. A description is told before
//   the first unit of another size, profile or epoch.
// Key frames: Python is told that one is wanted at most once per kWishIntervalUs, until there is one. Before the first
//   unit nobody is told: a source begins with a key frame.
// Pushes with a time are kept in order until then, those that are due within the coalescing time at once.
// Policy: nobody holds anybody up; a unit that cannot be cut is no unit for viewers, and is counted.
// Threads: one owner; the figures may be read by all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "io/command.hpp"
#include "io/event.hpp"
#include "io/figures.hpp"
#include "io/gop_cache.hpp"
#include "io/rate.hpp"
#include "io/slicer.hpp"
#include "io/source.hpp"
#include "io/tap.hpp"
#include "io/unit.hpp"
#include "io/viewer.hpp"
#include "io/wake.hpp"

namespace mediacore::io {

class Rendition {
 public:
  static constexpr std::int64_t kWishIntervalUs = 250'000;
  static constexpr std::int64_t kLateUs = 10'000;

  explicit Rendition(const AddRendition& command);

  Id id() const noexcept { return id_; }
  Codec codec() const noexcept { return codec_; }

  // ---- what comes in
  // A unit of the current source.
  void take(const SourceUnit& whole, Wake& wake);
  void push(Push push, Wake& wake);
  void describe(const Describe& size);
  void new_epoch();
  // Takes what is due by `until_us`.
  void take_due(std::int64_t until_us, Wake& wake);
  std::optional<std::int64_t> due_us() const noexcept;
  // A source takes over; returns the epoch that begins.
  std::uint32_t begin_source(Id source) noexcept;
  void end_source(Id source) noexcept;
  Id current_source() const noexcept { return current_; }

  // ---- who takes it
  // Media flows to a viewer from now on: the cached pictures, if they are few enough, or from the next key frame.
  void begin(Viewer& viewer, Wake& wake);
  void add(Viewer& viewer);
  void remove(Viewer& viewer) noexcept;
  // A viewer lost pictures, or says so: if it may wish now, its wish is granted, by a replay or a key frame.
  void repair(Viewer& viewer, Wake& wake);
  void grant(Viewer& viewer, Wake& wake);
  void want_key_frame(Wake& wake);
  // There will be none: who waits gets the cached pictures, whatever their size.
  void key_frame_unavailable(Wake& wake);
  void add_tap(Id id, std::shared_ptr<Tap> tap, bool replay, Wake& wake);
  bool remove_tap(Id id) noexcept;
  const std::vector<Viewer*>& viewers() const noexcept { return viewers_; }

  struct NamedTap {
    Id id;
    std::shared_ptr<Tap> tap;
  };
  const std::vector<NamedTap>& taps() const noexcept { return taps_; }

  // Some times per second: measured rates, to the viewers as well.
  void measure(Wake& wake) noexcept;
  void publish() noexcept;
  // The queue of one of its viewers is another one; then, when all are through, the figures are to be.
  void queue_moved() noexcept { queues_moved_ = true; }
  void publish_queues() noexcept;
  // A unit was lost for want of memory: only a key frame heals that.
  void lose_unit(Wake& wake);

 private:
  // What stands in the line of what is pushed, with or without a time.
  using Waiting = std::variant<Push, Describe, NewEpoch>;

  struct Size {
    std::uint32_t width;
    std::uint32_t height;
  };

  void begin_epoch() noexcept;
  void take_push(const Push& push, Wake& wake);
  void take_whole(const std::shared_ptr<Unit>& unit, Wake& wake);
  void tell_description(const Unit& unit, const Size& size, std::string profile_level_id, Wake& wake);
  void give_to_taps(const UnitRef& unit, Wake& wake);
  void give_to_viewers(const egress::FrameRef& frame, Wake& wake);
  egress::FrameRef slice(const Unit& unit);
  bool replay(Viewer& viewer, Wake& wake);

  Id id_;
  Codec codec_;
  std::size_t replay_bytes_;
  std::shared_ptr<RenditionShared> shared_;
  Slicer slicer_;
  GopCache cache_;
  Rate rate_;
  RenditionFigures figures_;
  std::deque<Waiting> waiting_;
  std::vector<Viewer*> viewers_;
  std::vector<NamedTap> taps_;
  std::vector<egress::FrameRef> replayed_;  // while a replay is made
  Id current_ = 0;
  std::uint32_t epoch_ = 0;
  std::int64_t last_pts_us_ = 0;
  std::optional<Size> told_size_;
  std::optional<Description> description_;
  bool queues_moved_ = false;
  std::optional<std::int64_t> wish_us_;  // told, and no key frame since
};

// Those of one thread.
using Renditions = std::unordered_map<Id, Rendition>;

}  // namespace mediacore::io
