#include "core/rtp/av1.hpp"

#include <algorithm>
#include <cstring>

#include "core/rtp/leb128.hpp"

namespace mediacore::rtp {
namespace {

using Bytes = std::span<const std::uint8_t>;

// OBU header (AV1 specification 5.3.2).
constexpr std::uint8_t kForbidden = 0x80;
constexpr std::uint8_t kHasExtension = 0x04;
constexpr std::uint8_t kHasSize = 0x02;

// Aggregation header (4.4 of the payload format).
constexpr std::uint8_t kContinues = 0x80;    // Z: the first element continues an OBU
constexpr std::uint8_t kContinued = 0x40;    // Y: the last element goes on in the next packet
constexpr std::uint8_t kNewSequence = 0x08;  // N
constexpr std::size_t kMaxCounted = 3;       // W has two bits; 0 is "each element has its size"

enum class ObuType : std::uint8_t { sequence_header = 1, temporal_delimiter = 2, tile_list = 8, padding = 15 };

ObuType type_of(std::uint8_t header) noexcept {
  return static_cast<ObuType>((header >> 3) & 0x0f);
}

bool is_carried(ObuType type) noexcept {
  return type != ObuType::temporal_delimiter && type != ObuType::tile_list && type != ObuType::padding;
}

struct ObuView {
  std::uint8_t header;
  std::uint8_t extension;  // if the header says so
  std::size_t header_size;
  Bytes payload;
  std::size_t end;  // of the OBU in the data
};

// The OBU that `data` begins with; without a size field it takes all of it.
Result<ObuView> parse_obu(Bytes data) noexcept {
  if ((data[0] & kForbidden) != 0) return Error{ErrorCode::forbidden_bit, 0};
  ObuView obu{data[0], 0, 1, {}, data.size()};
  if ((data[0] & kHasExtension) != 0) {
    if (data.size() < 2) return Error{ErrorCode::truncated, data.size()};
    obu.extension = data[1];
    obu.header_size = 2;
  }
  std::size_t begin = obu.header_size;
  if ((data[0] & kHasSize) != 0) {
    const auto size = read_leb128(data.subspan(begin));
    if (!size) return Error{ErrorCode::truncated, begin};
    begin += size->bytes;
    if (data.size() - begin < size->value) return Error{ErrorCode::truncated, data.size()};
    obu.end = begin + size->value;
  }
  obu.payload = data.subspan(begin, obu.end - begin);
  return obu;
}

// The most bytes that have room together with their size.
std::size_t most_with_size(std::size_t room) noexcept {
  std::size_t most = room - std::min(room, leb128_bytes(room));
  while (most + 1 + leb128_bytes(most + 1) <= room) ++most;  // once at most
  return most;
}

}  // namespace

std::optional<Error> Av1Packetizer::packetize(Bytes unit, PayloadBuffer& out) {
  out.clear();
  if (unit.size() > kMaxFrameBytes) return Error{ErrorCode::frame_too_large, kMaxFrameBytes};
  if (const auto error = split(unit)) return error;
  next_obu_ = 0;
  next_from_ = 0;
  while (next_obu_ < obus_.size()) {
    const bool first = out.empty();
    const std::size_t obu = next_obu_;
    const std::size_t from = next_from_;
    if (!fill(limits_.room(first, true))) {
      // It is not the last packet; another one may have more room.
      next_obu_ = obu;
      next_from_ = from;
      if (fill(limits_.room(first, false))) leave_a_byte();
    }
    write(first, out);
  }
  return std::nullopt;
}

std::optional<Error> Av1Packetizer::split(Bytes unit) {
  obus_.clear();
  has_sequence_header_ = false;
  for (std::size_t at = 0; at < unit.size();) {
    const auto obu = parse_obu(unit.subspan(at));
    if (!obu) return Error{obu.error().code, at + obu.error().byte_offset};
    at += obu->end;
    const ObuType type = type_of(obu->header);
    if (!is_carried(type)) continue;
    has_sequence_header_ = has_sequence_header_ || type == ObuType::sequence_header;
    obus_.push_back(
        {{static_cast<std::uint8_t>(obu->header & ~kHasSize), obu->extension}, obu->header_size, obu->payload});
  }
  return std::nullopt;
}

// Takes as much into the packet in work as fits; true if that is all there is.
bool Av1Packetizer::fill(std::size_t room) {
  elements_.clear();
  std::size_t used = 1;  // the aggregation header
  while (next_obu_ < obus_.size()) {
    const std::size_t left = obus_[next_obu_].size() - next_from_;
    const std::size_t count = elements_.size();
    // The last of up to three elements has no size before it; it gets one when another follows.
    const std::size_t former = count > 0 && count <= kMaxCounted ? leb128_bytes(elements_.back().size) : 0;
    if (used + former >= room) return false;
    const std::size_t free = room - used - former;
    const bool sized = count + 1 > kMaxCounted;
    const std::size_t size = std::min(left, sized ? most_with_size(free) : free);
    if (size == 0) return false;
    used += former + size + (sized ? leb128_bytes(size) : 0);
    elements_.push_back({next_obu_, next_from_, size});
    if (size < left) {
      next_from_ += size;
      return false;
    }
    ++next_obu_;
    next_from_ = 0;
  }
  return true;
}

// All fits, but the last packet has less room: something must be left for it.
void Av1Packetizer::leave_a_byte() {
  Element& last = elements_.back();
  next_obu_ = last.obu;
  next_from_ = last.from + last.size - 1;
  if (--last.size == 0) elements_.pop_back();
}

void Av1Packetizer::write(bool first, PayloadBuffer& out) {
  const std::size_t count = elements_.size();
  const bool counted = count <= kMaxCounted;
  const auto is_sized = [&](std::size_t index) { return !counted || index + 1 < count; };
  std::size_t bytes = 1;
  for (std::size_t i = 0; i < count; ++i) {
    bytes += elements_[i].size + (is_sized(i) ? leb128_bytes(elements_[i].size) : 0);
  }
  const Element& last = elements_.back();
  const bool continued = last.from + last.size < obus_[last.obu].size();
  std::uint8_t* to = out.add(bytes);
  *to++ = static_cast<std::uint8_t>((elements_.front().from != 0 ? kContinues : 0) | (continued ? kContinued : 0) |
                                    (counted ? count << 4 : 0) | (first && has_sequence_header_ ? kNewSequence : 0));
  for (std::size_t i = 0; i < count; ++i) {
    const Element& element = elements_[i];
    const Obu& obu = obus_[element.obu];
    if (is_sized(i)) to = write_leb128(element.size, to);
    std::size_t from = element.from;
    const std::size_t end = element.from + element.size;
    for (; from < end && from < obu.header_size; ++from) *to++ = obu.header[from];
    if (from < end) std::memcpy(to, obu.payload.data() + (from - obu.header_size), end - from);
    to += end - from;
  }
}

void Av1Format::reset() noexcept {
  obu_.clear();
  obu_open_ = false;
  is_key_ = false;
}

std::optional<Error> Av1Format::take(Bytes payload, FrameBytes& frame) {
  const std::uint8_t head = payload[0];
  const bool continues = (head & kContinues) != 0;
  const std::size_t counted = (head >> 4) & 3U;
  if (continues && (head & kNewSequence) != 0) return Error{ErrorCode::fragment_mismatch, 0};
  if (continues && !obu_open_) return Error{ErrorCode::start_missing, 0};
  if (!continues && obu_open_) return Error{ErrorCode::start_unexpected, 0};
  if (payload.size() < 2) return Error{ErrorCode::truncated, payload.size()};
  is_key_ = is_key_ || (head & kNewSequence) != 0;
  std::size_t count = 0;
  for (std::size_t at = 1; at < payload.size();) {
    ++count;
    std::size_t size = payload.size() - at;
    if (count != counted) {
      const auto told = read_leb128(payload.subspan(at));
      if (!told) return Error{ErrorCode::cut_entry, at};
      at += told->bytes;
      size = told->value;
    }
    if (size == 0) return Error{ErrorCode::empty_entry, at};
    if (payload.size() - at < size) return Error{ErrorCode::cut_entry, at};
    const bool last = at + size == payload.size();
    const bool ends = !last || (head & kContinued) == 0;
    if (const auto error = take_element(payload.subspan(at, size), ends, frame)) {
      return Error{error->code, error->code == ErrorCode::frame_too_large ? 0 : at};
    }
    at += size;
  }
  if (counted != 0 && count != counted) return Error{ErrorCode::cut_entry, payload.size()};
  return std::nullopt;
}

std::optional<Error> Av1Format::take_element(Bytes element, bool ends, FrameBytes& frame) {
  if (element.size() > frame.limit() - obu_.size()) return Error{ErrorCode::frame_too_large, 0};
  obu_.insert(obu_.end(), element.begin(), element.end());
  obu_open_ = !ends;
  return ends ? close_obu(frame) : std::nullopt;
}

// Puts the OBU into the frame, with its size.
std::optional<Error> Av1Format::close_obu(FrameBytes& frame) {
  const auto obu = parse_obu(obu_);
  if (!obu) return obu.error();
  if (is_carried(type_of(obu->header))) {
    is_key_ = is_key_ || type_of(obu->header) == ObuType::sequence_header;
    std::array<std::uint8_t, 2 + 8> head{static_cast<std::uint8_t>(obu->header | kHasSize), obu->extension};
    const std::uint8_t* const end = write_leb128(obu->payload.size(), head.data() + obu->header_size);
    if (!frame.append({head.data(), end}) || !frame.append(obu->payload)) return Error{ErrorCode::frame_too_large, 0};
  }
  obu_.clear();
  return std::nullopt;
}

std::optional<Error> Av1Format::finish(const FrameBytes&) const noexcept {
  if (obu_open_) return Error{ErrorCode::not_finished, 0};
  return std::nullopt;
}

}  // namespace mediacore::rtp
