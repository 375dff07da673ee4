#include "core/egress/viewer_egress.hpp"

#include <array>
#include <utility>

#include "core/egress/allowance.hpp"
#include "core/egress/feedback.hpp"
#include "core/egress/frame_queue.hpp"
#include "core/egress/history.hpp"
#include "core/egress/outlet.hpp"
#include "core/egress/report_writer.hpp"
#include "core/egress/retransmissions.hpp"
#include "core/egress/senders.hpp"
#include "core/egress/timeline.hpp"

namespace mediacore::egress {
namespace {

using Bytes = std::span<const std::uint8_t>;

// What a UDP datagram holds besides our header and SRTP's tag; a larger payload would wait for ever.
constexpr std::size_t kMostPayloadBytes = 65'000;
constexpr std::size_t kOsnBytes = 2;    // RFC 4588 4: the original sequence number
constexpr std::size_t kMostAudio = 64;  // packets of 20 ms: more than a second is not worth hearing
constexpr std::int64_t kCaptureTimeIntervalUs = 1'000'000;
constexpr std::int64_t kReplayStepUs = 1'000;  // between the frames of a replay: shown at once, in order
// Datagrams: browsers send some ten, and one more with each frame that has lost packets. Their entries cost time.
constexpr std::uint32_t kMostRtcpPerSecond = 1000;
constexpr std::int64_t kStuckPauseUs = 1'000;  // after a packet could not leave

std::uint64_t ntp_units(std::int64_t us) noexcept {
  const auto whole = static_cast<std::uint64_t>(us / 1'000'000);
  const auto rest = static_cast<std::uint64_t>(us % 1'000'000);
  return (whole << 32) + (rest << 32) / 1'000'000;
}

std::uint64_t capture_ntp(const Frame& frame, Now now) noexcept {
  const bool known = frame.received_us > 0 && frame.received_us < now.us;
  return known ? now.ntp - ntp_units(now.us - frame.received_us) : now.ntp;
}

bool fits_packets(const Frame& frame) noexcept {
  for (std::size_t i = 0; i < frame.payloads.size(); ++i) {
    if (frame.payloads[i].size() > kMostPayloadBytes) return false;
  }
  return true;
}

Timeline timeline(const Track& track) noexcept {
  return {track.clock_hz, track.timestamp_origin};
}

}  // namespace

struct ViewerEgress::State {
  State(const EgressConfig& config, Now now)
      : writes_capture_time(config.extensions[rtp::ExtensionKind::abs_capture_time] != 0),
        max_queue_us(config.pacing.max_queue_us),
        senders(config),
        video_time(timeline(config.video)),
        audio_time(timeline(config.audio.value_or(Track{}))),
        video_queue(Outlet::wire_bytes(senders.video, {}, 0)),
        audio_queue(senders.audio ? Outlet::wire_bytes(*senders.audio, {}, 0) : 0),
        pacer(config.pacing, now.us),
        outlet(config.send, pacer, stats),
        retransmissions(pacer.rate_bps(), now.us),
        report_writer(config.send, config.cname),
        rtcp_opener(config.receive),
        feedback(senders.ssrcs()) {
    note_queue();
  }

  bool write_audio(RtpSender& sender, Now now, PacketSink& out);
  bool write_retransmission(Now now, PacketSink& out);
  bool write_video(Now now, PacketSink& out);
  void write_reports(Now now, PacketSink& out);
  bool write_report(const RtpSender& sender, const Timeline& time, std::span<const std::uint32_t> leaving, Now now,
                    PacketSink& out);

  void asked_again(std::uint16_t sequence_number, std::int64_t now_us);
  std::size_t retransmission_bytes(const SentPacket& packet) const noexcept {
    return senders.rtx ? Outlet::wire_bytes(*senders.rtx, {}, kOsnBytes + packet.bytes().size())
                       : Outlet::wire_bytes(senders.video, packet.fields, packet.bytes().size());
  }
  bool is_slow(std::size_t waiting_bytes) const noexcept;
  void note_queue() noexcept;

