#include "core/egress/header_template.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mediacore::egress {
namespace {

using rtp::ExtensionKind;

rtp::ExtensionIds all_ids(std::uint8_t first = 1) {
  rtp::ExtensionIds ids;
  ids[ExtensionKind::mid] = first;
  ids[ExtensionKind::abs_send_time] = static_cast<std::uint8_t>(first + 1);
  ids[ExtensionKind::transport_sequence_number] = static_cast<std::uint8_t>(first + 2);
  ids[ExtensionKind::playout_delay] = static_cast<std::uint8_t>(first + 3);
  ids[ExtensionKind::abs_capture_time] = static_cast<std::uint8_t>(first + 4);
  return ids;
}

HeaderElements elements() {
  return {.ssrc = 0x01020304,
          .payload_type = 102,
          .mid = "video",
          .playout_delay = rtp::PlayoutDelay{0, 0},
          .capture_time = true};
}

PacketFields fields() {
  return {.index = 0x3'fffe,
          .capture_ntp = 0x1122334455667788,
          .timestamp = 0xa0b0c0d0,
          .abs_send_time = 0xabcdef,
          .transport_sequence = 0x9876,
          .marker = true};
}

std::vector<std::uint8_t> written(const HeaderTemplate& header, const PacketFields& values) {
  std::vector<std::uint8_t> out(header.size());
  header.write(values, out.data());
  return out;
}

rtp::Extensions extensions_in(const std::vector<std::uint8_t>& packet, const rtp::ExtensionIds& ids) {
  const auto parsed = rtp::parse_packet(packet);
  if (!parsed) return {};
  const auto extensions = rtp::parse_extensions(parsed->extension, ids);
  return extensions ? *extensions : rtp::Extensions{};
}

TEST(HeaderTemplate, HasEverythingThatIsNegotiated) {
  const HeaderTemplate header(elements(), all_ids());
  const auto packet = written(header, fields());
  const auto parsed = rtp::parse_packet(packet);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->header, (rtp::Header{.payload_type = 102,
                                         .marker = true,
                                         .sequence_number = {0xfffe},
                                         .timestamp = {0xa0b0c0d0},
                                         .ssrc = 0x01020304}));
  EXPECT_TRUE(parsed->payload.empty());
  EXPECT_EQ(parsed->extension.profile, rtp::kOneByteProfile);
  const rtp::Extensions extensions = extensions_in(packet, all_ids());
  EXPECT_EQ(extensions.mid, "video");
  EXPECT_EQ(extensions.abs_send_time, 0xabcdefU);
  EXPECT_EQ(extensions.transport_sequence_number, 0x9876);
  EXPECT_EQ(extensions.playout_delay, (rtp::PlayoutDelay{0, 0}));
  EXPECT_EQ(extensions.abs_capture_time, (rtp::AbsCaptureTime{0x1122334455667788, std::nullopt}));
}

TEST(HeaderTemplate, EachValueStandsAloneWhateverElseIsNegotiated) {
  // Every subset of the five elements.
  for (unsigned subset = 0; subset < 32; ++subset) {
    rtp::ExtensionIds ids = all_ids();
    const auto leave_out = [&](ExtensionKind kind, unsigned bit) {
      if ((subset >> bit & 1U) == 0) ids[kind] = 0;
      return (subset >> bit & 1U) != 0;
    };
    const bool mid = leave_out(ExtensionKind::mid, 0);
    const bool send_time = leave_out(ExtensionKind::abs_send_time, 1);
    const bool sequence = leave_out(ExtensionKind::transport_sequence_number, 2);
    const bool delay = leave_out(ExtensionKind::playout_delay, 3);
    const bool capture = leave_out(ExtensionKind::abs_capture_time, 4);
    const HeaderTemplate header(elements(), ids);
    EXPECT_EQ(header.has_transport_sequence(), sequence);
    const auto packet = written(header, fields());
    const rtp::Extensions extensions = extensions_in(packet, ids);
    EXPECT_EQ(extensions.mid.has_value(), mid);
    EXPECT_EQ(extensions.abs_send_time, send_time ? std::optional(0xabcdefU) : std::nullopt);
    EXPECT_EQ(extensions.transport_sequence_number, sequence ? std::optional<std::uint16_t>(0x9876) : std::nullopt);
    EXPECT_EQ(extensions.playout_delay.has_value(), delay);
    EXPECT_EQ(extensions.abs_capture_time.has_value(), capture);
    if (subset == 0) {
      EXPECT_EQ(packet.size(), rtp::kFixedHeaderBytes);
    }
  }
}

TEST(HeaderTemplate, SameFieldsSameBytes) {
  const HeaderTemplate header(elements(), all_ids());
  const auto packet = written(header, fields());
  static_cast<void>(written(header, {}));
  EXPECT_EQ(written(header, fields()), packet);
  EXPECT_NE(written(header, {}), packet);
}

TEST(HeaderTemplate, IdsAbove14TakeTheTwoByteForm) {
  HeaderElements longest = elements();
  longest.mid = "0123456789abcdef";
  const HeaderTemplate header(longest, all_ids(14));
  EXPECT_EQ(header.size(), kMaxHeaderBytes);
  const auto packet = written(header, fields());
  EXPECT_EQ(rtp::parse_packet(packet)->extension.profile, rtp::kTwoByteProfile);
  const rtp::Extensions extensions = extensions_in(packet, all_ids(14));
  EXPECT_EQ(extensions.mid, longest.mid);
  EXPECT_EQ(extensions.transport_sequence_number, 0x9876);
  EXPECT_EQ(extensions.abs_capture_time, (rtp::AbsCaptureTime{0x1122334455667788, std::nullopt}));
}

TEST(HeaderTemplate, AMidThatIsTooLongOrEmptyIsLeftOut) {
  for (const std::string& mid : {std::string(), std::string(17, 'x'), std::string(300, 'x')}) {
    HeaderElements changed = elements();
    changed.mid = mid;
    const HeaderTemplate header(changed, all_ids());
    const auto packet = written(header, fields());
    const rtp::Extensions extensions = extensions_in(packet, all_ids());
    EXPECT_FALSE(extensions.mid.has_value());
    EXPECT_EQ(extensions.abs_send_time, 0xabcdefU);
    EXPECT_EQ(rtp::parse_packet(packet)->extension.profile, rtp::kOneByteProfile);
  }
}

TEST(HeaderTemplate, APlayoutDelayOutOfRangeIsTheLongest) {
  HeaderElements changed = elements();
  changed.playout_delay = rtp::PlayoutDelay{5, 0xffff};
  const HeaderTemplate header(changed, all_ids());
  EXPECT_EQ(extensions_in(written(header, fields()), all_ids()).playout_delay,
            (rtp::PlayoutDelay{5, rtp::kMaxPlayoutDelay}));
}

TEST(HeaderTemplate, IdsThatCollideDamageNothingElse) {
  rtp::ExtensionIds ids = all_ids();
  ids[ExtensionKind::transport_sequence_number] = ids[ExtensionKind::abs_capture_time] = ids[ExtensionKind::mid];
  const HeaderTemplate header(elements(), ids);
  const auto packet = written(header, fields());
  const auto parsed = rtp::parse_packet(packet);
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(rtp::parse_extensions(parsed->extension, all_ids()));
}

}  // namespace
}  // namespace mediacore::egress
