#include "core/rtp/vp9.hpp"

#include <array>
#include <cstring>

#include "core/rtp/byte_order.hpp"
#include "core/rtp/cut_frame.hpp"

namespace mediacore::rtp {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint8_t kHasPictureId = 0x80;   // I
constexpr std::uint8_t kPredicted = 0x40;      // P
constexpr std::uint8_t kHasLayer = 0x20;       // L
constexpr std::uint8_t kFlexible = 0x10;       // F
constexpr std::uint8_t kBegin = 0x08;          // B
constexpr std::uint8_t kEnd = 0x04;            // E
constexpr std::uint8_t kHasStructure = 0x02;   // V
constexpr std::uint8_t kLongPictureId = 0x80;  // M
constexpr std::uint8_t kMoreReferences = 0x01;
constexpr std::size_t kMaxReferences = 3;
constexpr std::uint8_t kStructureHasSize = 0x10;   // Y
constexpr std::uint8_t kStructureHasGroup = 0x08;  // G

// Bits of a header without emulation prevention, from the top.
class Bits {
 public:
  explicit Bits(Bytes data) noexcept : data_(data) {}

  std::uint32_t read(unsigned count) noexcept {
    std::uint32_t value = 0;
    for (; count > 0; --count, ++at_) {
      const std::size_t byte = at_ / 8;
      const unsigned bit = byte < data_.size() ? (data_[byte] >> (7 - at_ % 8)) & 1U : 0U;
      value = (value << 1) | bit;
    }
    return value;
  }

  bool ok() const noexcept { return at_ <= data_.size() * 8; }

 private:
  Bytes data_;
  std::size_t at_ = 0;
};

// color_config() of the bitstream specification; only its length matters.
void skip_colour(Bits& bits, std::uint32_t profile) noexcept {
  constexpr std::uint32_t kSrgb = 7;
  const bool odd_profile = (profile & 1) != 0;
  if (profile >= 2) bits.read(1);   // ten_or_twelve_bit
  if (bits.read(3) == kSrgb) {      // color_space
    if (odd_profile) bits.read(1);  // reserved_zero
  } else {
    bits.read(1);                   // color_range
    if (odd_profile) bits.read(3);  // subsampling_x, subsampling_y, reserved_zero
  }
}

// The descriptor that stands in each packet, and the structure that the first one of a key frame has besides.
struct Descriptor {
  std::array<std::uint8_t, 8> bytes{};
  std::size_t size = 0;
  std::array<std::uint8_t, 8> structure{};
  std::size_t structure_size = 0;

  void add(std::uint8_t byte) noexcept { bytes[size++] = byte; }
};

void add_structure(const Vp9Header& header, bool flexible, Descriptor& to) noexcept {
  to.structure[0] = static_cast<std::uint8_t>(kStructureHasSize | (flexible ? 0 : kStructureHasGroup));
  store_be<2>(header.width, &to.structure[1]);
  store_be<2>(header.height, &to.structure[3]);
  to.structure_size = 5;
  if (flexible) return;
  // Each picture refers to the one before: a group of one, TID 0, R 1, P_DIFF 1.
  to.structure[5] = 1;
  to.structure[6] = 0x04;
  to.structure[7] = 1;
  to.structure_size = 8;
}

// Bytes of a received descriptor.
class DescriptorReader {
 public:
  explicit DescriptorReader(Bytes payload) noexcept : payload_(payload) {}

  Result<std::size_t> size() noexcept {
    const std::uint8_t flags = next();
    if ((flags & kHasPictureId) != 0 && (next() & kLongPictureId) != 0) next();
    if ((flags & kHasLayer) != 0) {
      next();
      if ((flags & kFlexible) == 0) next();  // TL0PICIDX
    }
    if ((flags & kFlexible) != 0 && (flags & kPredicted) != 0) {
      std::size_t references = 1;
      while ((next() & kMoreReferences) != 0) {
        if (++references > kMaxReferences) return Error{ErrorCode::value_out_of_range, at_ - 1};
      }
    }
    if ((flags & kHasStructure) != 0) skip_structure();
    if (at_ >= payload_.size()) return Error{ErrorCode::truncated, payload_.size()};
    return at_;
  }

 private:
  // Past the end: 0, and the position tells.
  std::uint8_t next() noexcept {
    const std::size_t at = at_++;
    return at < payload_.size() ? payload_[at] : std::uint8_t{0};
  }