  EgressStats stats;
  bool writes_capture_time;
  std::int64_t max_queue_us;
  Senders senders;
  Timeline video_time;
  Timeline audio_time;
  FrameQueue video_queue;
  FrameQueue audio_queue;
  Pacer pacer;
  Outlet outlet;
  History history;
  Retransmissions retransmissions;
  ReportWriter report_writer;
  srtp::RtcpOpener rtcp_opener;
  FeedbackReader feedback;
  Allowance rtcp_allowance{kMostRtcpPerSecond};
  std::optional<std::int64_t> last_capture_time_us;
  bool waits_for_key = true;
  bool wishes_key = false;
};

bool ViewerEgress::State::write_audio(RtpSender& sender, Now now, PacketSink& out) {
  WaitingFrame& waiting = audio_queue.front();
  const Bytes payload = waiting.frame->payloads[waiting.next];
  PacketFields fields;
  if (!pacer.allows(Outlet::wire_bytes(sender, fields, payload.size()))) return false;
  if (!waiting.timestamp) waiting.timestamp = audio_time.stamp(waiting.pts_us, false, now.us);
  fields.timestamp = *waiting.timestamp;
  if (!outlet.write(sender, fields, {}, payload, now, out)) return false;
  audio_queue.advance();
  return true;
}

bool ViewerEgress::State::write_retransmission(Now now, PacketSink& out) {
  SentPacket* const packet = history.find_index(retransmissions.front());
  if (packet == nullptr) {  // cannot be: nothing enters the history before this has left
    ++stats.nack_unknown;
    retransmissions.pop();
    return true;
  }
  const std::size_t wire_bytes = retransmission_bytes(*packet);
  if (!pacer.allows(wire_bytes)) return false;
  if (senders.rtx) {
    std::array<std::uint8_t, kOsnBytes> original{};
    rtp::store_be<2>(packet->fields.index & 0xffff, original.data());
    PacketFields fields;
    fields.timestamp = packet->fields.timestamp;
    fields.marker = packet->fields.marker;
    if (!outlet.write(*senders.rtx, fields, original, packet->bytes(), now, out)) return false;
  } else if (!outlet.repeat(senders.video, packet->fields, packet->bytes(), now, out)) {
    return false;
  }
  retransmissions.pop();
  ++stats.retransmitted;
  stats.retransmission_bytes += wire_bytes - kUdpIpBytes;
  return true;
}

bool ViewerEgress::State::write_video(Now now, PacketSink& out) {
  WaitingFrame& waiting = video_queue.front();
  const Frame& frame = *waiting.frame;
  if (!waiting.timestamp) {
    waiting.timestamp = video_time.stamp(waiting.pts_us, waiting.replayed, now.us);
    const bool due = !last_capture_time_us || now.us - *last_capture_time_us >= kCaptureTimeIntervalUs;
    if (writes_capture_time && due) {
      last_capture_time_us = now.us;
      waiting.capture_ntp = capture_ntp(frame, now);
    }
  }
  const Bytes payload = frame.payloads[waiting.next];
  SentPacket sent;
  sent.fields.timestamp = *waiting.timestamp;
  sent.fields.capture_ntp = waiting.capture_ntp;
  sent.fields.marker = waiting.next + 1 == frame.payloads.size();
  if (!pacer.allows(Outlet::wire_bytes(senders.video, sent.fields, payload.size()))) return false;
  if (!outlet.write(senders.video, sent.fields, {}, payload, now, out)) return false;
  sent.frame = waiting.frame;
  sent.payload = static_cast<std::uint32_t>(waiting.next);
  sent.sent_us = now.us;
  history.add(std::move(sent));
  if (video_queue.advance()) ++stats.frames;
  return true;
}

bool ViewerEgress::State::write_report(const RtpSender& sender, const Timeline& time,
                                       std::span<const std::uint32_t> leaving, Now now, PacketSink& out) {
  const std::size_t size = report_writer.write(sender, now.ntp, time.at(now.us), leaving, out);
  if (size == 0) return false;
  pacer.take(size + kUdpIpBytes);
  stats.bytes += size;
  return true;
}

void ViewerEgress::State::write_reports(Now now, PacketSink& out) {
  const auto report = [&](RtpSender& sender, Timeline& time) {
    if (!sender.reports().due(now.us)) return;
    if (!pacer.allows(ReportWriter::kMostBytes + kUdpIpBytes)) return;
    if (write_report(sender, time, {}, now, out)) sender.reports().sent(now.us);
  };
  report(senders.video, video_time);
  if (senders.rtx) report(*senders.rtx, video_time);
  if (senders.audio) report(*senders.audio, audio_time);
}

void ViewerEgress::State::asked_again(std::uint16_t sequence_number, std::int64_t now_us) {
  ++stats.nacked;
  if (!retransmissions.may_ask(now_us)) {
    ++stats.nack_limited;
    return;
  }
  SentPacket* const packet = history.find(sequence_number);
  if (packet == nullptr) {
    ++stats.nack_unknown;
  } else if (!retransmissions.take(*packet, retransmission_bytes(*packet), stats.rtt_us, now_us)) {
    ++stats.nack_limited;
  }
}

bool ViewerEgress::State::is_slow(std::size_t waiting_bytes) const noexcept {
  return static_cast<double>(waiting_bytes) * 8e6 >
         static_cast<double>(pacer.rate_bps()) * static_cast<double>(max_queue_us);
}

void ViewerEgress::State::note_queue() noexcept {
  stats.queued_bytes = video_queue.bytes();
  stats.queued_frames = video_queue.size();
  stats.pacing_bps = pacer.rate_bps();
}

ViewerEgress::ViewerEgress(const EgressConfig& config, Now now) : state_(std::make_unique<State>(config, now)) {}
ViewerEgress::~ViewerEgress() = default;
ViewerEgress::ViewerEgress(ViewerEgress&&) noexcept = default;
ViewerEgress& ViewerEgress::operator=(ViewerEgress&&) noexcept = default;

void ViewerEgress::send(FrameRef frame, Now now) {
  State& state = *state_;
  if (frame == nullptr || frame->payloads.empty()) return;
  if (!fits_packets(*frame)) {
    ++state.stats.dropped_too_large;
    return;
  }
  if (state.waits_for_key && !frame->is_key) {
    ++state.stats.dropped_before_key;
    return;
  }
  const bool is_key = frame->is_key;
  // A frame is never too large itself. A key frame is where it goes on, if all that was queued is dropped.
  if (state.is_slow(is_key ? state.video_queue.bytes() : state.video_queue.bytes_behind())) {
    state.stats.dropped_slow += state.video_queue.keep(0);
    if (!is_key) {
      ++state.stats.dropped_slow;
      state.waits_for_key = true;
      state.wishes_key = true;
      state.note_queue();
      return;
    }
  }
  const std::int64_t pts_us = frame->pts_us;
  state.video_time.observe(pts_us, frame->received_us > 0 ? frame->received_us : now.us);
  state.video_queue.push(std::move(frame), pts_us);
  if (is_key) {
    state.waits_for_key = false;
    state.wishes_key = false;
  }
  state.note_queue();
}

void ViewerEgress::replay(std::span<const FrameRef> frames, Now now) {
  State& state = *state_;
  state.stats.dropped_before_key += state.video_queue.keep(0);
  const auto is_key = [](const FrameRef& frame) { return frame != nullptr && frame->is_key; };
  while (!frames.empty() && !is_key(frames.front())) {
    ++state.stats.dropped_before_key;
    frames = frames.subspan(1);
  }
  state.waits_for_key = frames.empty();
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto steps = static_cast<std::int64_t>(frames.size() - 1 - i);
    if (frames[i] == nullptr || frames[i]->payloads.empty()) continue;
    if (!fits_packets(*frames[i])) {
      ++state.stats.dropped_too_large;
      continue;
    }
    state.video_queue.push(frames[i], frames.back()->pts_us - steps * kReplayStepUs, true);
  }
  if (!frames.empty()) {
    state.wishes_key = false;
    const Frame& last = *frames.back();
    state.video_time.observe(last.pts_us, last.received_us > 0 ? last.received_us : now.us);
  }
  state.note_queue();
}

