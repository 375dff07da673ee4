#include "core/rtp/header_extensions.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "bytes.hpp"

namespace mediacore::rtp {
namespace {

using testing::Buffer;
using testing::from_hex;
using testing::to_buffer;

ExtensionIds ids_from(std::uint8_t first) {
  ExtensionIds ids;
  for (std::size_t i = 0; i < kExtensionKinds; ++i) ids.values[i] = static_cast<std::uint8_t>(first + i);
  return ids;
}

const Extensions kAll{.mid = "0",
                      .rid = "hi",
                      .repaired_rid = "lo",
                      .abs_send_time = 0xabcdef,
                      .transport_sequence_number = 0x1234,
                      .playout_delay = PlayoutDelay{1, 4095},
                      .abs_capture_time = AbsCaptureTime{0x0102030405060708, -2},
                      .audio_level = AudioLevel{true, 127}};

ExtensionBlock block_of(std::uint16_t profile, const Buffer& data) {
  return {profile, data, true};
}

TEST(HeaderExtensions, OneByteForm) {
  Buffer out(kMaxExtensionsBytes);
  const auto block = write_extensions(kAll, ids_from(1), out);
  ASSERT_TRUE(block);
  EXPECT_EQ(block->profile, kOneByteProfile);
  EXPECT_EQ(to_buffer(block->data), from_hex("10 30"                                 // mid
                                             "21 6869"                               // rid
                                             "31 6c6f"                               // repaired rid
                                             "42 abcdef"                             // abs-send-time
                                             "51 1234"                               // transport-wide number
                                             "62 001fff"                             // playout delay, 12 + 12 bits
                                             "7f 0102030405060708 fffffffffffffffe"  // abs-capture-time
                                             "80 ff"                                 // audio level: V and 127
                                             "0000"));                               // up to a word
  const auto read = parse_extensions(*block, ids_from(1));
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, kAll);
}

TEST(HeaderExtensions, TwoByteFormWhereAnIdOrATextNeedsIt) {
  Buffer out(kMaxExtensionsBytes);
  const auto by_id = write_extensions(kAll, ids_from(15), out);
  ASSERT_TRUE(by_id);
  EXPECT_EQ(by_id->profile, kTwoByteProfile);
  EXPECT_EQ(*parse_extensions(*by_id, ids_from(15)), kAll);

  const std::string text(255, 'm');
  const Extensions longest{.mid = text,
                           .rid = text,
                           .repaired_rid = text,
                           .abs_send_time = 1,
                           .transport_sequence_number = 2,
                           .playout_delay = PlayoutDelay{},
                           .abs_capture_time = AbsCaptureTime{3, 4},
                           .audio_level = AudioLevel{}};
  const auto by_size = write_extensions(longest, ids_from(1), out);
  ASSERT_TRUE(by_size);
  EXPECT_EQ(by_size->profile, kTwoByteProfile);
  EXPECT_EQ(by_size->data.size(), kMaxExtensionsBytes);
  EXPECT_EQ(*parse_extensions(*by_size, ids_from(1)), longest);
}

TEST(HeaderExtensions, OnlyWhatHasAnIdAndAValueIsWritten) {
  Buffer out(8);
  ExtensionIds ids;
  EXPECT_FALSE(write_extensions(kAll, ids, out)->present);
  EXPECT_FALSE(write_extensions({}, ids_from(1), out)->present);
  ids[ExtensionKind::playout_delay] = 5;
  EXPECT_EQ(to_buffer(write_extensions(kAll, ids, out)->data), from_hex("52001fff"));
}

TEST(HeaderExtensions, WrongValuesAreErrors) {
  Buffer out(kMaxExtensionsBytes);
  const ExtensionIds ids = ids_from(1);
  EXPECT_EQ(write_extensions({.abs_send_time = 1 << 24}, ids, out).error().code, ErrorCode::value_out_of_range);
  EXPECT_EQ(write_extensions({.playout_delay = PlayoutDelay{4096, 0}}, ids, out).error().code,
            ErrorCode::value_out_of_range);
  EXPECT_EQ(write_extensions({.audio_level = AudioLevel{false, 128}}, ids, out).error().code,
            ErrorCode::value_out_of_range);
  EXPECT_EQ(write_extensions({.mid = ""}, ids, out).error().code, ErrorCode::extension_too_long);
  const std::string text(256, 'm');
  EXPECT_EQ(write_extensions({.mid = text}, ids, out).error().code, ErrorCode::extension_too_long);
  EXPECT_EQ(write_extensions(kAll, ids, std::span(out).first(20)).error().code, ErrorCode::no_room);
}

TEST(HeaderExtensions, PaddingUnknownIdsAndWrongSizesAreSkipped) {
  const Buffer one_byte = from_hex("00 00 91aaaa 62001fff 41bbbb 00");
  const auto read = parse_extensions(block_of(kOneByteProfile, one_byte), ids_from(1));
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, (Extensions{.playout_delay = PlayoutDelay{1, 4095}}));
  const Buffer two_byte = from_hex("00 0900 0400 0603001fff 0100");
  EXPECT_EQ(*parse_extensions(block_of(kTwoByteProfile | 5, two_byte), ids_from(1)), *read);
}

TEST(HeaderExtensions, NothingIsReadAfterId15OrALongPadding) {
  for (const char* stop : {"f0 00 62001fff", "01 62001fff"}) {
    const Buffer data = from_hex(stop);
    EXPECT_EQ(*parse_extensions(block_of(kOneByteProfile, data), ids_from(1)), Extensions{});
  }
}

TEST(HeaderExtensions, OtherProfilesHaveNoElements) {
  const Buffer data = from_hex("62001fff");
  EXPECT_EQ(*parse_extensions(block_of(0xabcd, data), ids_from(1)), Extensions{});
}

TEST(HeaderExtensions, CutElementsAreErrors) {
  const ExtensionIds ids = ids_from(1);
  EXPECT_EQ(parse_extensions(block_of(kOneByteProfile, from_hex("62001f")), ids).error(),
            (Error{ErrorCode::extension_cut, 3}));
  EXPECT_EQ(parse_extensions(block_of(kTwoByteProfile, from_hex("0603")), ids).error(),
            (Error{ErrorCode::extension_cut, 2}));
  EXPECT_EQ(parse_extensions(block_of(kTwoByteProfile, from_hex("06")), ids).error(),
            (Error{ErrorCode::extension_cut, 1}));
}

TEST(HeaderExtensions, UrisDiffer) {
  std::set<std::string_view> uris;
  for (std::size_t i = 0; i < kExtensionKinds; ++i) uris.insert(extension_uri(static_cast<ExtensionKind>(i)));
  EXPECT_EQ(uris.size(), kExtensionKinds);
}

TEST(AbsSendTime, IsSecondsWith18BitsOfFraction) {
  EXPECT_EQ(abs_send_time(0), 0U);
  EXPECT_EQ(abs_send_time(1'000'000), 1U << 18);
  EXPECT_EQ(abs_send_time(63'999'999), 0xffffffU);
  EXPECT_EQ(abs_send_time(64'500'000), 1U << 17);
}

}  // namespace
}  // namespace mediacore::rtp
