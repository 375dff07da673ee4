#include "io/rendition.hpp"

#include <algorithm>
#include <utility>

#include "core/h264/start_code.hpp"

namespace mediacore::io {
namespace {

// The first SPS before the picture; none if there is none that can be read.
std::optional<h264::Sps> sps_of(std::span<const std::uint8_t> unit) {
  h264::StartCodes codes(unit);
  std::size_t begin = codes.next();
  while (begin + h264::kStartCodeBytes < unit.size()) {
    const std::size_t header = begin + h264::kStartCodeBytes;
    const auto type = static_cast<std::uint8_t>(h264::parse_nal_header(unit[header]).type);
    if (type >= 1 && type <= 5) break;  // slices
    std::size_t end = codes.next();
    begin = end;
    if (type != 7) continue;
    while (end > header + 1 && unit[end - 1] == 0) --end;  // trailing_zero_8bits and zero_byte
    if (auto sps = h264::parse_sps(unit.subspan(header, end - header))) return std::move(*sps);
  }
  return std::nullopt;
}

}  // namespace

Rendition::Rendition(const AddRendition& command)
    : id_(command.id),
      codec_(command.codec),
      replay_bytes_(command.replay_bytes),
      shared_(command.shared),
      slicer_(codec_),
      cache_(is_audio(codec_) ? 0 : command.gop_bytes) {}

// ---------------------------------------------------------------------------------------------- what comes in

std::uint32_t Rendition::begin_source(Id source) noexcept {
  current_ = source;
  return ++epoch_;
}

void Rendition::end_source(Id source) noexcept {
  if (current_ == source) current_ = 0;
}

void Rendition::take(const SourceUnit& whole, Wake& wake) {
  Unit& unit = *whole.unit;
  // Arrival is the only time there is; two units of one burst still need different times.
  unit.pts_us = std::max(unit.received_us, last_pts_us_ + 1);
  unit.complete_us = wake.now.us;
  unit.epoch = epoch_;
  if (unit.is_key && whole.sps) {
    tell_description(unit, {whole.sps->width, whole.sps->height}, whole.sps->profile_level_id(), wake);
  }
  take_whole(whole.unit, wake);
}

void Rendition::push(Push push, Wake& wake) {
  if (push.due_us == 0 && waiting_.empty()) {
    take_push(push, wake);
  } else {
    waiting_.emplace_back(std::move(push));
  }
}

void Rendition::describe(const Describe& size) {
  if (waiting_.empty()) {
    told_size_ = Size{size.width, size.height};
  } else {
    waiting_.emplace_back(size);
  }
}

void Rendition::new_epoch() {
  if (waiting_.empty()) {
    begin_epoch();
  } else {
    waiting_.emplace_back(NewEpoch{id_});
  }
}

// What comes first begins the first one by itself.
void Rendition::begin_epoch() noexcept {
  if (epoch_ != 0) ++epoch_;
}

std::optional<std::int64_t> Rendition::due_us() const noexcept {
  if (waiting_.empty()) return std::nullopt;
  const auto* push = std::get_if<Push>(&waiting_.front());
  return push != nullptr ? push->due_us : 0;
}

void Rendition::take_due(std::int64_t until_us, Wake& wake) {
  for (auto due = due_us(); due && *due <= until_us; due = due_us()) {
    Waiting first = std::move(waiting_.front());
    waiting_.pop_front();
    if (auto* push = std::get_if<Push>(&first)) {
      take_push(*push, wake);
    } else if (const auto* size = std::get_if<Describe>(&first)) {
      told_size_ = Size{size->width, size->height};
    } else {
      begin_epoch();
    }
  }
}

void Rendition::take_push(const Push& push, Wake& wake) {
  shared_->ahead.give_back(push.unit->data.size());
  Unit& unit = *push.unit;
  if (push.due_us != 0 && wake.now.us > push.due_us + kLateUs) ++figures_.late_units;
  unit.complete_us = wake.now.us;
  if (unit.received_us == 0) unit.received_us = wake.now.us;
  if (epoch_ == 0) epoch_ = 1;
  unit.epoch = epoch_;
  if (unit.is_key && codec_ == Codec::h264) {
    if (const auto sps = sps_of(unit.data)) {
      tell_description(unit, {sps->width, sps->height}, sps->profile_level_id(), wake);
    }
  } else if (unit.is_key && told_size_) {
    tell_description(unit, *told_size_, {}, wake);
  }
  take_whole(push.unit, wake);
}

void Rendition::tell_description(const Unit& unit, const Size& size, std::string profile_level_id, Wake& wake) {
  Description description{.rendition = id_,
                          .width = size.width,
                          .height = size.height,
                          .profile_level_id = std::move(profile_level_id),
                          .epoch = unit.epoch,
                          .pts_us = unit.pts_us};
  if (description_ && description_->same_as(description)) return;
  description_ = description;
  wake.events.post(std::move(description));
}

void Rendition::take_whole(const std::shared_ptr<Unit>& unit, Wake& wake) {
  last_pts_us_ = unit->pts_us;
  ++figures_.units;
  figures_.bytes += unit->data.size();
  rate_.add(wake.now.us, unit->data.size());
  if (unit->is_key) {
    ++figures_.key_frames;
    wish_us_.reset();
  }
  egress::FrameRef frame;
  const bool watched = std::ranges::any_of(viewers_, [](const Viewer* viewer) { return viewer->begun; });
  if (watched || slicer_.numbers_pictures()) frame = slice(*unit);
  if (!is_audio(codec_)) cache_.add(unit, frame);
  give_to_taps(unit, wake);
  if (frame) give_to_viewers(frame, wake);
  publish();
}

egress::FrameRef Rendition::slice(const Unit& unit) {
  auto frame = slicer_.slice(unit);
  if (!frame) ++figures_.refused_units;
  return frame;
}

void Rendition::give_to_taps(const UnitRef& unit, Wake& wake) {
  for (const NamedTap& tap : taps_) {
    const Tap::Pushed pushed = tap.tap->push(unit);
    if (pushed.tell) wake.events.post(TapReady{tap.id});
    if (pushed.wants_key_frame) want_key_frame(wake);
  }
}

void Rendition::give_to_viewers(const egress::FrameRef& frame, Wake& wake) {
  for (Viewer* viewer : viewers_) {
    if (!viewer->begun) continue;
    if (is_audio(codec_)) {
      viewer->send_audio(frame, wake.now);
    } else {
      viewer->send(frame, wake.now);
      if (viewer->fell_behind()) repair(*viewer, wake);
    }
    wake.poll_later(*viewer);
  }
}

void Rendition::lose_unit(Wake& wake) {
  ++figures_.lost_units;
  cache_.clear();
  for (Viewer* viewer : viewers_) {
    if (viewer->begun && !is_audio(codec_)) viewer->wait_for_key(wake.now);
  }
  publish();
  want_key_frame(wake);
}

// ---------------------------------------------------------------------------------------------- who takes it

void Rendition::add(Viewer& viewer) {
  viewers_.push_back(&viewer);
  queue_moved();
  publish();
}

void Rendition::remove(Viewer& viewer) noexcept {
  std::erase(viewers_, &viewer);
  queue_moved();
  publish_queues();
}

void Rendition::begin(Viewer& viewer, Wake& wake) {
  if (is_audio(codec_)) return;
  viewer.set_rate(static_cast<std::uint64_t>(rate_.measure(wake.now.us).bits));
  if (cache_.bytes() > 0 && cache_.bytes() <= replay_bytes_ && replay(viewer, wake)) return;
  if (figures_.units != 0) want_key_frame(wake);
}

bool Rendition::replay(Viewer& viewer, Wake& wake) {
  replayed_.clear();
  for (CachedUnit& cached : cache_.units()) {
    if (!cached.frame) cached.frame = slice(*cached.unit);
    if (cached.frame) replayed_.push_back(cached.frame);
  }
  if (replayed_.empty() || !replayed_.front()->is_key) return false;
  viewer.replay(replayed_, wake.now);
  replayed_.clear();
  wake.poll_later(viewer);
  return true;
}

void Rendition::repair(Viewer& viewer, Wake& wake) {
  if (viewer.wish(wake.now.us)) grant(viewer, wake);
}

void Rendition::grant(Viewer& viewer, Wake& wake) {
  const bool small = cache_.bytes() > 0 && cache_.bytes() <= replay_bytes_;
  if (small && viewer.may_replay(wake.now.us) && replay(viewer, wake)) return;
  want_key_frame(wake);
}

void Rendition::want_key_frame(Wake& wake) {
  if (is_audio(codec_) || (wish_us_ && wake.now.us - *wish_us_ < kWishIntervalUs)) return;
  wish_us_ = wake.now.us;
  ++figures_.key_frame_wishes;
  wake.events.post(KeyFrameWanted{id_});
  publish();
}

void Rendition::key_frame_unavailable(Wake& wake) {
  if (cache_.bytes() == 0) return;
  for (Viewer* viewer : viewers_) {
    if (viewer->begun && viewer->waits_for_key()) replay(*viewer, wake);
  }
}

void Rendition::add_tap(Id id, std::shared_ptr<Tap> tap, bool replay, Wake& wake) {
  const bool replays = replay && cache_.bytes() != 0;
  if (replays && tap->replay(cache_.units()).tell) wake.events.post(TapReady{id});
  if (!replays && figures_.units != 0) want_key_frame(wake);
  taps_.push_back({id, std::move(tap)});
  publish();
}

bool Rendition::remove_tap(Id id) noexcept {
  const bool removed = std::erase_if(taps_, [id](const NamedTap& tap) { return tap.id == id; }) != 0;
  publish();
  return removed;
}

void Rendition::measure(Wake& wake) noexcept {
  const Rate::PerSecond rate = rate_.measure(wake.now.us);
  figures_.fps = rate.units;
  figures_.bitrate_bps = static_cast<std::uint64_t>(rate.bits);
  for (Viewer* viewer : viewers_) {
    if (!is_audio(codec_)) viewer->set_rate(figures_.bitrate_bps);
  }
  publish();
}

void Rendition::publish() noexcept {
  figures_.viewers = viewers_.size();
  figures_.taps = taps_.size();
  figures_.gop_bytes = cache_.bytes();
  shared_->figures.write(figures_);
}

void Rendition::publish_queues() noexcept {
  if (!queues_moved_) return;
  queues_moved_ = false;
  figures_.least_queue_us = -1;
  figures_.most_queue_us = 0;
  for (const Viewer* viewer : viewers_) {
    if (!viewer->begun) continue;
    const std::int64_t queue_us = viewer->queue_us();
    const bool is_least = figures_.least_queue_us < 0 || queue_us < figures_.least_queue_us;
    if (is_least) figures_.least_queue_us = queue_us;
    figures_.most_queue_us = std::max(figures_.most_queue_us, queue_us);
  }
  publish();
}

}  // namespace mediacore::io