void ViewerEgress::send_audio(FrameRef packet, Now now) {
  State& state = *state_;
  if (packet == nullptr || packet->payloads.empty()) return;
  if (!state.senders.audio || !fits_packets(*packet)) {
    ++(state.senders.audio ? state.stats.dropped_too_large : state.stats.dropped_audio);
    return;
  }
  const std::int64_t pts_us = packet->pts_us;
  state.audio_time.observe(pts_us, packet->received_us > 0 ? packet->received_us : now.us);
  state.audio_queue.push(std::move(packet), pts_us);
  state.stats.dropped_audio += state.audio_queue.keep(kMostAudio);
}

void ViewerEgress::wait_for_key(Now /*now*/) {
  State& state = *state_;
  state.stats.dropped_before_key += state.video_queue.keep(0);
  state.waits_for_key = true;
  state.note_queue();
}

bool ViewerEgress::waits_for_key() const noexcept {
  return state_->waits_for_key;
}

bool ViewerEgress::take_key_frame_wish() noexcept {
  return std::exchange(state_->wishes_key, false);
}

void ViewerEgress::set_rendition_rate(std::uint64_t bps) noexcept {
  state_->pacer.set_rendition_rate(bps);
  state_->note_queue();
}

void ViewerEgress::set_pacing(const Pacing& pacing) noexcept {
  state_->pacer.configure(pacing);
  state_->max_queue_us = pacing.max_queue_us;
  state_->note_queue();
}

