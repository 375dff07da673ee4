#include "core/rtcp/writer.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/rtp/sequence_number.hpp"

namespace mediacore::rtcp {
namespace {

using rtp::store_be;

constexpr std::uint8_t kVersionBits = 0x80;
constexpr std::uint8_t kCnameItem = 1;  // RFC 3550 6.5.1
constexpr std::size_t kMaxItemBytes = 255;
constexpr std::size_t kMaxRembSsrcs = 255;  // 8 bits
constexpr unsigned kMantissaBits = 18;      // of REMB
constexpr std::uint16_t kMaskBits = 16;     // of a NACK's BLP
// 24 bits, signed; what is beyond stays at the end (RFC 3550 A.3).
constexpr std::int32_t kMaxCumulativeLost = 0x7fffff;
constexpr std::int32_t kMinCumulativeLost = -0x800000;

std::uint8_t* write_report(const ReportBlock& report, std::uint8_t* at) noexcept {
  store_be<4>(report.ssrc, at);
  const std::int32_t lost = std::clamp(report.cumulative_lost, kMinCumulativeLost, kMaxCumulativeLost);
  store_be<4>(std::uint32_t{report.fraction_lost} << 24 | (static_cast<std::uint32_t>(lost) & 0xffffff), at + 4);
  store_be<4>(report.highest_sequence, at + 8);
  store_be<4>(report.jitter, at + 12);
  store_be<4>(report.last_sr, at + 16);
  store_be<4>(report.delay_since_last_sr, at + 20);
  return at + kReportBlockBytes;
}

// A packet and the mask of those after it.
struct NackPair {
  std::uint16_t first;
  std::uint16_t mask;
  std::size_t count;  // of the lost ones that it tells of
};

NackPair first_pair(std::span<const std::uint16_t> lost) noexcept {
  NackPair pair{lost[0], 0, 1};
  for (; pair.count < lost.size(); ++pair.count) {
    const auto ahead = static_cast<std::uint16_t>(lost[pair.count] - pair.first);
    if (ahead > kMaskBits) break;
    // The same again is told already.
    if (ahead > 0) pair.mask = static_cast<std::uint16_t>(pair.mask | 1U << (ahead - 1U));
  }
  return pair;
}

}  // namespace

std::uint8_t* Writer::begin(PacketType type, std::size_t count, std::size_t bytes) noexcept {
  if (count > kMaxCount || bytes > kMaxPacketBytes || bytes > out_.size() - size_) return nullptr;
  std::uint8_t* at = out_.data() + size_;
  size_ += bytes;
  at[0] = static_cast<std::uint8_t>(kVersionBits | count);
  at[1] = static_cast<std::uint8_t>(type);
  store_be<2>(bytes / 4 - 1, at + 2);
  return at;
}

std::uint8_t* Writer::begin_feedback(PacketType type, std::size_t format, std::size_t bytes, std::uint32_t sender_ssrc,
                                     std::uint32_t media_ssrc) noexcept {
  std::uint8_t* at = begin(type, format, bytes);
  if (at == nullptr) return nullptr;
  store_be<4>(sender_ssrc, at + kHeaderBytes);
  store_be<4>(media_ssrc, at + kHeaderBytes + 4);
  return at;
}

bool Writer::sender_report(std::uint32_t ssrc, std::uint64_t ntp, std::uint32_t rtp_timestamp, std::uint32_t packets,
                           std::uint32_t octets, std::span<const ReportBlock> reports) noexcept {
  std::uint8_t* at = begin(PacketType::sender_report, reports.size(),
                           kHeaderBytes + 4 + kSenderInfoBytes + kReportBlockBytes * reports.size());
  if (at == nullptr) return false;
  store_be<4>(ssrc, at + 4);
  store_be<8>(ntp, at + 8);
  store_be<4>(rtp_timestamp, at + 16);
  store_be<4>(packets, at + 20);
  store_be<4>(octets, at + 24);
  at += kHeaderBytes + 4 + kSenderInfoBytes;
  for (const ReportBlock& report : reports) at = write_report(report, at);
  return true;
}

bool Writer::receiver_report(std::uint32_t ssrc, std::span<const ReportBlock> reports) noexcept {
  std::uint8_t* at =
      begin(PacketType::receiver_report, reports.size(), kHeaderBytes + 4 + kReportBlockBytes * reports.size());
  if (at == nullptr) return false;
  store_be<4>(ssrc, at + 4);
  at += kHeaderBytes + 4;
  for (const ReportBlock& report : reports) at = write_report(report, at);
  return true;
}

bool Writer::sdes_cname(std::uint32_t ssrc, std::string_view cname) noexcept {
  if (cname.size() > kMaxItemBytes) return false;
  // SSRC, type and length, text; then one to four zeros end the list at a word (RFC 3550 6.5).
  const std::size_t used = kHeaderBytes + 6 + cname.size();
  const std::size_t bytes = (used / 4 + 1) * 4;
  std::uint8_t* at = begin(PacketType::source_description, 1, bytes);
  if (at == nullptr) return false;
  store_be<4>(ssrc, at + 4);
  at[8] = kCnameItem;
  at[9] = static_cast<std::uint8_t>(cname.size());
  std::copy(cname.begin(), cname.end(), at + 10);
  std::memset(at + used, 0, bytes - used);
  return true;
}

bool Writer::bye(std::span<const std::uint32_t> ssrcs) noexcept {
  std::uint8_t* at = begin(PacketType::bye, ssrcs.size(), kHeaderBytes + 4 * ssrcs.size());
  if (at == nullptr) return false;
  for (std::size_t i = 0; i < ssrcs.size(); ++i) store_be<4>(ssrcs[i], at + kHeaderBytes + 4 * i);
  return true;
}

bool Writer::nack(std::uint32_t sender_ssrc, std::uint32_t media_ssrc, std::span<const std::uint16_t> lost) noexcept {
  if (lost.empty()) return false;
  std::size_t pairs = 0;
  for (auto left = lost; !left.empty(); left = left.subspan(first_pair(left).count)) ++pairs;
  std::uint8_t* at =
      begin_feedback(PacketType::transport_feedback, kNackFormat,
                     kHeaderBytes + kFeedbackSsrcBytes + kNackPairBytes * pairs, sender_ssrc, media_ssrc);
  if (at == nullptr) return false;
  at += kHeaderBytes + kFeedbackSsrcBytes;
  for (auto left = lost; !left.empty(); at += kNackPairBytes) {
    const NackPair pair = first_pair(left);
    store_be<2>(pair.first, at);
    store_be<2>(pair.mask, at + 2);
    left = left.subspan(pair.count);
  }
  return true;
}

bool Writer::picture_loss(std::uint32_t sender_ssrc, std::uint32_t media_ssrc) noexcept {
  return begin_feedback(PacketType::payload_feedback, kPictureLossFormat, kHeaderBytes + kFeedbackSsrcBytes,
                        sender_ssrc, media_ssrc) != nullptr;
}

bool Writer::full_intra_request(std::uint32_t sender_ssrc, std::uint32_t media_ssrc,
                                std::uint8_t sequence_number) noexcept {
  // The media's SSRC stands in the entry, 0 in the head (RFC 5104 4.3.1.2).
  std::uint8_t* at = begin_feedback(PacketType::payload_feedback, kFullIntraFormat,
                                    kHeaderBytes + kFeedbackSsrcBytes + kFullIntraBytes, sender_ssrc, 0);
  if (at == nullptr) return false;
  store_be<4>(media_ssrc, at + 12);
  store_be<4>(std::uint32_t{sequence_number} << 24, at + 16);
  return true;
}

bool Writer::remb(std::uint32_t sender_ssrc, std::uint64_t bitrate_bps, std::span<const std::uint32_t> ssrcs) noexcept {
  if (ssrcs.size() > kMaxRembSsrcs) return false;
  const std::size_t bytes = kHeaderBytes + kFeedbackSsrcBytes + kRembFixedBytes + 4 * ssrcs.size();
  std::uint8_t* at = begin_feedback(PacketType::payload_feedback, kApplicationFormat, bytes, sender_ssrc, 0);
  if (at == nullptr) return false;
  const auto width = static_cast<unsigned>(std::bit_width(bitrate_bps));
  const unsigned exponent = width > kMantissaBits ? width - kMantissaBits : 0;
  store_be<4>(kRembIdentifier, at + 12);
  store_be<4>(ssrcs.size() << 24 | std::uint64_t{exponent} << kMantissaBits | bitrate_bps >> exponent, at + 16);
  for (std::size_t i = 0; i < ssrcs.size(); ++i) store_be<4>(ssrcs[i], at + 20 + 4 * i);
  return true;
}

}  // namespace mediacore::rtcp
