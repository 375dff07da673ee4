#include "core/rtp/h264_depacketizer.hpp"

#include <algorithm>
#include <array>

#include "core/h264/nal_unit.hpp"
#include "core/h264/start_code.hpp"
#include "core/rtp/byte_order.hpp"
#include "core/rtp/h264_rtp.hpp"

namespace mediacore::rtp {
namespace {

using namespace h264_format;
using Bytes = std::span<const std::uint8_t>;

constexpr std::array<std::uint8_t, 4> kStartCode{0, 0, 0, 1};
constexpr Error kTooLarge{ErrorCode::frame_too_large, 0};

bool begins_with_start_code(Bytes payload) noexcept {
  const Bytes code(kStartCode);
  const auto begins = [&](Bytes prefix) {
    return payload.size() > prefix.size() && std::equal(prefix.begin(), prefix.end(), payload.begin());
  };
  return begins(code) || begins(code.subspan(1));
}

std::optional<Error> append_nal(Bytes nal, FrameBytes& frame) {
  if (!frame.append(kStartCode) || !frame.append(nal)) return kTooLarge;
  return std::nullopt;
}

}  // namespace

void H264Format::reset() noexcept {
  fragment_open_ = false;
  has_idr_ = false;
}

std::optional<Error> H264Format::take(Bytes payload, FrameBytes& frame) {
  const std::uint8_t type = payload[0] & kTypeMask;
  if (type == kFuA) return take_fragment(payload, frame);
  if (fragment_open_) return Error{ErrorCode::start_unexpected, 0};
  if (type == kStapA) return take_aggregation(payload, frame);
  if (type >= kFirstAggregationType) return Error{ErrorCode::unsupported_type, 0};
  if (begins_with_start_code(payload)) {
    if (!frame.append(payload)) return kTooLarge;
    return std::nullopt;
  }
  return append_nal(payload, frame);
}

std::optional<Error> H264Format::take_aggregation(Bytes payload, FrameBytes& frame) {
  std::size_t at = kStapHeadBytes;
  if (payload.size() == at) return Error{ErrorCode::cut_entry, at};
  while (at < payload.size()) {
    if (payload.size() - at < kStapSizeBytes) return Error{ErrorCode::cut_entry, at};
    const std::size_t size = load_be<2>(&payload[at]);
    if (size == 0) return Error{ErrorCode::empty_entry, at};
    at += kStapSizeBytes;
    if (payload.size() - at < size) return Error{ErrorCode::cut_entry, at};
    if (const auto error = append_nal(payload.subspan(at, size), frame)) return error;
    at += size;
  }
  return std::nullopt;
}

std::optional<Error> H264Format::take_fragment(Bytes payload, FrameBytes& frame) {
  if (payload.size() < kFuHeadBytes) return Error{ErrorCode::truncated, payload.size()};
  const auto header = static_cast<std::uint8_t>((payload[0] & ~kTypeMask) | (payload[1] & kTypeMask));
  if ((payload[1] & kStartBit) != 0) {
    if (fragment_open_) return Error{ErrorCode::start_unexpected, 1};
    fragment_header_ = header;
    if (const auto error = append_nal({&header, 1}, frame)) return error;
  } else if (!fragment_open_) {
    return Error{ErrorCode::start_missing, 1};
  } else if ((header & kTypeMask) != (fragment_header_ & kTypeMask)) {
    return Error{ErrorCode::fragment_mismatch, 1};
  }
  if (!frame.append(payload.subspan(kFuHeadBytes))) return kTooLarge;
  fragment_open_ = (payload[1] & kEndBit) == 0;
  return std::nullopt;
}

std::optional<Error> H264Format::finish(const FrameBytes& frame) noexcept {
  if (fragment_open_) return Error{ErrorCode::not_finished, 0};
  const Bytes unit = frame.view();
  for (std::size_t code = h264::find_start_code(unit); code + 3 < unit.size();
       code = h264::find_start_code(unit, code + 3)) {
    has_idr_ = has_idr_ || h264::parse_nal_header(unit[code + 3]).type == h264::NalType::idr_slice;
  }
  return std::nullopt;
}

}  // namespace mediacore::rtp
