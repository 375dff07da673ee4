#include "core/rtcp/reader.hpp"

namespace mediacore::rtcp {
namespace {

using rtp::ErrorCode;

constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kPaddingBit = 0x20;
constexpr unsigned kMantissaBits = 18;  // of REMB

std::uint32_t word(std::span<const std::uint8_t> bytes, std::size_t at) noexcept {
  return static_cast<std::uint32_t>(rtp::load_be<4>(&bytes[at]));
}

bool is_type(std::uint8_t type, PacketType which) noexcept {
  return type == static_cast<std::uint8_t>(which);
}

}  // namespace

ReportBlock ReportBlocks::operator[](std::size_t index) const noexcept {
  const auto block = bytes_.subspan(index * kReportBlockBytes, kReportBlockBytes);
  return {
      .ssrc = word(block, 0),
      .fraction_lost = block[4],
      .cumulative_lost = static_cast<std::int32_t>(word(block, 4) << 8) >> 8,
      .highest_sequence = word(block, 8),
      .jitter = word(block, 12),
      .last_sr = word(block, 16),
      .delay_since_last_sr = word(block, 20),
  };
}

std::nullopt_t Reader::fail(ErrorCode code, std::size_t byte_offset) noexcept {
  error_ = rtp::Error{code, byte_offset};
  return std::nullopt;
}

std::nullopt_t Reader::skip() noexcept {
  ++skipped_;
  return std::nullopt;
}

std::optional<Item> Reader::next() noexcept {
  if (!full_intra_entries_.empty()) return take_full_intra();
  if (data_.empty()) return fail(ErrorCode::empty, 0);
  while (!error_ && at_ < data_.size()) {
    const auto packet = take_packet();
    if (!packet) break;
    if (auto item = read(*packet)) return item;
  }
  return std::nullopt;
}

std::optional<Reader::Packet> Reader::take_packet() noexcept {
  const std::span<const std::uint8_t> left = data_.subspan(at_);
  if ((left[0] >> 6) != kVersion) return fail(ErrorCode::wrong_version, at_);
  if (left.size() < kHeaderBytes) return fail(ErrorCode::truncated, data_.size());
  const std::size_t bytes = 4 * (static_cast<std::size_t>(rtp::load_be<2>(&left[2])) + 1);
  if (left.size() < bytes) return fail(ErrorCode::truncated, data_.size());

  Packet packet{
      .type = left[1],
      .count = static_cast<std::uint8_t>(left[0] & kMaxCount),
      .body = left.subspan(kHeaderBytes, bytes - kHeaderBytes),
      .offset = at_ + kHeaderBytes,
  };
  if ((left[0] & kPaddingBit) != 0) {
    const bool is_transport_wide =
        is_type(packet.type, PacketType::transport_feedback) && packet.count == kTransportWideFormat;
    if (bytes < left.size() && !is_transport_wide) return fail(ErrorCode::bad_padding, at_);
    const std::size_t padding = packet.body.empty() ? 0 : packet.body.back();
    if (padding == 0 || padding > packet.body.size() || (padding % 4 != 0 && !is_transport_wide)) {
      return fail(ErrorCode::bad_padding, at_ + bytes - 1);
    }
    packet.body = packet.body.first(packet.body.size() - padding);
  }
  at_ += bytes;
  return packet;
}

std::optional<Item> Reader::read(const Packet& packet) noexcept {
  switch (static_cast<PacketType>(packet.type)) {
    case PacketType::sender_report:
    case PacketType::receiver_report: return read_reports(packet);
    case PacketType::source_description: return std::nullopt;
    case PacketType::bye:
      if (packet.body.size() < std::size_t{4} * packet.count) {
        return fail(ErrorCode::truncated, packet.offset + packet.body.size());
      }
      return Bye{packet.count == 0 ? 0 : word(packet.body, 0)};
    case PacketType::transport_feedback: return read_transport_feedback(packet);
    case PacketType::payload_feedback: return read_payload_feedback(packet);
  }
  return skip();
}

std::optional<Item> Reader::read_reports(const Packet& packet) noexcept {
  const bool from_sender = is_type(packet.type, PacketType::sender_report);
  const std::size_t fixed = 4 + (from_sender ? kSenderInfoBytes : 0);
  const std::size_t blocks = kReportBlockBytes * packet.count;
  const std::span<const std::uint8_t> body = packet.body;
  // What follows the blocks is an extension of a profile (RFC 3550 6.4.3).
  if (body.size() < fixed + blocks) return fail(ErrorCode::truncated, packet.offset + body.size());
  const ReportBlocks reports(body.subspan(fixed, blocks));
  if (!from_sender) return ReceiverReport{word(body, 0), reports};
  return SenderReport{
      .ssrc = word(body, 0),
      .ntp = rtp::load_be<8>(&body[4]),
      .rtp_timestamp = word(body, 12),
      .packets = word(body, 16),
      .octets = word(body, 20),
      .reports = reports,
  };
}

std::optional<Item> Reader::read_transport_feedback(const Packet& packet) noexcept {
  if (packet.count != kNackFormat && packet.count != kTransportWideFormat) return skip();
  const std::span<const std::uint8_t> body = packet.body;
  if (body.size() < kFeedbackSsrcBytes) return fail(ErrorCode::truncated, packet.offset + body.size());
  if (packet.count == kNackFormat) {
    if (body.size() < kFeedbackSsrcBytes + kNackPairBytes) {
      return fail(ErrorCode::truncated, packet.offset + body.size());
    }
    return Nack{word(body, 4), body.subspan(kFeedbackSsrcBytes)};
  }
  const auto feedback = parse_transport_feedback(body.subspan(kFeedbackSsrcBytes));
  if (!feedback) {
    return fail(feedback.error().code, packet.offset + kFeedbackSsrcBytes + feedback.error().byte_offset);
  }
  return *feedback;
}

std::optional<Item> Reader::read_payload_feedback(const Packet& packet) noexcept {
  const std::uint8_t format = packet.count;
  if (format != kPictureLossFormat && format != kFullIntraFormat && format != kApplicationFormat) return skip();
  const std::span<const std::uint8_t> body = packet.body;
  if (body.size() < kFeedbackSsrcBytes) return fail(ErrorCode::truncated, packet.offset + body.size());
  if (format == kPictureLossFormat) return PictureLoss{word(body, 4)};
  if (format == kApplicationFormat) return read_remb(packet);

  const std::span<const std::uint8_t> entries = body.subspan(kFeedbackSsrcBytes);
  if (entries.empty()) return fail(ErrorCode::truncated, packet.offset + body.size());
  if (entries.size() % kFullIntraBytes != 0) return fail(ErrorCode::length_mismatch, packet.offset + body.size());
  full_intra_entries_ = entries;
  return take_full_intra();
}

std::optional<Item> Reader::read_remb(const Packet& packet) noexcept {
  const std::span<const std::uint8_t> message = packet.body.subspan(kFeedbackSsrcBytes);
  const std::size_t offset = packet.offset + kFeedbackSsrcBytes;
  // Applications put what they like here (RFC 4585 6.4); only what calls itself REMB is held to its form.
  if (message.size() < 4 || word(message, 0) != kRembIdentifier) return skip();
  if (message.size() < kRembFixedBytes || message.size() < kRembFixedBytes + std::size_t{4} * message[4]) {
    return fail(ErrorCode::truncated, offset + message.size());
  }
  const unsigned exponent = message[5] >> 2;
  const std::uint64_t mantissa = word(message, 4) & ((1U << kMantissaBits) - 1);
  const std::uint64_t bitrate_bps = mantissa << exponent;
  if (bitrate_bps >> exponent != mantissa) return fail(ErrorCode::value_out_of_range, offset + 5);
  return Remb{bitrate_bps};
}

std::optional<Item> Reader::take_full_intra() noexcept {
  const FullIntraRequest request{word(full_intra_entries_, 0), full_intra_entries_[4]};
  full_intra_entries_ = full_intra_entries_.subspan(kFullIntraBytes);
  return request;
}

}  // namespace mediacore::rtcp