  void skip_structure() noexcept {
    const std::uint8_t head = next();
    if ((head & kStructureHasSize) != 0) at_ += std::size_t{4} * ((head >> 5) + 1U);
    if ((head & kStructureHasGroup) == 0) return;
    for (unsigned pictures = next(); pictures > 0; --pictures) at_ += (next() >> 2) & 3U;
  }

  Bytes payload_;
  std::size_t at_ = 0;
};

}  // namespace

Result<Vp9Header> parse_vp9_header(Bytes frame) noexcept {
  constexpr std::uint32_t kFrameMarker = 2;
  constexpr std::uint32_t kSyncCode = 0x498342;
  Bits bits(frame);
  if (frame.empty()) return Error{ErrorCode::empty, 0};
  if (bits.read(2) != kFrameMarker) return Error{ErrorCode::unsupported_type, 0};
  const std::uint32_t low = bits.read(1);
  const std::uint32_t profile = (bits.read(1) << 1) | low;
  if (profile == 3 && bits.read(1) != 0) return Error{ErrorCode::unsupported_type, 0};
  Vp9Header header;
  if (bits.read(1) != 0) return header;  // show_existing_frame
  header.is_key = bits.read(1) == 0;
  bits.read(2);  // show_frame, error_resilient_mode
  if (!header.is_key) return bits.ok() ? Result<Vp9Header>(header) : Error{ErrorCode::truncated, frame.size()};
  if (bits.read(24) != kSyncCode) return Error{ErrorCode::unsupported_type, 1};
  skip_colour(bits, profile);
  header.width = bits.read(16) + 1;
  header.height = bits.read(16) + 1;
  if (!bits.ok()) return Error{ErrorCode::truncated, frame.size()};
  if (header.width > 0xffff || header.height > 0xffff) return Error{ErrorCode::value_out_of_range, 0};
  return header;
}

std::optional<Error> Vp9Packetizer::packetize(Bytes frame, PayloadBuffer& out) {
  out.clear();
  if (frame.size() > kMaxFrameBytes) return Error{ErrorCode::frame_too_large, kMaxFrameBytes};
  if (frame.empty()) return std::nullopt;
  const auto header = parse_vp9_header(frame);
  if (!header) return header.error();

  Descriptor descriptor;
  descriptor.add(static_cast<std::uint8_t>(kHasPictureId | (header->is_key ? 0 : kPredicted) |
                                           (flexible_ ? kFlexible : kHasLayer)));
  descriptor.add(static_cast<std::uint8_t>(kLongPictureId | (picture_id_ >> 8)));
  descriptor.add(static_cast<std::uint8_t>(picture_id_));
  if (!flexible_) {
    descriptor.add(0);  // TID, U, SID, D
    descriptor.add(tl0_pic_idx_);
  } else if (!header->is_key) {
    descriptor.add(1 << 1);  // P_DIFF 1, no more
  }
  if (header->is_key) add_structure(*header, flexible_, descriptor);
  picture_id_ = static_cast<std::uint16_t>((picture_id_ + 1) & 0x7fff);
  tl0_pic_idx_ = static_cast<std::uint8_t>(tl0_pic_idx_ + 1);

  cut_frame(frame, limits_, descriptor.size, descriptor.structure_size, out,
            [&](std::uint8_t* to, bool first, bool last) {
              std::memcpy(to, descriptor.bytes.data(), descriptor.size);
              to[0] = static_cast<std::uint8_t>(to[0] | (first ? kBegin : 0) | (last ? kEnd : 0) |
                                                (first && header->is_key ? kHasStructure : 0));
              if (first) std::memcpy(to + descriptor.size, descriptor.structure.data(), descriptor.structure_size);
            });
  return std::nullopt;
}

void Vp9Format::reset() noexcept {
  layer_open_ = false;
  is_key_ = false;
}

std::optional<Error> Vp9Format::take(Bytes payload, FrameBytes& frame) {
  const auto size = DescriptorReader(payload).size();
  if (!size) return size.error();
  const bool begins = (payload[0] & kBegin) != 0;
  if (begins && layer_open_) return Error{ErrorCode::start_unexpected, 0};
  if (!begins && !layer_open_) return Error{ErrorCode::start_missing, 0};
  if (frame.empty()) is_key_ = (payload[0] & kPredicted) == 0;
  if (!frame.append(payload.subspan(*size))) return Error{ErrorCode::frame_too_large, 0};
  layer_open_ = (payload[0] & kEnd) == 0;
  return std::nullopt;
}

std::optional<Error> Vp9Format::finish(const FrameBytes&) const noexcept {
  if (layer_open_) return Error{ErrorCode::not_finished, 0};
  return std::nullopt;
}

}  // namespace mediacore::rtp
