#include "core/rtp/h264_packetizer.hpp"

#include <algorithm>
#include <cstring>

#include "core/h264/nal_unit.hpp"
#include "core/h264/start_code.hpp"
#include "core/rtp/byte_order.hpp"
#include "core/rtp/h264_rtp.hpp"

namespace mediacore::rtp {
namespace {

using namespace h264_format;
using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kStartCodeBytes = 3;

bool is_carried(std::uint8_t header) noexcept {
  const auto type = static_cast<h264::NalType>(header & kTypeMask);
  return type != h264::NalType::access_unit_delimiter && type != h264::NalType::filler &&
         (header & kTypeMask) < kFirstAggregationType;
}

}  // namespace

std::optional<Error> H264Packetizer::packetize(Bytes unit, PayloadBuffer& out) {
  out.clear();
  if (const auto error = split(unit)) return error;
  const std::size_t count = nals_.size();
  for (std::size_t begin = 0; begin < count;) {
    const bool first = begin == 0;
    const std::size_t size = nals_[begin].size();
    if (size > limits_.room(first, begin + 1 == count)) {
      fragment(begin++, out);
      continue;
    }
    // As many as fit.
    std::size_t end = begin + 1;
    std::size_t bytes = kStapHeadBytes + kStapSizeBytes + size;
    if (mode_ == PacketizationMode::non_interleaved) {
      for (; end < count; ++end) {
        const std::size_t grown = bytes + kStapSizeBytes + nals_[end].size();
        if (grown > limits_.room(first, end + 1 == count)) break;
        bytes = grown;
      }
    }
    if (end == begin + 1) {
      std::memcpy(out.add(size), nals_[begin].data(), size);
    } else {
      aggregate(begin, end, bytes, out);
    }
    begin = end;
  }
  return std::nullopt;
}

// Finds the NAL units to carry; in mode 0 looks whether all of them can be.
std::optional<Error> H264Packetizer::split(Bytes unit) {
  nals_.clear();
  if (unit.size() > kMaxFrameBytes) return Error{ErrorCode::frame_too_large, kMaxFrameBytes};
  std::size_t code = h264::find_start_code(unit);
  const auto before = unit.first(code);
  const auto stray = std::find_if(before.begin(), before.end(), [](std::uint8_t byte) { return byte != 0; });
  if (stray != before.end()) {
    return Error{ErrorCode::no_start_code, static_cast<std::size_t>(stray - before.begin())};
  }
  while (code < unit.size()) {
    const std::size_t begin = code + kStartCodeBytes;
    code = h264::find_start_code(unit, begin);
    std::size_t end = code;
    while (end > begin && unit[end - 1] == 0) --end;  // trailing_zero_8bits, or the first byte of a longer start code
    if (end > begin && is_carried(unit[begin])) nals_.push_back(unit.subspan(begin, end - begin));
  }
  if (mode_ == PacketizationMode::non_interleaved) return std::nullopt;
  for (std::size_t i = 0; i < nals_.size(); ++i) {
    if (nals_[i].size() > limits_.room(i == 0, i + 1 == nals_.size())) {
      return Error{ErrorCode::nal_unit_too_large, static_cast<std::size_t>(nals_[i].data() - unit.data())};
    }
  }
  return std::nullopt;
}

void H264Packetizer::fragment(std::size_t index, PayloadBuffer& out) const {
  const Bytes nal = nals_[index];
  const auto indicator = static_cast<std::uint8_t>((nal[0] & (kForbiddenBit | kNriMask)) | kFuA);
  const auto type = static_cast<std::uint8_t>(nal[0] & kTypeMask);
  FragmentSizes sizes(nal.size() - 1, limits_.payload_bytes - kFuHeadBytes, index == 0 ? limits_.first_reduction : 0,
                      index + 1 == nals_.size() ? limits_.last_reduction : 0, 2, limits_.split);
  const std::uint8_t* from = nal.data() + 1;
  std::uint8_t start = kStartBit;
  while (!sizes.done()) {
    const std::size_t size = sizes.next();
    std::uint8_t* const payload = out.add(kFuHeadBytes + size);
    payload[0] = indicator;
    payload[1] = static_cast<std::uint8_t>(type | start | (sizes.done() ? kEndBit : 0));
    std::memcpy(payload + kFuHeadBytes, from, size);
    from += size;
    start = 0;
  }
}

void H264Packetizer::aggregate(std::size_t begin, std::size_t end, std::size_t bytes, PayloadBuffer& out) const {
  std::uint8_t* const payload = out.add(bytes);
  std::uint8_t* at = payload + kStapHeadBytes;
  std::uint8_t forbidden = 0;
  std::uint8_t nri = 0;
  for (std::size_t i = begin; i < end; ++i) {
    const Bytes nal = nals_[i];
    forbidden = static_cast<std::uint8_t>(forbidden | (nal[0] & kForbiddenBit));
    nri = std::max<std::uint8_t>(nri, nal[0] & kNriMask);
    store_be<2>(nal.size(), at);
    std::memcpy(at + kStapSizeBytes, nal.data(), nal.size());
    at += kStapSizeBytes + nal.size();
  }
  payload[0] = static_cast<std::uint8_t>(forbidden | nri | kStapA);
}

}  // namespace mediacore::rtp
