#include "core/h264/access_unit_parser.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "bitstream.hpp"

namespace mediacore::h264 {
namespace {

using testing::annex_b;
using testing::Buffer;
using testing::from_hex;
using testing::pps_nal;
using testing::present;
using testing::slice_nal;
using testing::sps_nal;

struct Unit {
  Buffer data;
  std::vector<NalUnit> nal_units;
  std::uint64_t position;
  bool is_idr;
  bool is_random_access;
  bool has_sps;

  friend bool operator==(const Unit&, const Unit&) = default;
};

// A parser whose units are kept.
class Units {
 public:
  explicit Units(ParserLimits limits = {}) : parser_(limits) {}

  std::optional<ParseError> push(const Buffer& data, bool complete = false) {
    return parser_.push(data, complete, [this](const AccessUnitView& view) { keep(view); });
  }

  void flush() {
    parser_.flush([this](const AccessUnitView& view) { keep(view); });
  }

  const ParserStats& stats() const { return parser_.stats(); }
  std::vector<Unit> units;

 private:
  void keep(const AccessUnitView& view) {
    Unit unit{Buffer(view.data.begin(), view.data.end()),
              {},
              view.position,
              view.is_idr,
              view.is_random_access,
              view.sps != nullptr};
    for (std::size_t i = 0; i < view.nal_offsets.size(); ++i) unit.nal_units.push_back(view.nal_unit(i));
    units.push_back(std::move(unit));
  }

