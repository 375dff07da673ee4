#include "core/egress/header_template.hpp"

#include <algorithm>
#include <cstring>

namespace mediacore::egress {
namespace {

using Block = std::array<std::uint8_t, kMaxExtensionBytes>;

rtp::Extensions extensions_of(const HeaderElements& elements) noexcept {
  rtp::Extensions extensions;
  if (!elements.mid.empty() && elements.mid.size() <= rtp::kMaxOneByteSize) extensions.mid = elements.mid;
  extensions.abs_send_time = 0;
  extensions.transport_sequence_number = 0;
  if (elements.playout_delay) {
    extensions.playout_delay = rtp::PlayoutDelay{std::min(elements.playout_delay->min_10ms, rtp::kMaxPlayoutDelay),
                                                 std::min(elements.playout_delay->max_10ms, rtp::kMaxPlayoutDelay)};
  }
  if (elements.capture_time) extensions.abs_capture_time = rtp::AbsCaptureTime{0, std::nullopt};
  return extensions;
}

// Where in the packet the value stands that differs between the two, found by writing both.
std::size_t place_of(const rtp::Extensions& plain, const rtp::Extensions& marked,
                     const rtp::ExtensionIds& ids) noexcept {
  Block one{};
  Block other{};
  static_cast<void>(rtp::write_extensions(plain, ids, one));
  static_cast<void>(rtp::write_extensions(marked, ids, other));
  const auto [at, end] = std::mismatch(one.begin(), one.end(), other.begin());
  if (at == one.end()) return 0;
  return rtp::kFixedHeaderBytes + rtp::kExtensionHeadBytes + static_cast<std::size_t>(at - one.begin());
}

}  // namespace

HeaderTemplate::HeaderTemplate(const HeaderElements& elements, const rtp::ExtensionIds& ids) noexcept {
  rtp::Header header;
  header.payload_type = elements.payload_type;
  header.ssrc = elements.ssrc;
  rtp::write_fixed_header(header, std::span(bytes_).first<rtp::kFixedHeaderBytes>());

  const rtp::Extensions extensions = extensions_of(elements);
  Block block;
  const auto written = rtp::write_extensions(extensions, ids, block);
  if (!written || !written->present) return;
  bytes_[0] |= 0x10;  // X
  rtp::store_be<2>(written->profile, &bytes_[rtp::kFixedHeaderBytes]);
  rtp::store_be<2>(written->data.size() / 4, &bytes_[rtp::kFixedHeaderBytes + 2]);
  size_ += rtp::kExtensionHeadBytes;
  std::memcpy(&bytes_[size_], written->data.data(), written->data.size());
  size_ += written->data.size();

  rtp::Extensions marked = extensions;
  marked.abs_send_time = 0xffffff;
  abs_send_time_at_ = place_of(extensions, marked, ids);
  marked = extensions;
  marked.transport_sequence_number = 0xffff;
  transport_sequence_at_ = place_of(extensions, marked, ids);
  if (!elements.capture_time) return;
  marked = extensions;
  marked.abs_capture_time = rtp::AbsCaptureTime{~std::uint64_t{0}, std::nullopt};
  capture_time_at_ = place_of(extensions, marked, ids);
}

void HeaderTemplate::write(const PacketFields& fields, std::uint8_t* out) const noexcept {
  std::memcpy(out, bytes_.data(), size_);
  out[1] = static_cast<std::uint8_t>(out[1] | (fields.marker ? 0x80 : 0));
  rtp::store_be<2>(fields.index & 0xffff, out + 2);
  rtp::store_be<4>(fields.timestamp, out + 4);
  if (abs_send_time_at_ != 0) rtp::store_be<3>(fields.abs_send_time, out + abs_send_time_at_);
  if (transport_sequence_at_ != 0) rtp::store_be<2>(fields.transport_sequence, out + transport_sequence_at_);
  if (capture_time_at_ != 0) rtp::store_be<8>(fields.capture_ntp, out + capture_time_at_);
}

}  // namespace mediacore::egress
