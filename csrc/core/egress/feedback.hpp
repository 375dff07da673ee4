// What a viewer's RTCP tells about the streams it gets, and what it wants.
//
// Policy: what is about other SSRCs is skipped; a malformed packet ends the reading, and what came before it counts. A
//   round trip above kMostRttUs is a slip or a lie, and is not believed.
// Threads: one owner.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/egress/egress_stats.hpp"
#include "core/egress/frame.hpp"
#include "core/rtcp/reader.hpp"

namespace mediacore::egress {

inline constexpr std::int64_t kMostRttUs = 30'000'000;

// 0: there is none.
struct OwnSsrcs {
  std::uint32_t video = 0;
  std::uint32_t rtx = 0;
  std::uint32_t audio = 0;

  bool has(std::uint32_t ssrc) const noexcept { return ssrc != 0 && (ssrc == video || ssrc == rtx || ssrc == audio); }
};

struct Heard {
  bool about_us = false;  // a report on a stream of ours, TWCC or REMB: the way back works
  bool key_frame_wanted = false;
  bool bye = false;
};

// Since the report with the middle 32 bits `last_sr` of its NTP time was sent, less the time it rested with the viewer.
std::optional<std::int64_t> round_trip_us(const rtcp::ReportBlock& block, std::uint64_t now_ntp) noexcept;

class FeedbackReader {
 public:
  explicit FeedbackReader(OwnSsrcs own) noexcept : own_(own) {}

  // Reads a compound packet; calls nacked(std::uint16_t) for each video packet that is asked for.
  template <class Nacked>
  Heard read(std::span<const std::uint8_t> compound, Now now, EgressStats& stats, Nacked&& nacked) const {
    Heard heard;
    rtcp::Reader reader(compound);
    while (const auto item = reader.next()) {
      if (const auto* nack = std::get_if<rtcp::Nack>(&*item)) {
        if (nack->media_ssrc == own_.video) nack->for_each(nacked);
      } else {
        take(*item, now, stats, heard);
      }
    }
    if (reader.error()) ++stats.rtcp_malformed;
    return heard;
  }

 private:
  void take(const rtcp::Item& item, Now now, EgressStats& stats, Heard& heard) const noexcept;
  void take_reports(const rtcp::ReportBlocks& blocks, Now now, EgressStats& stats, Heard& heard) const noexcept;

  OwnSsrcs own_;
};

}  // namespace mediacore::egress