  AccessUnitParser parser_;
};

const Buffer kIdr = slice_nal({.idr = true});
const Buffer kKeyUnit = annex_b({sps_nal(), pps_nal(), kIdr});

Buffer frame(std::uint32_t number) {
  return annex_b({slice_nal({.frame_num = number % 16})});
}

// A stream with most habits: several slices, AUD, SEI, trailing zeros, an empty NAL unit, garbage before it.
Buffer varied_stream() {
  Buffer stream{1, 2, 3};
  for (std::uint32_t i = 0; i < 30; ++i) {
    if (i % 10 == 0) {
      stream = stream + annex_b({{0x09, 0xF0}}) + kKeyUnit;
      continue;
    }
    if (i % 3 == 0) stream = stream + annex_b({from_hex("060601c480")});
    stream = stream + frame(i % 10);
    if (i % 4 == 0) stream = stream + annex_b({slice_nal({.first_mb = 50, .frame_num = i % 10})});
    if (i % 5 == 0) stream = stream + Buffer(i, 0) + Buffer{0, 0, 1};
    stream = stream + Buffer(i % 7, 0);
  }
  return stream;
}

// In chunks, with one more flush before the byte `flush_at`.
Units parse(const Buffer& stream, const std::function<std::size_t()>& chunk, std::size_t flush_at = 0) {
  Units parsed;
  for (std::size_t at = 0; at < stream.size();) {
    if (at == flush_at) parsed.flush();
    const std::size_t end = at < flush_at ? flush_at : stream.size();
    const std::size_t size = std::min(chunk(), end - at);
    parsed.push(Buffer(stream.begin() + static_cast<std::ptrdiff_t>(at),
                       stream.begin() + static_cast<std::ptrdiff_t>(at + size)));
    at += size;
  }
  parsed.flush();
  return parsed;
}

TEST(AccessUnitParser, ChunkingChangesNothing) {
  const Buffer stream = varied_stream();
  const Units whole = parse(stream, [&] { return stream.size(); });
  EXPECT_EQ(whole.units.size(), 30U);
  std::mt19937 random(5);
  for (const std::size_t most : {1, 2, 3, 7, 20, 100, 1400}) {
    const Units chunked = parse(stream, [&] { return 1 + random() % most; });
    EXPECT_EQ(chunked.units, whole.units) << most;
  }
}

// Damaged and random bytes too: whatever a parser makes of them, it makes it of any chunking.
TEST(AccessUnitParser, ChunkingChangesNothingInDamagedStreams) {
  std::mt19937 random(17);
  const Buffer stream = varied_stream();
  for (int round = 0; round < 400; ++round) {
    Buffer damaged = stream;
    for (auto k = random() % 20; k > 0; --k) {
      const auto at = damaged.begin() + static_cast<std::ptrdiff_t>(random() % damaged.size());
      switch (random() % 4) {
        case 0: *at = static_cast<std::uint8_t>(random()); break;
        case 1: damaged.erase(at, std::min(at + 1 + static_cast<std::ptrdiff_t>(random() % 30), damaged.end())); break;
        case 2: damaged.insert(at, random() % 6, 0); break;
        default: damaged.insert(at, {0, 0, 1, static_cast<std::uint8_t>(0x60 | (random() % 32))}); break;
      }
    }
    const std::size_t flush_at = random() % damaged.size();
    const Units whole = parse(damaged, [&] { return damaged.size(); }, flush_at);
    const Units chunked = parse(damaged, [&] { return 1 + random() % 60; }, flush_at);
    ASSERT_EQ(chunked.units, whole.units) << round;
    ASSERT_EQ(chunked.stats().corrupt, whole.stats().corrupt);
    ASSERT_EQ(chunked.stats().dropped, whole.stats().dropped);
    ASSERT_EQ(chunked.stats().cut_units, whole.stats().cut_units);
    ASSERT_EQ(chunked.stats().skipped_bytes, whole.stats().skipped_bytes);
  }
}

TEST(AccessUnitParser, GivesAUnitOnTheFirstBytesOfTheNext) {
  Units parsed;
  parsed.push(kKeyUnit);
  Buffer next = annex_b({slice_nal({.frame_num = 1, .payload = 2000})});
  next.resize(16);
  parsed.push(next);
  ASSERT_EQ(parsed.units.size(), 1U);
  EXPECT_EQ(parsed.units[0].data, kKeyUnit);
  EXPECT_TRUE(parsed.units[0].is_idr);
  EXPECT_TRUE(parsed.units[0].has_sps);
}

TEST(AccessUnitParser, OneByteOfAnOpeningNalUnitIsEnough) {
  for (const std::uint8_t type : Buffer{6, 7, 8, 9, 14, 15, 16, 17, 18}) {
    Units parsed;
    parsed.push(kKeyUnit);
    parsed.push({0, 0, 1});
    EXPECT_TRUE(parsed.units.empty());
    parsed.push({type});
    EXPECT_EQ(parsed.units.size(), 1U) << int{type};
  }
  for (const std::uint8_t type : Buffer{0, 3, 4, 10, 11, 12, 13, 19, 20, 21, 24, 31}) {
    Units parsed;
    parsed.push(kKeyUnit + Buffer{0, 0, 1, type});
    EXPECT_TRUE(parsed.units.empty()) << int{type};
  }
}

TEST(AccessUnitParser, ACompleteFrameComesInTheSameCall) {
  Units parsed;
  for (std::uint32_t i = 0; i < 5; ++i) {
    parsed.push(i == 0 ? kKeyUnit : frame(i), true);
    EXPECT_EQ(parsed.units.size(), i + 1);
  }
}

TEST(AccessUnitParser, ParameterSetsAloneWaitForTheirPicture) {
  Units parsed;
  parsed.push(annex_b({sps_nal(), pps_nal()}), true);
  parsed.flush();
  EXPECT_TRUE(parsed.units.empty());
  parsed.push(annex_b({kIdr}), true);
  ASSERT_EQ(parsed.units.size(), 1U);
  EXPECT_EQ(parsed.units[0].data, kKeyUnit);
}

TEST(AccessUnitParser, StripsZerosAroundUnitsAndKeepsThemInside) {
  Units parsed;
  const Buffer inside = annex_b({sps_nal()}) + Buffer(9, 0) + annex_b({pps_nal(), kIdr});
  parsed.push(Buffer(5, 0) + inside + Buffer(7, 0) + frame(1) + Buffer(3, 0));
  parsed.flush();
  ASSERT_EQ(parsed.units.size(), 2U);
  EXPECT_EQ(parsed.units[0].data, inside);
  EXPECT_EQ(parsed.units[0].position, 5U);
  EXPECT_EQ(parsed.units[0].nal_units[0].size, sps_nal().size());
  EXPECT_EQ(parsed.units[1].data, frame(1));
  EXPECT_EQ(parsed.units[1].position, 5 + inside.size() + 7);
}

TEST(AccessUnitParser, SkipsEmptyNalUnitsAndBytesBeforeTheFirstStartCode) {
  Units parsed;
  parsed.push(Buffer{7, 7, 0, 7} + Buffer{0, 0, 1, 0, 0, 1} + kKeyUnit, true);
  ASSERT_EQ(parsed.units.size(), 1U);
  EXPECT_EQ(parsed.stats().nal_units, 3U);
  EXPECT_EQ(parsed.stats().skipped_bytes, 4U);
}

TEST(AccessUnitParser, ARecoveryPointIsARandomAccess) {
  Units parsed;
  parsed.push(kKeyUnit, true);
  parsed.push(annex_b({from_hex("060601c480")}) + frame(1), true);
  parsed.push(annex_b({from_hex("0605046162636480")}) + frame(2), true);
  ASSERT_EQ(parsed.units.size(), 3U);
  EXPECT_TRUE(parsed.units[1].is_random_access);
  EXPECT_FALSE(parsed.units[1].is_idr);
  EXPECT_FALSE(parsed.units[2].is_random_access);
}

TEST(AccessUnitParser, TheSpsIsTheOneThatThePictureRefersTo) {
  AccessUnitParser parser;
  std::vector<std::shared_ptr<const Sps>> seen;
  const auto sink = [&](const AccessUnitView& view) { seen.push_back(view.sps); };
  const Buffer sets = annex_b({sps_nal({.id = 0}), sps_nal({.id = 3, .width_in_mbs = 40}), pps_nal({.id = 0}),
                               pps_nal({.id = 7, .sps_id = 3})});
  parser.push(sets + annex_b({kIdr}), true, sink);
  parser.push(annex_b({slice_nal({.idr = true, .pps_id = 7})}), true, sink);
  parser.push(annex_b({sps_nal(), kIdr}), true, sink);
  parser.push(annex_b({sps_nal({.width_in_mbs = 30}), kIdr}), true, sink);
  parser.push(annex_b({slice_nal({.idr = true, .pps_id = 9})}), true, sink);
  ASSERT_EQ(seen.size(), 5U);
  EXPECT_EQ(seen[0]->width, 320U);
  EXPECT_EQ(seen[1]->width, 640U);
  EXPECT_EQ(seen[2], seen[0]) << "the same SPS again is the same object";
  EXPECT_EQ(seen[3]->width, 480U);
  EXPECT_EQ(seen[4], nullptr);
}

TEST(AccessUnitParser, CorruptUnitsAreDroppedUpToARandomAccess) {
  BitWriter bad_type;
  bad_type.ue(0);
  bad_type.ue(77);
  for (const Buffer& bad : {testing::nal_of(0x61, bad_type), Buffer{0xE1, 0x9A, 0x55}, Buffer{0x41}, Buffer{0x67, 77},
                            Buffer{0x68, 0x01}, Buffer{0x89, 0xF0}}) {
    Units parsed;
    parsed.push(kKeyUnit, true);
    parsed.push(annex_b({bad}) + frame(1), true);
    parsed.push(frame(2), true);
    EXPECT_EQ(parsed.units.size(), 1U);
    parsed.push(kKeyUnit, true);
    parsed.push(frame(1), true);
    EXPECT_EQ(parsed.units.size(), 3U);
    EXPECT_EQ(parsed.stats().corrupt, 1U);
    EXPECT_GE(parsed.stats().dropped, 1U);
  }
}

TEST(AccessUnitParser, ADamagedPictureDoesNotSwallowTheKeyFrameAfterIt) {
  Units parsed;
  parsed.push(kKeyUnit + annex_b({{0x41}}) + kKeyUnit + frame(1));
  parsed.flush();
  ASSERT_EQ(parsed.units.size(), 2U);
  EXPECT_TRUE(parsed.units[0].is_idr);
}

TEST(AccessUnitParser, TooManyBytesAreReportedOnceAndResyncedFrom) {
  const Buffer big = annex_b({slice_nal({.frame_num = 1, .payload = 5000})});
  const Buffer stream = kKeyUnit + big + annex_b({slice_nal({.first_mb = 9, .frame_num = 1})}) + frame(2) + kKeyUnit;
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{100}, stream.size()}) {
    Units parsed({.access_unit_bytes = 1000});
    std::size_t errors = 0;
    for (std::size_t at = 0; at < stream.size(); at += chunk) {
      const std::size_t end = std::min(stream.size(), at + chunk);
      const auto error = parsed.push(
          Buffer(stream.begin() + static_cast<std::ptrdiff_t>(at), stream.begin() + static_cast<std::ptrdiff_t>(end)));
      if (!error) continue;
      ++errors;
      EXPECT_EQ(error->code, ErrorCode::access_unit_too_large);
      EXPECT_EQ(at + error->byte_offset, kKeyUnit.size() + 1000);
    }
    parsed.flush();
    EXPECT_EQ(errors, 1U);
    EXPECT_EQ(parsed.units.size(), 2U);
    EXPECT_EQ(parsed.stats().oversize, 1U);
    EXPECT_EQ(parsed.stats().dropped, 1U);
  }
}

