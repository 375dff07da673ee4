#include "core/h264/profile_level_id.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace mediacore::h264 {
namespace {

std::string text_of(ProfileLevelId id) {
  const auto text = profile_level_text(id);
  return text ? std::string(text->begin(), text->end()) : "none";
}

TEST(ProfileLevelId, ProfilesAreRecognisedByPattern) {
  const std::vector<std::pair<const char*, Profile>> cases{
      {"42e01f", Profile::constrained_baseline},
      {"42c01f", Profile::constrained_baseline},
      {"4de01f", Profile::constrained_baseline},
      {"58f01f", Profile::constrained_baseline},
      {"42001f", Profile::baseline},
      {"58A01F", Profile::baseline},
      {"4D401f", Profile::main},
      {"64001f", Profile::high},
      {"640c1f", Profile::constrained_high},
      {"f4001f", Profile::predictive_high_444},
  };
  for (const auto& [text, profile] : cases) {
    const auto id = parse_profile_level_id(text);
    ASSERT_TRUE(id) << text;
    EXPECT_EQ(id->profile, profile) << text;
    EXPECT_EQ(id->level, Level::l3_1) << text;
  }
}

TEST(ProfileLevelId, WhatNamesNoneIsRefused) {
  for (const char* text :
       {"", " 42e01f", "42e01", "42e01f0", "gggggg", "42e000", "42e0ff", "42e11f", "58601f", "64e01f"}) {
    EXPECT_FALSE(parse_profile_level_id(text)) << text;
  }
}

TEST(ProfileLevelId, WhatIsWrittenReadsTheSame) {
  for (int profile = 0; profile <= static_cast<int>(Profile::predictive_high_444); ++profile) {
    for (const LevelLimits& row : level_limits()) {
      const ProfileLevelId id{static_cast<Profile>(profile), row.level};
      const std::string text = text_of(id);
      if (text == "none") {
        EXPECT_EQ(row.level, Level::l1b);
      } else {
        EXPECT_EQ(parse_profile_level_id(text), id) << text;
      }
    }
  }
  EXPECT_EQ(text_of({Profile::constrained_baseline, Level::l1b}), "42f00b");
  EXPECT_EQ(text_of({Profile::main, Level::l1b}), "4d100b");
}

TEST(ProfileLevelId, ScreensNeedTheseLevels) {
  EXPECT_EQ(required_level(720, 1280, 30), Level::l3_1);
  EXPECT_EQ(required_level(720, 1280, 60), Level::l3_2);
  EXPECT_EQ(required_level(1080, 1920, 30), Level::l4);
  EXPECT_EQ(required_level(1080, 2400, 60), Level::l5_1);
  EXPECT_EQ(required_level(1440, 3200, 60), Level::l5_2);
  EXPECT_EQ(required_level(16 * 400, 16, 1), Level::l5);  // few macroblocks, but too wide for lower ones
  EXPECT_EQ(required_level(16'384, 16'384, 30), std::nullopt);
}

TEST(ProfileLevelId, AnAnswerHasTheLowerLevelUnlessBothAllowAsymmetry) {
  EXPECT_EQ(answered_level(Level::l3_1, Level::l2_1, false), Level::l2_1);
  EXPECT_EQ(answered_level(Level::l1b, Level::l1_1, false), Level::l1b);
  EXPECT_EQ(answered_level(Level::l3_1, Level::l2_1, true), Level::l3_1);
}

}  // namespace
}  // namespace mediacore::h264
