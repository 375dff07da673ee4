#include "core/srtp/replay_window.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace mediacore::srtp {
namespace {

// What a window says, from all indexes that were ever accepted.
class Remembered {
 public:
  std::optional<Refusal> refusal(std::uint64_t index, std::uint64_t bits) const {
    if (all_.empty() || index > *all_.rbegin()) return std::nullopt;
    if (*all_.rbegin() - index >= bits) return Refusal::too_old;
    return all_.contains(index) ? std::optional(Refusal::repeated) : std::nullopt;
  }
  void accept(std::uint64_t index) { all_.insert(index); }

 private:
  std::set<std::uint64_t> all_;
};

template <std::size_t Bits>
void compare(unsigned seed, std::uint64_t spread) {
  std::mt19937_64 random(seed);
  ReplayWindow<Bits> window;
  Remembered remembered;
  std::uint64_t around = random() % (3 * Bits);
  for (int i = 0; i < 5'000; ++i) {
    around += random() % spread;
    const std::uint64_t back = random() % (Bits + 10);
    const std::uint64_t index = around - std::min(around, back);
    const auto expected = remembered.refusal(index, Bits);
    ASSERT_EQ(window.refusal(index), expected) << "index " << index << ", highest " << window.highest();
    if (expected) continue;
    window.accept(index);
    remembered.accept(index);
    ASSERT_EQ(window.refusal(index), Refusal::repeated);
  }
}

TEST(ReplayWindow, SaysWhatAMemoryOfAllIndexesSays) {
  for (unsigned seed = 0; seed < 4; ++seed) {
    for (const std::uint64_t spread : {2, 3, 40, 700, 5'000}) {
      compare<64>(seed, spread);
      compare<128>(seed, spread);
      compare<1024>(seed, spread);
    }
  }
}

TEST(ReplayWindow, RefusesNothingBeforeTheFirst) {
  const ReplayWindow<64> window;
  for (const std::uint64_t index : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 47}) {
    EXPECT_EQ(window.refusal(index), std::nullopt);
  }
}

TEST(ReplayWindow, KnowsIndexZero) {
  ReplayWindow<64> window;
  window.accept(0);
  EXPECT_EQ(window.refusal(0), Refusal::repeated);
  EXPECT_EQ(window.refusal(64), std::nullopt);
  window.accept(64);
  EXPECT_EQ(window.refusal(0), Refusal::too_old);
  EXPECT_EQ(window.refusal(1), std::nullopt);
}

TEST(ReplayWindow, ForgetsAllWithAJumpOfItsSizeOrMore) {
  for (const std::uint64_t jump : {63, 64, 65, 128, 1'000'000}) {
    ReplayWindow<64> window;
    for (std::uint64_t index = 0; index < 64; ++index) window.accept(index);
    const std::uint64_t top = 63 + jump;
    window.accept(top);
    for (std::uint64_t index = std::max<std::uint64_t>(64, top - 63); index < top; ++index) {
      EXPECT_EQ(window.refusal(index), std::nullopt) << index;
    }
    EXPECT_EQ(window.refusal(top - 64), Refusal::too_old);
  }
}

}  // namespace
}  // namespace mediacore::srtp
