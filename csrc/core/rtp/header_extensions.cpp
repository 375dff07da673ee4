#include "core/rtp/header_extensions.hpp"

#include <algorithm>
#include <cstring>

namespace mediacore::rtp {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::array<std::string_view, kExtensionKinds> kUris{
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
};

// One element's value on its way out.
struct Value {
  std::array<std::uint8_t, 16> numbers{};
  Bytes bytes;

  template <std::size_t Size>
  void number(std::uint64_t number) noexcept {
    store_be<Size>(number, numbers.data());
    bytes = Bytes(numbers).first(Size);
  }

  void text(std::string_view text) noexcept {
    bytes = {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  }
};

std::optional<Error> check(const Extensions& extensions) noexcept {
  const auto& delay = extensions.playout_delay;
  const bool fits = (!delay || (delay->min_10ms <= kMaxPlayoutDelay && delay->max_10ms <= kMaxPlayoutDelay)) &&
                    extensions.abs_send_time.value_or(0) <= 0xffffff &&
                    (!extensions.audio_level || extensions.audio_level->minus_dbov <= 127);
  if (!fits) return Error{ErrorCode::value_out_of_range, 0};
  for (const auto& text : {extensions.mid, extensions.rid, extensions.repaired_rid}) {
    if (text && (text->empty() || text->size() > kMaxTwoByteSize)) return Error{ErrorCode::extension_too_long, 0};
  }
  return std::nullopt;
}

bool value_of(ExtensionKind kind, const Extensions& from, Value& value) noexcept {
  const auto text = [&](const std::optional<std::string_view>& wanted) {
    if (wanted) value.text(*wanted);
    return wanted.has_value();
  };
  switch (kind) {
    case ExtensionKind::mid: return text(from.mid);
    case ExtensionKind::rid: return text(from.rid);
    case ExtensionKind::repaired_rid: return text(from.repaired_rid);
    case ExtensionKind::abs_send_time:
      if (!from.abs_send_time) return false;
      value.number<3>(*from.abs_send_time);
      return true;
    case ExtensionKind::transport_sequence_number:
      if (!from.transport_sequence_number) return false;
      value.number<2>(*from.transport_sequence_number);
      return true;
    case ExtensionKind::playout_delay:
      if (!from.playout_delay) return false;
      value.number<3>((std::uint64_t{from.playout_delay->min_10ms} << 12) | from.playout_delay->max_10ms);
      return true;
    case ExtensionKind::abs_capture_time:
      if (!from.abs_capture_time) return false;
      value.number<8>(from.abs_capture_time->ntp);
      if (from.abs_capture_time->clock_offset) {
        store_be<8>(static_cast<std::uint64_t>(*from.abs_capture_time->clock_offset), &value.numbers[8]);
        value.bytes = value.numbers;
      }
      return true;
    case ExtensionKind::audio_level:
      if (!from.audio_level) return false;
      value.number<1>((from.audio_level->voice ? 0x80U : 0U) | from.audio_level->minus_dbov);
      return true;
  }
  return false;
}

void take(ExtensionKind kind, Bytes value, Extensions& to) noexcept {
  const std::string_view text{reinterpret_cast<const char*>(value.data()), value.size()};
  switch (kind) {
    case ExtensionKind::mid:
      if (!text.empty()) to.mid = text;
      break;
    case ExtensionKind::rid:
      if (!text.empty()) to.rid = text;
      break;
    case ExtensionKind::repaired_rid:
      if (!text.empty()) to.repaired_rid = text;
      break;
    case ExtensionKind::abs_send_time:
      if (value.size() == 3) to.abs_send_time = static_cast<std::uint32_t>(load_be<3>(value.data()));
      break;
    case ExtensionKind::transport_sequence_number:
      if (value.size() == 2) to.transport_sequence_number = static_cast<std::uint16_t>(load_be<2>(value.data()));
      break;
    case ExtensionKind::playout_delay:
      if (value.size() == 3) {
        const std::uint64_t both = load_be<3>(value.data());
        to.playout_delay =
            PlayoutDelay{static_cast<std::uint16_t>(both >> 12), static_cast<std::uint16_t>(both & kMaxPlayoutDelay)};
      }
      break;
    case ExtensionKind::abs_capture_time:
      if (value.size() == 8 || value.size() == 16) {
        to.abs_capture_time = AbsCaptureTime{load_be<8>(value.data()), std::nullopt};
        if (value.size() == 16) {
          to.abs_capture_time->clock_offset = static_cast<std::int64_t>(load_be<8>(&value[8]));
        }
      }
      break;
    case ExtensionKind::audio_level:
      if (value.size() == 1) {
        to.audio_level = AudioLevel{(value[0] & 0x80) != 0, static_cast<std::uint8_t>(value[0] & 0x7f)};
      }
      break;
  }
}

void take_by_id(std::uint8_t id, Bytes value, const ExtensionIds& ids, Extensions& to) noexcept {
  for (std::size_t kind = 0; kind < kExtensionKinds; ++kind) {
    if (ids.values[kind] == id) take(static_cast<ExtensionKind>(kind), value, to);
  }
}

}  // namespace

std::string_view extension_uri(ExtensionKind kind) noexcept {
  return kUris[static_cast<std::size_t>(kind)];
}

Result<ExtensionBlock> write_extensions(const Extensions& extensions, const ExtensionIds& ids,
                                        std::span<std::uint8_t> out) noexcept {
  if (const auto error = check(extensions)) return *error;
  std::array<Value, kExtensionKinds> values;
  std::array<bool, kExtensionKinds> present{};
  bool one_byte = true;
  std::size_t bytes = 0;
  std::size_t count = 0;
  for (std::size_t kind = 0; kind < kExtensionKinds; ++kind) {
    present[kind] = ids.values[kind] != 0 && value_of(static_cast<ExtensionKind>(kind), extensions, values[kind]);
    if (!present[kind]) continue;
    one_byte = one_byte && ids.values[kind] <= kMaxOneByteId && values[kind].bytes.size() <= kMaxOneByteSize;
    bytes += values[kind].bytes.size();
    ++count;
  }
  if (count == 0) return ExtensionBlock{};

  const std::size_t size = (bytes + count * (one_byte ? 1 : 2) + 3) / 4 * 4;
  if (out.size() < size) return Error{ErrorCode::no_room, out.size()};
  std::size_t at = 0;
  for (std::size_t kind = 0; kind < kExtensionKinds; ++kind) {
    if (!present[kind]) continue;
    const Bytes value = values[kind].bytes;
    const std::uint8_t id = ids.values[kind];
    if (one_byte) {
      out[at++] = static_cast<std::uint8_t>((id << 4) | (value.size() - 1));
    } else {
      out[at++] = id;
      out[at++] = static_cast<std::uint8_t>(value.size());
    }
    std::memcpy(&out[at], value.data(), value.size());
    at += value.size();
  }
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(at), out.begin() + static_cast<std::ptrdiff_t>(size),
            std::uint8_t{0});
  return ExtensionBlock{one_byte ? kOneByteProfile : kTwoByteProfile, out.first(size), true};
}

Result<Extensions> parse_extensions(const ExtensionBlock& block, const ExtensionIds& ids) noexcept {
  Extensions extensions;
  const bool one_byte = block.profile == kOneByteProfile;
  if (!block.present || (!one_byte && (block.profile & 0xfff0) != kTwoByteProfile)) return extensions;
  const Bytes data = block.data;
  std::size_t at = 0;
  while (at < data.size()) {
    if (data[at] == 0) {  // padding
      ++at;
      continue;
    }
    std::uint8_t id = data[at];
    std::size_t size = 0;
    if (one_byte) {
      size = (data[at] & 0x0fU) + 1;
      id = data[at] >> 4;
      if (id == 0 || id > kMaxOneByteId) break;  // RFC 8285 4.2: nothing after it is to be read
      at += 1;
    } else {
      if (data.size() - at < 2) return Error{ErrorCode::extension_cut, data.size()};
      size = data[at + 1];
      at += 2;
    }
    if (data.size() - at < size) return Error{ErrorCode::extension_cut, data.size()};
    take_by_id(id, data.subspan(at, size), ids, extensions);
    at += size;
  }
  return extensions;
}

}  // namespace mediacore::rtp
