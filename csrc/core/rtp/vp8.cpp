#include "core/rtp/vp8.hpp"

#include <array>
#include <cstring>

#include "core/rtp/byte_order.hpp"
#include "core/rtp/cut_frame.hpp"

namespace mediacore::rtp {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint8_t kExtended = 0x80;        // X: the second byte is there
constexpr std::uint8_t kStart = 0x10;           // S: start of a partition
constexpr std::uint8_t kPartitionMask = 0x07;   // PID
constexpr std::uint8_t kHasPictureId = 0x80;    // I
constexpr std::uint8_t kHasTl0PicIdx = 0x40;    // L
constexpr std::uint8_t kHasTemporalId = 0x20;   // T
constexpr std::uint8_t kHasKeyIndex = 0x10;     // K
constexpr std::uint8_t kLongPictureId = 0x80;   // M
constexpr std::size_t kMaxDescriptorBytes = 6;  // X, I and M, L, T
constexpr std::uint8_t kInterFrame = 0x01;      // of the frame tag (RFC 6386 9.1), inverted key frame flag

// Bytes of the descriptor.
Result<std::size_t> descriptor_bytes(Bytes payload) noexcept {
  std::size_t size = 1;
  if ((payload[0] & kExtended) != 0) {
    if (payload.size() < 2) return Error{ErrorCode::truncated, payload.size()};
    const std::uint8_t flags = payload[1];
    size = 2;
    if ((flags & kHasPictureId) != 0) {
      if (payload.size() <= size) return Error{ErrorCode::truncated, payload.size()};
      size += (payload[size] & kLongPictureId) != 0 ? 2 : 1;
    }
    if ((flags & kHasTl0PicIdx) != 0) ++size;
    if ((flags & (kHasTemporalId | kHasKeyIndex)) != 0) ++size;
  }
  if (payload.size() <= size) return Error{ErrorCode::truncated, payload.size()};
  return size;
}

}  // namespace

std::optional<Error> Vp8Packetizer::packetize(Bytes frame, PayloadBuffer& out) {
  out.clear();
  if (frame.size() > kMaxFrameBytes) return Error{ErrorCode::frame_too_large, kMaxFrameBytes};
  if (frame.empty()) return std::nullopt;

  std::array<std::uint8_t, kMaxDescriptorBytes> descriptor{};
  std::size_t size = 1;
  if (picture_id_ || tl0_pic_idx_) {
    descriptor[0] = kExtended;
    // L asks for T: layer 0, which depends on no other (RFC 7741 4.2).
    descriptor[1] = static_cast<std::uint8_t>((picture_id_ ? kHasPictureId : 0) |
                                              (tl0_pic_idx_ ? kHasTl0PicIdx | kHasTemporalId : 0));
    size = 2;
  }
  if (picture_id_) {
    store_be<2>(0x8000U | *picture_id_, &descriptor[size]);
    size += 2;
    picture_id_ = static_cast<std::uint16_t>((*picture_id_ + 1) & kMaxPictureId);
  }
  if (tl0_pic_idx_) {
    descriptor[size] = *tl0_pic_idx_;
    size += 2;  // and TID, Y, KEYIDX, all 0
    tl0_pic_idx_ = static_cast<std::uint8_t>(*tl0_pic_idx_ + 1);
  }
  cut_frame(frame, limits_, size, 0, out, [&](std::uint8_t* to, bool first, bool /*last*/) {
    std::memcpy(to, descriptor.data(), size);
    if (first) to[0] |= kStart;
  });
  return std::nullopt;
}

std::optional<Error> Vp8Format::take(Bytes payload, FrameBytes& frame) {
  const auto size = descriptor_bytes(payload);
  if (!size) return size.error();
  const bool starts = (payload[0] & kStart) != 0 && (payload[0] & kPartitionMask) == 0;
  const Bytes part = payload.subspan(*size);
  if (starts && !frame.empty()) return Error{ErrorCode::start_unexpected, 0};
  if (!starts && frame.empty()) return Error{ErrorCode::start_missing, 0};
  if (starts) is_key_ = (part[0] & kInterFrame) == 0;
  if (!frame.append(part)) return Error{ErrorCode::frame_too_large, 0};
  return std::nullopt;
}

}  // namespace mediacore::rtp
