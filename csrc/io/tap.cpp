#include "io/tap.hpp"

#include <algorithm>
#include <utility>

namespace mediacore::io {

Tap::Tap(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {}

bool Tap::tell() noexcept {
  return std::exchange(armed_, false);
}

bool Tap::wish() noexcept {
  if (!wishes_ || !lives_) return false;
  wishes_ = lives_ = false;
  return true;
}

Tap::Pushed Tap::replay(std::span<const CachedUnit> units) {
  const std::scoped_lock lock(mutex_);
  if (units.empty()) return {};
  for (const CachedUnit& cached : units) units_.push_back(cached.unit);
  replayed_ = units_.size();
  figures_.pushed += replayed_;
  waits_for_key_ = false;
  return {.tell = tell()};
}

Tap::Pushed Tap::push(const UnitRef& unit) {
  const std::scoped_lock lock(mutex_);
  ++figures_.pushed;
  if (unit->is_key) waits_for_key_ = wishes_ = false;
  if (waits_for_key_) {
    ++figures_.dropped_before_key;
    return {.wants_key_frame = wish()};
  }
  bool dropped_all = false;
  while (units_.size() - replayed_ >= capacity_ && !dropped_all) dropped_all = !drop_oldest_group();
  if (dropped_all && !unit->is_key) {
    ++figures_.dropped_slow;
    waits_for_key_ = wishes_ = true;
    return {.wants_key_frame = wish()};
  }
  units_.push_back(unit);
  return {.tell = tell()};
}

// False: nothing is left.
bool Tap::drop_oldest_group() {
  std::size_t dropped = 1;
  while (dropped < units_.size() && !units_[dropped]->is_key) ++dropped;
  units_.erase(units_.begin(), units_.begin() + static_cast<std::ptrdiff_t>(dropped));
  figures_.dropped_slow += dropped;
  replayed_ -= std::min(replayed_, dropped);
  return !units_.empty();
}

std::vector<UnitRef> Tap::take(std::size_t max_count) {
  std::vector<UnitRef> taken;
  const std::scoped_lock lock(mutex_);
  lives_ = true;
  const std::size_t count = std::min(std::max<std::size_t>(max_count, 1), units_.size());
  taken.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    taken.push_back(std::move(units_.front()));
    units_.pop_front();
  }
  replayed_ -= std::min(replayed_, count);
  figures_.delivered += count;
  if (units_.empty() && count == 0) armed_ = true;
  return taken;
}

TapFigures Tap::figures() const {
  const std::scoped_lock lock(mutex_);
  TapFigures figures = figures_;
  figures.queued = units_.size();
  return figures;
}

}  // namespace mediacore::io
