// The simulated memory itself, on the classic small programs: it allows what C++20 allows, and nothing else of it.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <utility>

#include "model.hpp"

namespace mediacore::memory::model {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;

using Pairs = std::set<std::pair<std::uint64_t, std::uint64_t>>;

struct Two {
  Atomic<std::uint64_t> x;
  Atomic<std::uint64_t> y;
  Plain data;
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};

// What `first` and `second` may be at the end.
template <class... Threads>
Pairs ends(const Threads&... threads) {
  Pairs seen;
  const Outcome outcome = explore([&] {
    const auto two = std::make_shared<Two>();
    return Program{{[=] { threads(*two); }...}, [two, &seen] { seen.emplace(two->first, two->second); }};
  });
  EXPECT_EQ(outcome.failure, "");
  EXPECT_TRUE(outcome.complete);
  return seen;
}

TEST(LitmusOfModel, StoresMayBeBuffered) {
  const auto left = [](Two& two) {
    two.x.store(1, kRelease);
    two.first = two.y.load(kAcquire);
  };
  const auto right = [](Two& two) {
    two.y.store(1, kRelease);
    two.second = two.x.load(kAcquire);
  };
  EXPECT_EQ(ends(left, right), (Pairs{{0, 0}, {0, 1}, {1, 0}, {1, 1}}));
}

TEST(LitmusOfModel, RelaxedMessagesMayComeOutOfOrder) {
  const auto write = [](Two& two) {
    two.x.store(1, kRelaxed);
    two.y.store(1, kRelaxed);
  };
  const auto read = [](Two& two) {
    two.first = two.y.load(kRelaxed);
    two.second = two.x.load(kRelaxed);
  };
  EXPECT_EQ(ends(write, read), (Pairs{{0, 0}, {0, 1}, {1, 0}, {1, 1}}));
}

TEST(LitmusOfModel, ReleasedMessagesDoNot) {
  const auto write = [](Two& two) {
    two.x.store(1, kRelaxed);
    two.y.store(1, kRelease);
  };
  const auto read = [](Two& two) {
    two.first = two.y.load(kAcquire);
    two.second = two.x.load(kRelaxed);
  };
  EXPECT_EQ(ends(write, read), (Pairs{{0, 0}, {0, 1}, {1, 1}}));
}

TEST(LitmusOfModel, OnePlaceNeverGoesBack) {
  const auto write = [](Two& two) {
    two.x.store(1, kRelaxed);
    two.x.store(2, kRelaxed);
  };
  const auto read = [](Two& two) {
    two.first = two.x.load(kRelaxed);
    two.second = two.x.load(kRelaxed);
  };
  EXPECT_EQ(ends(write, read), (Pairs{{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 2}, {2, 2}}));
}

TEST(LitmusOfModel, AReadModifyWriteGoesOnWithTheRelease) {
  const auto write = [](Two& two) {
    two.x.store(7, kRelaxed);
    two.y.store(1, kRelease);
  };
  const auto add = [](Two& two) { static_cast<void>(two.y.exchange(2, kRelaxed)); };
  const auto read = [](Two& two) {
    two.first = two.y.load(kAcquire);
    two.second = two.x.load(kRelaxed);
  };
  const Pairs seen = ends(write, add, read);
  EXPECT_TRUE(seen.contains({2, 7}));
  EXPECT_TRUE(seen.contains({2, 0})) << "the exchange came first";
  EXPECT_FALSE(seen.contains({1, 0}));
}

TEST(LitmusOfModel, OneOfTwoSwapsWins) {
  const auto swap = [](std::uint64_t Two::* won) {
    return [won](Two& two) {
      std::uint64_t expected = 0;
      two.*won = two.x.compare_exchange_strong(expected, 1, kRelaxed, kRelaxed) ? 1 : 0;
    };
  };
  EXPECT_EQ(ends(swap(&Two::first), swap(&Two::second)), (Pairs{{0, 1}, {1, 0}}));
}

Outcome hand_over(std::memory_order store, std::memory_order load) {
  return explore([=] {
    const auto two = std::make_shared<Two>();
    return Program{{[=] {
                      two->data.write(1);
                      two->x.store(1, store);
                    },
                    [=] {
                      if (two->x.load(load) == 1) static_cast<void>(two->data.read());
                    }},
                   {}};
  });
}

TEST(LitmusOfModel, ReportsARaceAndOnlyThat) {
  EXPECT_EQ(hand_over(kRelease, kAcquire).failure, "");
  EXPECT_NE(hand_over(kRelaxed, kAcquire).failure, "");
  EXPECT_NE(hand_over(kRelease, kRelaxed).failure, "");
}

TEST(LitmusOfModel, RunsTheSameWayOnce) {
  // Two threads that have nothing in common: one way.
  const Outcome outcome = explore([] {
    const auto two = std::make_shared<Two>();
    return Program{{[=] { two->x.store(1, kRelease); }, [=] { two->y.store(1, kRelease); }}, {}};
  });
  EXPECT_TRUE(outcome.complete);
  EXPECT_LE(outcome.runs, 2U);
}

}  // namespace
}  // namespace mediacore::memory::model