void ViewerEgress::poll(Now now, PacketSink& out) {
  State& state = *state_;
  state.outlet.clear_stuck();
  state.pacer.advance(now.us);
  state.write_reports(now, out);
  bool goes_on = true;
  if (state.senders.audio) {
    while (goes_on && !state.audio_queue.empty()) goes_on = state.write_audio(*state.senders.audio, now, out);
  }
  while (goes_on && !state.retransmissions.empty()) goes_on = state.write_retransmission(now, out);
  while (goes_on && !state.video_queue.empty()) goes_on = state.write_video(now, out);
  state.write_reports(now, out);  // the first one goes after the first packet
  state.note_queue();
}

std::optional<std::int64_t> ViewerEgress::deadline_us() const noexcept {
  State& state = *state_;
  if (const auto stuck_us = state.outlet.stuck_us()) return *stuck_us + kStuckPauseUs;
  std::optional<std::size_t> next;
  if (state.senders.audio && !state.audio_queue.empty()) {
    const WaitingFrame& waiting = state.audio_queue.front();
    next = Outlet::wire_bytes(*state.senders.audio, {}, waiting.frame->payloads[waiting.next].size());
  } else if (!state.retransmissions.empty()) {
    const SentPacket* const packet = state.history.find_index(state.retransmissions.front());
    next = packet != nullptr ? state.retransmission_bytes(*packet) : 0;
  } else if (!state.video_queue.empty()) {
    const WaitingFrame& waiting = state.video_queue.front();
    PacketFields fields;
    fields.capture_ntp = waiting.capture_ntp;
    next = Outlet::wire_bytes(state.senders.video, fields, waiting.frame->payloads[waiting.next].size());
  }
  if (!next) return std::nullopt;
  return state.pacer.ready_us(*next, state.audio_queue.bytes() + state.video_queue.bytes());
}

Received ViewerEgress::receive(std::span<std::uint8_t> datagram, Now now) {
  State& state = *state_;
  Received received;
  srtp::Refusal refusal{};
  const auto size = state.rtcp_opener.open(datagram, refusal);
  if (!size) {
    ++(refusal == srtp::Refusal::malformed ? state.stats.rtcp_malformed : state.stats.rtcp_forged);
    return received;
  }
  received.authenticated = true;
  state.stats.heard_us = now.us;
  if (!state.rtcp_allowance.take(now.us)) {
    ++state.stats.rtcp_limited;
    received.limited = true;
    return received;
  }
  state.retransmissions.advance(state.pacer.rate_bps(), now.us);
  const Heard heard = state.feedback.read(datagram.first(*size), now, state.stats, [&](std::uint16_t sequence_number) {
    state.asked_again(sequence_number, now.us);
  });
  if (heard.about_us) {
    state.pacer.set_feedback_seen(now.us);
    state.note_queue();
  }
  received.key_frame_wanted = heard.key_frame_wanted;
  received.bye = heard.bye;
  received.retransmits = !state.retransmissions.empty();
  return received;
}

void ViewerEgress::write_bye(Now now, PacketSink& out) {
  State& state = *state_;
  std::array<std::uint32_t, ReportWriter::kMostStreams> ssrcs{state.senders.video.ssrc()};
  std::size_t count = 1;
  if (state.senders.rtx) ssrcs[count++] = state.senders.rtx->ssrc();
  if (state.senders.audio) ssrcs[count++] = state.senders.audio->ssrc();
  state.write_report(state.senders.video, state.video_time, std::span(ssrcs).first(count), now, out);
}

const EgressStats& ViewerEgress::stats() const noexcept {
  return state_->stats;
}

}  // namespace mediacore::egress
