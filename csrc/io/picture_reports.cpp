#include "io/picture_reports.hpp"

#include <algorithm>
#include <utility>

namespace mediacore::io {
namespace {

using Rows = std::optional<picture::RowRange>;

// Rows that two pictures one after the other changed.
Rows both(Rows first, Rows second) noexcept {
  if (!first || !second) return std::nullopt;
  if (*first == picture::RowRange{}) return second;
  if (*second == picture::RowRange{}) return first;
  return picture::RowRange{std::min(first->first, second->first), std::max(first->end, second->end)};
}

}  // namespace

void PictureReports::push(Shot shot, std::size_t skipped_bytes) {
  {
    const std::lock_guard lock(mutex_);
    ++counts_.pictures;
    counts_.wire_bytes += shot.wire_bytes;
    counts_.skipped_bytes += skipped_bytes;
    if (is_closed_) {
      ++counts_.overflown;
      return;
    }
    queue_.emplace_back(std::move(shot));
    if (++shots_ > capacity_) drop_oldest_shot();
  }
  doorbell_.ring();
}

void PictureReports::drop_oldest_shot() {
  const auto is_shot = [](const PictureReport& report) { return std::holds_alternative<Shot>(report); };
  const auto oldest = std::find_if(queue_.begin(), queue_.end(), is_shot);
  const auto next = std::find_if(oldest + 1, queue_.end(), is_shot);
  const Shot& gone = *std::get_if<Shot>(&*oldest);
  Shot& stays = *std::get_if<Shot>(&*next);
  const bool same_size = gone.picture.layout.size == stays.picture.layout.size;
  // Another size: all of its rows are told already.
  if (same_size) stays.picture.dirty = both(gone.picture.dirty, stays.picture.dirty);
  if (!gone.picture.dirty) stays.picture.dirty.reset();
  queue_.erase(oldest);
  --shots_;
  ++counts_.overflown;
}

void PictureReports::push(DamagedShot shot, std::size_t wire_bytes, std::size_t skipped_bytes) {
  {
    const std::lock_guard lock(mutex_);
    ++counts_.pictures;
    ++counts_.damaged[static_cast<std::size_t>(shot.damage)];
    counts_.wire_bytes += wire_bytes;
    counts_.skipped_bytes += skipped_bytes;
    if (is_closed_) return;
    if (damaged_ == kMostDamaged) {
      const auto is_damaged = [](const PictureReport& report) { return std::holds_alternative<DamagedShot>(report); };
      queue_.erase(std::find_if(queue_.begin(), queue_.end(), is_damaged));
      --damaged_;
    }
    queue_.emplace_back(std::move(shot));
    ++damaged_;
  }
  doorbell_.ring();
}

void PictureReports::push(PicturesEnded end) {
  {
    const std::lock_guard lock(mutex_);
    end_ = std::move(end);
  }
  doorbell_.ring();
}

std::optional<PictureReport> PictureReports::take() {
  if (is_closed_) return std::nullopt;
  if (queue_.empty()) {
    if (!end_) return std::nullopt;
    return *end_;
  }
  PictureReport report = std::move(queue_.front());
  queue_.pop_front();
  if (std::holds_alternative<Shot>(report)) {
    --shots_;
    ++counts_.delivered;
  } else {
    --damaged_;
  }
  return report;
}

std::optional<PictureReport> PictureReports::take_until(std::int64_t deadline_us) {
  const auto look = [this](bool& is_closed) {
    const std::lock_guard lock(mutex_);
    is_closed = is_closed_;
    return take();
  };
  for (;;) {
    bool is_closed = false;
    if (auto report = look(is_closed); report || is_closed) return report;
    doorbell_.arm();
    // Looked at again, now that it is armed.
    if (auto report = look(is_closed); report || is_closed) {
      doorbell_.disarm();
      return report;
    }
    if (doorbell_.wait(deadline_us) != Doorbell::Woken::rung) return look(is_closed);
  }
}

void PictureReports::close() {
  std::deque<PictureReport> queued;  // goes without the lock
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    queued.swap(queue_);
    counts_.overflown += shots_;
    shots_ = damaged_ = 0;
  }
  doorbell_.ring();
}

PictureCounts PictureReports::counts() const {
  const std::lock_guard lock(mutex_);
  PictureCounts counts = counts_;
  counts.queued = shots_;
  return counts;
}

}  // namespace mediacore::io
