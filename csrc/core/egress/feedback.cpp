#include "core/egress/feedback.hpp"

#include <variant>

namespace mediacore::egress {

std::optional<std::int64_t> round_trip_us(const rtcp::ReportBlock& block, std::uint64_t now_ntp) noexcept {
  if (block.last_sr == 0) return std::nullopt;
  const auto now = static_cast<std::uint32_t>(now_ntp >> 16);
  const auto units = static_cast<std::int32_t>(now - block.last_sr - block.delay_since_last_sr);
  // The viewer's clock and ours tick differently: a little less than nothing is nothing.
  constexpr std::int32_t kSlack = -65536 / 20;  // 50 ms
  if (units < kSlack) return std::nullopt;
  const std::int64_t us = units <= 0 ? 0 : (std::int64_t{units} * 1'000'000) >> 16;
  if (us > kMostRttUs) return std::nullopt;
  return us;
}

void FeedbackReader::take(const rtcp::Item& item, Now now, EgressStats& stats, Heard& heard) const noexcept {
  if (const auto* report = std::get_if<rtcp::ReceiverReport>(&item)) {
    take_reports(report->reports, now, stats, heard);
  } else if (const auto* sender = std::get_if<rtcp::SenderReport>(&item)) {
    take_reports(sender->reports, now, stats, heard);
  } else if (const auto* loss = std::get_if<rtcp::PictureLoss>(&item)) {
    if (loss->media_ssrc != own_.video) return;
    ++stats.key_frame_requests;
    heard.key_frame_wanted = true;
  } else if (const auto* request = std::get_if<rtcp::FullIntraRequest>(&item)) {
    if (request->media_ssrc != own_.video) return;
    ++stats.key_frame_requests;
    heard.key_frame_wanted = true;
  } else if (const auto* remb = std::get_if<rtcp::Remb>(&item)) {
    stats.remb_bps = remb->bitrate_bps;
    heard.about_us = true;
  } else if (std::holds_alternative<rtcp::TransportFeedback>(item)) {
    ++stats.transport_feedbacks;
    heard.about_us = true;
  } else if (std::holds_alternative<rtcp::Bye>(item)) {
    heard.bye = true;
  }
}

void FeedbackReader::take_reports(const rtcp::ReportBlocks& blocks, Now now, EgressStats& stats,
                                  Heard& heard) const noexcept {
  ++stats.reports;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const rtcp::ReportBlock block = blocks[i];
    if (!own_.has(block.ssrc)) continue;
    heard.about_us = true;
    if (block.ssrc == own_.video) stats.loss = block.fraction_lost / 256.0;
    if (const auto rtt = round_trip_us(block, now.ntp)) stats.rtt_us = *rtt;
  }
}

}  // namespace mediacore::egress