// The offset was counted from the room that was left, and could lie beyond the data.
TEST(AccessUnitParser, ALimitPassedByEarlierBytesIsReportedAtTheBeginning) {
  Units parsed({.access_unit_bytes = 1000});
  parsed.push(kKeyUnit + annex_b({slice_nal({.frame_num = 1})}));
  parsed.push(Buffer(2000, 0));
  const ParseError error = present(parsed.push({5}));
  EXPECT_EQ(error.code, ErrorCode::access_unit_too_large);
  EXPECT_EQ(error.byte_offset, 0U);
}

TEST(AccessUnitParser, TooManyNalUnitsAreALimitToo) {
  Units parsed({.nal_units = 10});
  Buffer flood;
  for (int i = 0; i < 25; ++i) flood = flood + annex_b({{0x0C, 0x80}});
  EXPECT_EQ(present(parsed.push(flood)).code, ErrorCode::too_many_nal_units);
  EXPECT_FALSE(parsed.push(kKeyUnit, true));
  EXPECT_EQ(parsed.units.size(), 1U);
}

TEST(AccessUnitParser, AFloodOfZerosIsCountedNotKept) {
  Units parsed({.access_unit_bytes = 4096});
  parsed.push(kKeyUnit);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(parsed.push(Buffer(10'000, 0)));
  parsed.push(Buffer{1} + slice_nal({.frame_num = 1}), true);
  EXPECT_EQ(parsed.units.size(), 2U);
  // Zeros that turn out to be payload count like payload.
  parsed.push(annex_b({slice_nal({.frame_num = 2})}));
  parsed.push(Buffer(10'000, 0));
  EXPECT_EQ(present(parsed.push({5})).code, ErrorCode::access_unit_too_large);
}

class FlushTest : public ::testing::Test {
 protected:
  FlushTest() { parsed_.push(kKeyUnit, true); }

  // Flushes the stream after `first`, goes on with `second`, then a key unit.
  void flush_between(const Buffer& first, const Buffer& second) {
    parsed_.push(first);
    parsed_.flush();
    parsed_.push(second);
    parsed_.push(kKeyUnit, true);
  }

  Units parsed_;
};

TEST_F(FlushTest, AtTheEndOfAUnitGivesItNow) {
  flush_between(frame(1), frame(2));
  ASSERT_EQ(parsed_.units.size(), 4U);
  EXPECT_EQ(parsed_.units[1].data, frame(1));
  EXPECT_EQ(parsed_.units[2].data, frame(2));
  EXPECT_EQ(parsed_.stats().cut_units, 0U);
}

TEST_F(FlushTest, WithNothingToGiveGivesNothing) {
  parsed_.flush();
  parsed_.push(annex_b({sps_nal()}));
  parsed_.flush();
  EXPECT_EQ(parsed_.units.size(), 1U);
  parsed_.push(annex_b({pps_nal(), kIdr}), true);
  EXPECT_EQ(parsed_.units[1].data, kKeyUnit);
}

TEST_F(FlushTest, KeepsHalfAStartCodeAndHalfAHeader) {
  const Buffer next = frame(2);
  for (std::size_t at = 0; at <= 5; ++at) {
    Units parsed;
    const auto cut = next.begin() + static_cast<std::ptrdiff_t>(at);
    parsed.push(kKeyUnit + frame(1) + Buffer(next.begin(), cut));
    parsed.flush();
    ASSERT_EQ(parsed.units.size(), 2U);
    parsed.push(Buffer(cut, next.end()), true);
    ASSERT_EQ(parsed.units.size(), 3U) << at;
    EXPECT_EQ(parsed.units[1].data, frame(1));
    EXPECT_EQ(parsed.units[2].nal_units[0].size, next.size() - 4);
    EXPECT_EQ(parsed.stats().cut_units, 0U);
  }
}

TEST_F(FlushTest, InTheMiddleOfANalUnitIsRecognised) {
  const Buffer whole = annex_b({slice_nal({.frame_num = 1, .payload = 500})});
  const auto middle = whole.begin() + 100;
  flush_between(Buffer(whole.begin(), middle), Buffer(middle, whole.end()) + frame(2));
  ASSERT_EQ(parsed_.units.size(), 3U);
  EXPECT_EQ(parsed_.units[1].data.size(), 100U);
  EXPECT_EQ(parsed_.units[2].data, kKeyUnit);
  EXPECT_EQ(parsed_.stats().cut_units, 1U);
  EXPECT_EQ(parsed_.stats().dropped, 1U);
}

TEST_F(FlushTest, BetweenTheSlicesOfAPictureIsRecognised) {
  const Buffer rest =
      annex_b({slice_nal({.first_mb = 50, .frame_num = 1}), slice_nal({.first_mb = 90, .frame_num = 1})});
  flush_between(frame(1), rest + frame(2));
  ASSERT_EQ(parsed_.units.size(), 3U);
  EXPECT_EQ(parsed_.units[2].data, kKeyUnit);
  EXPECT_EQ(parsed_.stats().cut_units, 1U);
  EXPECT_EQ(parsed_.stats().dropped, 1U);
}

TEST_F(FlushTest, ACutKeyFrameIsHealedByTheNext) {
  const Buffer whole = kKeyUnit;
  flush_between(Buffer(whole.begin(), whole.end() - 10), Buffer(whole.end() - 10, whole.end()));
  ASSERT_EQ(parsed_.units.size(), 3U);
  EXPECT_EQ(parsed_.units[2].data, kKeyUnit);
  EXPECT_EQ(parsed_.stats().cut_units, 1U);
}

TEST_F(FlushTest, TwiceGivesNothingTheSecondTime) {
  parsed_.push(frame(1));
  parsed_.flush();
  parsed_.flush();
  EXPECT_EQ(parsed_.units.size(), 2U);
}

TEST_F(FlushTest, EndOfSequenceAfterItIsNoCut) {
  flush_between(frame(1), annex_b({{0x0A}, {0x0C, 0xFF, 0x80}}) + frame(2));
  EXPECT_EQ(parsed_.units.size(), 4U);
  EXPECT_EQ(parsed_.stats().cut_units, 0U);
}

TEST_F(FlushTest, ARepeatedIdrIsANewUnit) {
  parsed_.push(annex_b({kIdr}));
  parsed_.flush();
  parsed_.push(annex_b({kIdr}), true);
  EXPECT_EQ(parsed_.units.size(), 3U);
  EXPECT_EQ(parsed_.stats().cut_units, 0U);
}

}  // namespace
}  // namespace mediacore::h264
