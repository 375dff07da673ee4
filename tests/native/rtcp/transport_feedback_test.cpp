#include "core/rtcp/transport_feedback.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "../rtp/bytes.hpp"

namespace mediacore::rtcp {
namespace {

using rtp::Error;
using rtp::ErrorCode;
using rtp::testing::Buffer;
using rtp::testing::from_hex;

// Sequence numbers and deltas of those that arrived.
using Arrived = std::vector<std::pair<std::uint16_t, std::int32_t>>;

struct Told {
  std::size_t statuses = 0;
  Arrived arrived;

  friend bool operator==(const Told&, const Told&) = default;
};

// Both ways of reading it must agree.
Told told_by(const TransportFeedback& feedback) {
  Told told;
  std::uint16_t expected = feedback.base_sequence;
  feedback.for_each([&](std::uint16_t sequence, bool received, std::int32_t delta) {
    EXPECT_EQ(sequence, expected++);
    ++told.statuses;
    EXPECT_TRUE(received || delta == 0);
    if (received) told.arrived.emplace_back(sequence, delta);
  });
  Arrived received_only;
  feedback.for_each_received(
      [&](std::uint16_t sequence, std::int32_t delta) { received_only.emplace_back(sequence, delta); });
  EXPECT_EQ(received_only, told.arrived);
  EXPECT_EQ(told.arrived.size(), feedback.received);
  EXPECT_EQ(told.statuses, feedback.status_count);
  return told;
}

Told read(const char* hex) {
  const Buffer body = from_hex(hex);
  const auto feedback = parse_transport_feedback(body);
  EXPECT_TRUE(feedback) << hex;
  return feedback ? told_by(*feedback) : Told{};
}

TEST(TransportFeedback, RunLengths) {
  EXPECT_EQ(read("0001 0003 000000 00 2003 010203"), (Told{3, {{1, 1}, {2, 2}, {3, 3}}}));
  EXPECT_EQ(read("0001 0002 000000 00 4002 8000 7fff"), (Told{2, {{1, -32'768}, {2, 32'767}}}));
  EXPECT_EQ(read("ffff 0002 000000 00 0001 2001 ff"), (Told{2, {{0, 255}}}));  // over the wrap
  EXPECT_EQ(read("0001 0002 000000 00 0002"), (Told{2, {}}));
}

TEST(TransportFeedback, OneBitVectors) {
  EXPECT_EQ(read("0001 000e 000000 00 a001 05 06"), (Told{14, {{1, 5}, {14, 6}}}));
  EXPECT_EQ(read("0001 0002 000000 00 9fff 05"), (Told{2, {{2, 5}}}));  // beyond the count: not looked at
}

TEST(TransportFeedback, TwoBitVectors) {
  EXPECT_EQ(read("0001 0007 000000 00 d002 05 fffe"), (Told{7, {{1, 5}, {7, -2}}}));
  EXPECT_EQ(read("0001 0002 000000 00 c7ff 05"), (Told{2, {{2, 5}}}));  // reserved ones beyond the count too
}

TEST(TransportFeedback, ChunksAfterOneAnother) {
  EXPECT_EQ(read("000a 0017 000000 00 2002 9000 d800 01 02 03 04 0500 0000"),
            (Told{23, {{10, 1}, {11, 2}, {13, 3}, {26, 4}, {27, 0x500}}}));
}

TEST(TransportFeedback, TheLastRunIsCut) {
  EXPECT_EQ(read("0001 0002 000000 00 3fff 05 06"), (Told{2, {{1, 5}, {2, 6}}}));
}

TEST(TransportFeedback, EmptyRunsTellNothing) {
  EXPECT_EQ(read("0001 0001 000000 00 0000 6000 2001 05 0000"), (Told{1, {{1, 5}}}));
}

TEST(TransportFeedback, ReferenceTimeIsSigned) {
  const auto time = [](const char* hex) {
    const Buffer body = from_hex(hex);
    return parse_transport_feedback(body)->reference_time_64ms;
  };
  EXPECT_EQ(time("0001 0001 000001 00 0001"), 1);
  EXPECT_EQ(time("0001 0001 7fffff 00 0001"), 0x7fffff);
  EXPECT_EQ(time("0001 0001 800000 00 0001"), -0x800000);
  EXPECT_EQ(time("0001 0001 ffffff 00 0001"), -1);
}

// Half the circle is the most: eight bytes of runs tell of it.
TEST(TransportFeedback, MostStatuses) {
  EXPECT_EQ(read("0001 8000 000000 00 1fff 1fff 1fff 1fff 0004"), (Told{0x8000, {}}));
  const Buffer more = from_hex("0001 8001 000000 00 1fff 1fff 1fff 1fff 0005");
  EXPECT_EQ(parse_transport_feedback(more).error(), (Error{ErrorCode::value_out_of_range, 2}));
}

struct Bad {
  const char* hex;
  ErrorCode code;
  std::size_t byte_offset;
};

class BadTransportFeedback : public ::testing::TestWithParam<Bad> {};

TEST_P(BadTransportFeedback, IsRefused) {
  const Buffer body = from_hex(GetParam().hex);
  const auto feedback = parse_transport_feedback(body);
  ASSERT_FALSE(feedback);
  EXPECT_EQ(feedback.error(), (Error{GetParam().code, GetParam().byte_offset}));
}

INSTANTIATE_TEST_SUITE_P(
    Bodies, BadTransportFeedback,
    ::testing::Values(Bad{"", ErrorCode::truncated, 0},                                            //
                      Bad{"0001000100000000", ErrorCode::truncated, 8},                            // no chunk
                      Bad{"000100010000000020", ErrorCode::truncated, 9},                          // half of one
                      Bad{"0001000000000000 0001", ErrorCode::value_out_of_range, 2},              // about nothing
                      Bad{"0001000300000000 0002", ErrorCode::truncated, 10},                      // too few statuses
                      Bad{"0001ffff00000000 1fff", ErrorCode::value_out_of_range, 2},              // absurd
                      Bad{"0001000300000000 2003 0102", ErrorCode::truncated, 12},                 // a delta missing
                      Bad{"0001000200000000 4002 010203", ErrorCode::truncated, 13},               // half of one
                      Bad{"0001800000000000 3fff 3fff 3fff 3fff 3fff", ErrorCode::truncated, 18},  // all of them
                      Bad{"0001000100000000 6001 0000", ErrorCode::value_out_of_range, 8},         // reserved
                      Bad{"0001000700000000 c003 0000", ErrorCode::value_out_of_range, 8},         // reserved
                      Bad{"0001000100000000 2001 05 00000000", ErrorCode::length_mismatch, 11},    // too much
                      Bad{"0001000100000000 0001 2001 0000", ErrorCode::length_mismatch, 10}));    // a chunk more

}  // namespace
}  // namespace mediacore::rtcp
