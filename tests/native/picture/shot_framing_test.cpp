// What a device's shell writes, cut in every way: the same shots come out.
#include "core/picture/shot_framing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/picture/frame_stream_framing.hpp"
#include "shot_bytes.hpp"

namespace mediacore::picture {
namespace {

using testing::frame;
using testing::kTrailer;
using testing::raw_screen;
using testing::shot;
using testing::words;

struct Seen {
  Framed::Fate fate;
  WireForm form;
  std::string data;
  std::size_t wire_bytes;
  std::size_t skipped_bytes;

  friend bool operator==(const Seen&, const Seen&) = default;
};

void PrintTo(const Seen& seen, std::ostream* out) {
  *out << "fate " << int(seen.fate) << " " << word_of(seen.form) << " " << seen.data.size() << " bytes, wire "
       << seen.wire_bytes << ", skipped " << seen.skipped_bytes;
}

std::string text(std::span<const std::uint8_t> bytes) {
  return {bytes.begin(), bytes.end()};
}

// `next_cut(left)` is how many bytes come at once.
template <class AnyFraming, class NextCut>
std::vector<Seen> seen(AnyFraming& framing, std::string_view bytes, const NextCut& next_cut) {
  std::vector<Seen> all;
  while (!bytes.empty() && !framing.is_broken()) {
    const auto room = framing.room();
    const std::size_t count = std::min({bytes.size(), room.size(), std::max<std::size_t>(1, next_cut(bytes.size()))});
    std::memcpy(room.data(), bytes.data(), count);
    bytes.remove_prefix(count);
    framing.took(count);
    while (const auto framed = framing.next()) {
      all.push_back({framed->fate, framed->form, text(framed->data), framed->wire_bytes, framed->skipped_bytes});
    }
  }
  return all;
}

std::vector<Seen> at_once(std::string_view bytes, std::size_t most_bytes = kMaxFileBytes) {
  ShotFraming framing(kTrailer, most_bytes);
  return seen(framing, bytes, [](std::size_t left) { return left; });
}

struct Quirk {
  const char* name;
  std::string body;
  Framed::Fate fate;
  WireForm form;
  std::size_t skipped_bytes;
};

const std::string kPng = "\x89PNG\r\n\x1a\nwhatever";
const std::string kGzip = std::string("\x1f\x8b\x08\0more", 8);
const std::string kJpeg = "\xff\xd8\xff\xe0more";
const std::string kWarning = "[Warning] Multiple displays were found, but no display id was specified!\n";

std::vector<Quirk> quirks() {
  using enum Framed::Fate;
  return {
      {"Raw", raw_screen(4, 2, 'x'), picture, WireForm::raw, 0},
      {"RawOfOldAndroid", raw_screen(4, 2, 'x', false), picture, WireForm::raw, 0},
      {"RawOfNewlines", raw_screen(7, 9, '\n'), picture, WireForm::raw, 0},
      {"RawCutShort", raw_screen(4, 2, 'x').substr(0, 30), picture, WireForm::raw, 0},
      {"RawTooLong", raw_screen(4, 2, 'x') + "xx", picture, WireForm::raw, 0},
      {"OnlyAHeader", words({4, 2, 1, 0}), picture, WireForm::raw, 0},
      {"Png", kPng, picture, WireForm::png, 0},
      {"Gzip", kGzip, picture, WireForm::gzip, 0},
      {"Jpeg", kJpeg, picture, WireForm::jpeg, 0},
      {"WordsAndRaw", kWarning + raw_screen(4, 2, 'x'), picture, WireForm::raw, kWarning.size()},
      {"WordsWithoutLineEndAndRaw", "WARNING: linker " + raw_screen(4, 2, 'x'), picture, WireForm::raw, 16},
      {"WordsAndRawCutShort", kWarning + raw_screen(4, 2, 'x').substr(0, 30), picture, WireForm::raw, kWarning.size()},
      {"WordsAndPng", kWarning + kPng, picture, WireForm::png, kWarning.size()},
      {"WordsAndGzip", kWarning + kGzip, picture, WireForm::gzip, kWarning.size()},
      {"WordsAndJpeg", "x" + kJpeg, picture, WireForm::jpeg, 1},
      {"Nothing", "", no_picture, WireForm::raw, 0},
      {"OnlyWords", kWarning, no_picture, WireForm::raw, kWarning.size()},
      {"AHeaderOfNoPicture", words({4, 2, 99, 0}) + "xxxx", no_picture, WireForm::raw, 20},
      {"TooManyWords", std::string(5000, 'w') + kPng, no_picture, WireForm::raw, 5000 + kPng.size()},
  };
}

class ShotQuirks : public ::testing::TestWithParam<Quirk> {};

TEST_P(ShotQuirks, AreToldApartAndLeaveTheNextShotAlone) {
  const Quirk& quirk = GetParam();
  const std::string next = raw_screen(3, 3, 'n');
  const auto shots = at_once(shot(quirk.body) + shot(next));
  ASSERT_EQ(shots.size(), 2U);
  EXPECT_EQ(shots[0].fate, quirk.fate);
  EXPECT_EQ(shots[0].form, quirk.form);
  EXPECT_EQ(shots[0].skipped_bytes, quirk.skipped_bytes);
  EXPECT_EQ(shots[0].wire_bytes, quirk.body.size() + kTrailer.size() + 2);
  if (quirk.fate == Framed::Fate::picture) {
    EXPECT_EQ(shots[0].data, quirk.body.substr(quirk.skipped_bytes));
  }
  EXPECT_EQ(shots[1].data, next);
}

INSTANTIATE_TEST_SUITE_P(All, ShotQuirks, ::testing::ValuesIn(quirks()),
                         [](const auto& quirk) { return quirk.param.name; });

TEST(ShotFramingTest, DoesNotCareHowTheBytesAreCut) {
  std::string bytes;
  for (const Quirk& quirk : quirks()) bytes += shot(quirk.body);
  bytes += "\n" + std::string(kTrailer) + " no end" + shot(raw_screen(200, 100, 'y')) + shot(std::string(3000, 'z'));
  for (const std::size_t most_bytes : {kMaxFileBytes, std::size_t{2500}, std::size_t{40}}) {
    const auto expected = at_once(bytes, most_bytes);
    std::minstd_rand random(1);
    for (int turn = 0; turn < 60; ++turn) {
      const std::size_t most = 1 + random() % (turn % 3 == 0 ? 4000 : 30);
      ShotFraming framing(kTrailer, most_bytes);
      const auto cut = [&](std::size_t /*left*/) { return turn == 0 ? 1 : 1 + random() % most; };
      ASSERT_EQ(seen(framing, bytes, cut), expected) << "most " << most << " of " << most_bytes;
      EXPECT_TRUE(framing.is_fresh());
    }
  }
}

TEST(ShotFramingTest, ThrowsAwayWhatIsTooLargeAndGoesOn) {
  const std::size_t most = 1000;
  const auto shots = at_once(shot(std::string(1000, 'a')) + shot(std::string(1001, 'b')) + shot(kPng), most);
  ASSERT_EQ(shots.size(), 3U);
  EXPECT_EQ(shots[0].fate, Framed::Fate::no_picture);
  EXPECT_EQ(shots[1].fate, Framed::Fate::oversize);
  EXPECT_EQ(shots[1].wire_bytes, 1001 + kTrailer.size() + 2);
  EXPECT_EQ(shots[2].form, WireForm::png);
}

// Shots of nothing but their trailer, 6 MB of them in one read, took 17 s: for each all that follow were moved.
TEST(ShotFramingTest, ManyShotsAtOnceStayWhereTheyAre) {
  ShotFraming framing(kTrailer);
  const std::string bytes = shot("one") + shot("two") + shot(kPng) + "thr";
  const auto room = framing.room();
  std::memcpy(room.data(), bytes.data(), bytes.size());
  framing.took(bytes.size());
  std::size_t at = 0;
  for (const std::string& body : {std::string("one"), std::string("two"), kPng}) {
    const auto framed = framing.next();
    ASSERT_TRUE(framed);
    EXPECT_EQ(framed->data.data(), room.data() + at);
    EXPECT_EQ(text(framed->data), body);
    at += framed->wire_bytes;
  }
  EXPECT_FALSE(framing.next());
  EXPECT_EQ(framing.pending_bytes(), 3U);
  const auto more = framing.room();  // it moves the rest to the front
  EXPECT_GT(more.data(), framing.rest().data());
  EXPECT_EQ(text(framing.rest()), "thr");
}

TEST(ShotFramingTest, AsksForJustTheBytesOfRawPixels) {
  ShotFraming framing(kTrailer);
  const std::string bytes = shot(raw_screen(600, 400, 'x'));
  std::memcpy(framing.room().data(), bytes.data(), 100);
  framing.took(100);
  EXPECT_FALSE(framing.next());
  EXPECT_EQ(framing.room().size(), bytes.size() - 100);
  EXPECT_TRUE(framing.has_begun());
}

TEST(ShotFramingTest, AHeaderThatClaimsMoreThanMayBeTakesNoMemory) {
  ShotFraming framing(kTrailer);
  const std::string header = words({16384, 4096, 1, 1});
  std::memcpy(framing.room().data(), header.data(), header.size());
  framing.took(header.size());
  EXPECT_FALSE(framing.next());
  EXPECT_LT(framing.room().size(), std::size_t{1} << 20);
}

TEST(FrameStreamFramingTest, DoesNotCareHowTheBytesAreCut) {
  const std::string bytes = frame(5, 3, 'a') + frame(5, 3, 'b', 7) + frame(1, 1, 'c') + frame(300, 200, 'd');
  std::minstd_rand random(1);
  for (int turn = 0; turn < 40; ++turn) {
    FrameStreamFraming framing;
    const auto all = seen(framing, bytes, [&](std::size_t left) { return turn == 0 ? left : 1 + random() % 50; });
    ASSERT_EQ(all.size(), 4U);
    EXPECT_EQ(all[0].data, std::string(45, 'a'));
    EXPECT_EQ(all[1].data, std::string((15 + 7) * 3, 'b'));
    EXPECT_EQ(all[2].wire_bytes, 23U);
    EXPECT_EQ(all[3].data.size(), 180'000U);
    EXPECT_TRUE(framing.is_fresh());
    EXPECT_FALSE(framing.is_broken());
  }
}

TEST(FrameStreamFramingTest, EndsAtAHeaderThatCannotBe) {
  const std::vector<std::string> headers{
      "ERROR: unable to configure video/avc codec",
      words({16, 0, 0, 0, 3}),
      words({60, 4, 4, 12, 3}),                          // 64
      words({64, 4, 4, 12, 1}),                          // RGBA
      words({16 + 11 * 4, 4, 4, 11, 3}),                 // rows that are too short
      words({0xFFFFFFFF, 16384, 4096, 0x40000, 3}),      // 2^32 bytes and more
      words({16 + 65000 * 4096, 4096, 4096, 65000, 3}),  // 254 MiB
  };
  for (const std::string& header : headers) {
    FrameStreamFraming framing;
    const auto all = seen(framing, frame(2, 2, 'x') + header, [](std::size_t) { return std::size_t{7}; });
    EXPECT_EQ(all.size(), 1U);
    EXPECT_TRUE(framing.is_broken()) << header;
    EXPECT_EQ(text(framing.rest()), header.substr(0, FrameStreamFraming::kHeader));
  }
}

}  // namespace
}  // namespace mediacore::picture
