#include "core/h264/burst_flush.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "bitstream.hpp"

namespace mediacore::h264 {
namespace {

using testing::Buffer;

const Buffer kUnit{0, 0, 0, 1, 0x41, 0x9A, 1, 2, 3};
const Buffer kPart{4, 5, 6};

// A stream whose time goes on by what the test says.
class BurstFlushTest : public ::testing::Test {
 protected:
  // Bytes after a pause; flushes if the deadline was in it. Returns the delay of that flush, or -1.
  std::int64_t read(std::int64_t pause_us, const Buffer& data) {
    std::int64_t delay = -1;
    now_us_ += pause_us;
    if (deadline_ && *deadline_ <= now_us_) {
      delay = *deadline_ - last_us_;
      flush_.flushed(*deadline_);
    }
    deadline_ = flush_.observe(now_us_, data);
    last_us_ = now_us_;
    return delay;
  }

  // Ends the caution, at the beginning or after a wrong flush.
  void learn() {
    for (unsigned i = 0; i <= BurstFlush::kCautiousUnits; ++i) read(33'000, kUnit);
  }

  // Units without pauses at 60 fps.
  void run_smoothly(int seconds) {
    for (int i = 0; i < 60 * seconds; ++i) read(16'667, kUnit);
  }

  BurstFlush flush_{1'000, 50'000};
  std::int64_t now_us_ = 1'000'000;
  std::int64_t last_us_ = 0;
  std::optional<std::int64_t> deadline_;
};

TEST_F(BurstFlushTest, IsCautiousWithTheFirstUnitsOnly) {
  EXPECT_EQ(flush_.idle_us(), 50'000);
  learn();
  EXPECT_EQ(flush_.idle_us(), 1'000);
  EXPECT_EQ(deadline_, now_us_ + 1'000);
}

TEST_F(BurstFlushTest, ANewStreamOfTheSameLinkKnowsItsPauses) {
  learn();
  read(5'000, kPart);
  EXPECT_EQ(flush_.for_new_stream().idle_us(), 50'000) << "as cautious";
  learn();
  BurstFlush other = flush_.for_new_stream();
  EXPECT_EQ(other.idle_us(), 7'500);
  EXPECT_EQ(other.observe(now_us_, {}), std::nullopt);
  EXPECT_EQ(other.observe(now_us_ + 90'000, kPart), now_us_ + 90'000 + 7'500);
  EXPECT_EQ(other.idle_us(), 7'500);
  EXPECT_EQ(other.wrong_flushes(), 0U);
}

TEST_F(BurstFlushTest, AbsurdTimesAreLimited) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(BurstFlush(kMost, kMost).idle_us(), BurstFlush::kLongestIdleUs);
  EXPECT_EQ(BurstFlush(-kMost, -kMost).idle_us(), 0);
}

TEST_F(BurstFlushTest, HasNoDeadlineWhenNothingCame) {
  EXPECT_EQ(flush_.observe(5, {}), std::nullopt);
  read(10, kUnit);
  EXPECT_EQ(flush_.observe(now_us_ + 5, {}), deadline_);
  flush_.flushed(now_us_);
  EXPECT_EQ(flush_.observe(now_us_ + 5, {}), std::nullopt);
}

TEST_F(BurstFlushTest, PausesBetweenUnitsChangeNothing) {
  learn();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(read(40'000, kUnit), 1'000);
  EXPECT_EQ(flush_.wrong_flushes(), 0U);
}

TEST_F(BurstFlushTest, AWrongFlushIsCountedAndLengthens) {
  learn();
  read(5'000, kPart);
  EXPECT_EQ(flush_.wrong_flushes(), 1U);
  learn();
  EXPECT_EQ(flush_.idle_us(), 7'500);
  read(7'000, kPart);
  EXPECT_EQ(flush_.wrong_flushes(), 1U);
  EXPECT_EQ(flush_.idle_us(), 10'500);
}

TEST_F(BurstFlushTest, IsCautiousAgainAfterAWrongFlush) {
  learn();
  read(5'000, kPart);
  for (unsigned i = 0; i < BurstFlush::kCautiousUnits; ++i) {
    EXPECT_EQ(flush_.idle_us(), 50'000);
    read(33'000, kUnit);
    read(20'000, kPart);
  }
  EXPECT_EQ(flush_.idle_us(), 30'000);
  EXPECT_EQ(flush_.wrong_flushes(), 1U);
}

TEST_F(BurstFlushTest, ASliceInsideThePictureTellsAWrongFlush) {
  learn();
  read(5'000, {0, 0, 1, 0x41, 0x55});
  EXPECT_EQ(flush_.wrong_flushes(), 1U);
}

TEST_F(BurstFlushTest, AStartCodeCutByThePauseIsNoWrongFlush) {
  learn();
  read(10, {9, 9, 0, 0});
  read(33'000, {0});
  read(33'000, {1});
  read(10, {0x65});
  read(10, {0x88});
  EXPECT_EQ(flush_.wrong_flushes(), 0U);
  EXPECT_EQ(flush_.idle_us(), 1'000);
}

TEST_F(BurstFlushTest, AFlushBeforeTheDeadlineIsTheCallersOwn) {
  learn();
  flush_.flushed(now_us_ + 1);
  deadline_.reset();
  read(5'000, kPart);
  EXPECT_EQ(flush_.wrong_flushes(), 0U);
}

TEST_F(BurstFlushTest, ForgetsAPauseThatStayedAlone) {
  learn();
  read(30'000, kPart);
  run_smoothly(2);
  EXPECT_EQ(flush_.idle_us(), 45'000);
  run_smoothly(2);
  EXPECT_EQ(flush_.idle_us(), 1'000);
}

TEST_F(BurstFlushTest, ForgetsNothingOnAStaticScreen) {
  learn();
  read(20'000, kPart);
  learn();
  read(3'600'000'000, kUnit);
  EXPECT_EQ(flush_.idle_us(), 30'000);
}

// Key frames each 10 s that come with pauses, as large ones do.
TEST_F(BurstFlushTest, KeepsAPauseThatComesBack) {
  learn();
  for (int i = 0; i < 20; ++i) {
    read(16'667, kUnit);
    for (int part = 0; part < 15; ++part) read(8'000, kPart);
    run_smoothly(10);
  }
  EXPECT_EQ(flush_.wrong_flushes(), 2U);
  EXPECT_EQ(flush_.idle_us(), 12'000);
}

TEST_F(BurstFlushTest, ForgetsALinkThatPausedInEachUnit) {
  learn();
  for (int i = 0; i < 1'000; ++i) {
    read(33'000, kUnit);
    read(20'000, kPart);
  }
  run_smoothly(30);
  EXPECT_EQ(flush_.idle_us(), 30'000);
  run_smoothly(8);
  EXPECT_EQ(flush_.idle_us(), 1'000);
}

TEST_F(BurstFlushTest, ManyPausesInOneUnitAreOneAccident) {
  learn();
  for (int i = 0; i < 50; ++i) read(5'000, kPart);
  run_smoothly(4);
  EXPECT_EQ(flush_.idle_us(), 1'000);
}

TEST_F(BurstFlushTest, AnAccidentDoesNotHideTheHabit) {
  learn();
  for (int second = 0; second < 20; ++second) {
    read(16'667, kUnit);
    read(3'000, kPart);
    run_smoothly(1);
  }
  read(40'000, kPart);
  EXPECT_EQ(flush_.wrong_flushes(), 2U);
  run_smoothly(4);
  EXPECT_EQ(flush_.idle_us(), 4'500);
}

TEST_F(BurstFlushTest, ACallerThatLooksTooLateLearnsNothing) {
  learn();
  deadline_.reset();
  read(20'000, kPart);
  EXPECT_EQ(flush_.idle_us(), 1'000);
  deadline_.reset();
  read(2'500, kPart);
  EXPECT_EQ(flush_.idle_us(), 3'750) << "late by no more than a timer is";
}

TEST_F(BurstFlushTest, ACallerThatLookedAndHadNoUnitLearnsThePause) {
  learn();
  flush_.observe(now_us_ + 1'000, {});
  deadline_.reset();
  read(20'000, kPart);
  EXPECT_EQ(flush_.wrong_flushes(), 0U);
  EXPECT_EQ(flush_.idle_us(), 30'000);
}

// The time between two readings was learnt as if the link had paused for it.
TEST_F(BurstFlushTest, OfWhatWaitedToBeReadOnlyWhatIsSureIsLearnt) {
  learn();
  flush_.observe(now_us_ + 5'000, kPart, now_us_ + 1'500);
  EXPECT_EQ(flush_.idle_us(), 2'250);
  flush_.observe(now_us_ + 10'000, kPart, now_us_ + 4'000);
  EXPECT_EQ(flush_.idle_us(), 2'250) << "it may have come right after what was read before";
  flush_.observe(now_us_ + 14'000, kPart, now_us_ + 99'000);
  EXPECT_EQ(flush_.idle_us(), 6'000) << "not after it was read";
}

TEST_F(BurstFlushTest, AWrongFlushAtALateLookLengthensAllTheSame) {
  learn();
  const std::int64_t look_us = now_us_ + 5'000;
  flush_.observe(look_us, {});
  flush_.flushed(look_us);
  flush_.observe(look_us + 5'000, kPart, look_us);
  EXPECT_EQ(flush_.wrong_flushes(), 1U);
  now_us_ = look_us + 5'000;
  deadline_.reset();
  learn();
  EXPECT_EQ(flush_.idle_us(), 7'500);
}

TEST_F(BurstFlushTest, NeverWaitsLongerThanAllowed) {
  learn();
  read(900'000, kPart);
  EXPECT_EQ(flush_.idle_us(), 50'000);
}

// Each unit has one pause of 0 to `longest` at random; the link is otherwise quick.
TEST_F(BurstFlushTest, RandomPausesCostFewFlushes) {
  std::mt19937 random(3);
  for (const int longest : {0, 5'000, 20'000}) {
    flush_ = BurstFlush(1'000, 50'000);
    deadline_.reset();
    for (int i = 0; i < 2'000; ++i) {
      read(40'000, kUnit);
      if (longest > 0) read(static_cast<std::int64_t>(random()) % longest, kPart);
    }
    EXPECT_LE(flush_.wrong_flushes(), 4U) << longest;
  }
}

TEST_F(BurstFlushTest, AClockThatRunsBackwardsIsNoPause) {
  learn();
  deadline_.reset();
  read(-500'000, kPart);
  EXPECT_EQ(flush_.wrong_flushes(), 0U);
  EXPECT_EQ(flush_.idle_us(), 1'000);
}

}  // namespace
}  // namespace mediacore::h264
