#include "io/viewer.hpp"

#include <algorithm>
#include <utility>

namespace mediacore::io {

Viewer::Viewer(const Settings& settings, std::shared_ptr<ViewerShared> shared)
    : settings_(settings), shared_(std::move(shared)) {}

void Viewer::start(const egress::EgressConfig& config, egress::Now now) {
  started_ = true;  // whatever comes of it: nobody knows what was sealed with the keys by then
  egress_ = std::make_unique<egress::ViewerEgress>(config, now);
  frames_ = retransmitted_ = 0;
  queued_.clear();
  watched_since_us_ = std::max(heard_us_, now.us);
  tell_silence_us_ = 0;
  silence_told_ = false;
  publish();
}

void Viewer::set_destination(const std::optional<ice::Endpoint>& destination) noexcept {
  destination_ = {.endpoint = destination.value_or(ice::Endpoint{}), .known = destination.has_value()};
  shared_->destination.write(destination_);
}

void Viewer::stop() noexcept {
  egress_.reset();
  queued_.clear();
  sent_.clear();
  deadline_us_.reset();
}

void Viewer::set_pacing(const egress::Pacing& pacing) noexcept {
  if (egress_) egress_->set_pacing(pacing);
}

void Viewer::set_rate(std::uint64_t bps) noexcept {
  if (egress_) egress_->set_rendition_rate(bps);
}

// What is no longer in the egress's queue and was not sent was dropped: always the oldest.
void Viewer::forget_dropped() noexcept {
  const std::uint64_t queued = egress_->stats().queued_frames;
  while (queued_.size() > queued) queued_.pop_front();
}

void Viewer::send(const egress::FrameRef& frame, egress::Now now) {
  if (frame->is_key) wish_kept_ = false;
  egress_->send(frame, now);
  queued_.push_back({frame->received_us, frame->complete_us});
  forget_dropped();
}

void Viewer::send_audio(const egress::FrameRef& packet, egress::Now now) {
  egress_->send_audio(packet, now);
}

void Viewer::replay(std::span<const egress::FrameRef> frames, egress::Now now) {
  wish_kept_ = false;
  replay_us_ = now.us;
  ++replays_;
  egress_->replay(frames, now);
  queued_.assign(frames.size(), {.received_us = 0, .complete_us = 0});
  forget_dropped();
}

void Viewer::wait_for_key(egress::Now now) {
  egress_->wait_for_key(now);
  queued_.clear();
}

egress::Received Viewer::receive(std::span<std::uint8_t> datagram, std::int64_t arrived_us, egress::Now now) {
  const egress::Received received = egress_->receive(datagram, now);
  if (received.authenticated) heard(now.us);
  if (received.retransmits && !nack_us_) nack_us_ = arrived_us;
  return received;
}

void Viewer::heard(std::int64_t now_us) noexcept {
  heard_us_ = now_us;
  tell_silence_us_ = 0;
  silence_told_ = false;
}

void Viewer::poll(egress::Now now, SendBatch& out) {
  deadline_us_.reset();
  if (!live()) return;
  out.to(destination_.endpoint);
  egress_->poll(now, out);
  if (const auto deadline_us = egress_->deadline_us()) deadline_us_ = std::max(*deadline_us, now.us + 1);
  const egress::EgressStats& stats = egress_->stats();
  for (std::uint64_t i = frames_; i < stats.frames && !queued_.empty(); ++i) {
    sent_.push_back(queued_.front());
    queued_.pop_front();
  }
  frames_ = stats.frames;
  resent_ = std::exchange(retransmitted_, stats.retransmitted) != stats.retransmitted;
  publish();
}

void Viewer::write_bye(egress::Now now, SendBatch& out) {
  if (!live()) return;
  out.to(destination_.endpoint);
  egress_->write_bye(now, out);
}

void Viewer::handed_over(std::int64_t now_us) noexcept {
  for (const Queued& frame : sent_) {
    if (frame.complete_us == 0) continue;
    shared_->handed.add(now_us - frame.complete_us);
    shared_->arrival.add(now_us - frame.received_us);
  }
  sent_.clear();
  if (!nack_us_) return;
  if (resent_) {
    shared_->nack.add(now_us - *nack_us_);
    nack_us_.reset();
  } else if (!deadline_us_) {
    nack_us_.reset();  // nothing waits: it was refused
  }
}

bool Viewer::wish(std::int64_t now_us) noexcept {
  wish_kept_ = true;
  return kept_wish(now_us);
}

bool Viewer::kept_wish(std::int64_t now_us) noexcept {
  if (!wish_kept_ || (wish_us_ && now_us - *wish_us_ < kWishIntervalUs)) return false;
  wish_kept_ = false;
  wish_us_ = now_us;
  return true;
}

bool Viewer::may_replay(std::int64_t now_us) const noexcept {
  return !replay_us_ || now_us - *replay_us_ >= kReplayIntervalUs;
}

std::optional<std::int64_t> Viewer::silence(std::int64_t now_us) noexcept {
  if (watched_since_us_ < 0) return std::nullopt;
  const std::int64_t silent_us = now_us - std::max(heard_us_, watched_since_us_);
  const bool silent = settings_.silent_us > 0 && silent_us >= settings_.silent_us;
  const bool quiet = settings_.quiet_us > 0 && silent_us >= settings_.quiet_us;
  if ((quiet && now_us >= tell_silence_us_) || (silent && !silence_told_)) {
    tell_silence_us_ = now_us + kSilenceAgainUs;
    silence_told_ = silent;
    return silent_us;
  }
  return std::nullopt;
}

std::int64_t Viewer::queue_us() const noexcept {
  if (!egress_) return 0;
  const egress::EgressStats& stats = egress_->stats();
  if (stats.queued_bytes == 0 || stats.pacing_bps == 0) return 0;
  return static_cast<std::int64_t>(static_cast<double>(stats.queued_bytes) * 8e6 /
                                   static_cast<double>(stats.pacing_bps));
}

void Viewer::publish() noexcept {
  ViewerFigures figures;
  figures.heard_us = heard_us_;
  figures.replays = replays_;
  if (egress_) figures.egress = egress_->stats();
  shared_->figures.write(figures);
}

}  // namespace mediacore::io
