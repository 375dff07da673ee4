#include "core/sessions/session_map.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <random>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace mediacore::sessions {
namespace {

using namespace std::string_view_literals;

using Rows = std::map<std::string, std::pair<Handle, Generation>>;

Rows rows_of(const Listing& listing) {
  Rows rows;
  for (const Listing::Row& row : listing.rows()) {
    rows.emplace(listing.id(row), std::pair(row.entry.handle, row.entry.generation));
  }
  EXPECT_EQ(rows.size(), listing.rows().size()) << "an id stands twice in the listing";
  return rows;
}

Rows snapshot_of(const SessionMap& map) {
  Listing listing;
  map.snapshot(listing);
  return rows_of(listing);
}

TEST(SessionMap, TakesPowersOfTwoAsNumberOfShards) {
  for (const std::size_t shards : {1UL, 2UL, 32UL, kMaxShards}) {
    EXPECT_TRUE(SessionMap::valid_shards(shards)) << shards;
  }
  for (const std::size_t shards : {0UL, 3UL, 33UL, 2 * kMaxShards}) {
    EXPECT_FALSE(SessionMap::valid_shards(shards)) << shards;
  }
}

TEST(SessionMap, FindsWhatWasPut) {
  SessionMap map(4);
  const PutResult put = map.put("a", 7, 0);
  EXPECT_EQ(put.generation, 1U);
  EXPECT_EQ(put.replaced, std::nullopt);
  const auto entry = map.get("a");
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->handle, 7U);
  EXPECT_EQ(entry->generation, put.generation);
  EXPECT_FALSE(map.get("b").has_value());
  EXPECT_EQ(map.size(), 1U);
}

TEST(SessionMap, ReplacesAPresentIdWithANewGeneration) {
  SessionMap map(4);
  map.put("a", 7, 0);
  const PutResult again = map.put("a", 8, 0);
  EXPECT_EQ(again.replaced, std::optional<Handle>(7));
  EXPECT_EQ(again.generation, 2U);
  EXPECT_EQ(map.get("a")->handle, 8U);
  EXPECT_EQ(map.size(), 1U);
}

TEST(SessionMap, GenerationsNeverRepeatEvenAfterRemoval) {
  SessionMap map(2);
  EXPECT_EQ(map.put("a", 1, 0).generation, 1U);
  map.remove("a");
  EXPECT_EQ(map.put("a", 1, 0).generation, 2U);
  EXPECT_EQ(map.put("b", 1, 0).generation, 3U);
}

TEST(SessionMap, AnOldCloserCannotRemoveTheNewSession) {
  SessionMap map(4);
  const Generation old = map.put("a", 1, 0).generation;
  const Generation now = map.put("a", 2, 0).generation;
  EXPECT_EQ(map.remove("a", old), std::nullopt);
  EXPECT_EQ(map.size(), 1U);
  EXPECT_EQ(map.remove("a", now), std::optional<Handle>(2));
  EXPECT_EQ(map.remove("a", now), std::nullopt);
  EXPECT_EQ(map.size(), 0U);
}

TEST(SessionMap, IdsMayBeEmptyLongOrHoldZeroBytes) {
  SessionMap map(32);
  const std::string long_id(10'000, 'x');
  map.put("", 1, 0);
  map.put(long_id, 2, 0);
  map.put("a\0b"sv, 3, 0);
  EXPECT_EQ(map.get("")->handle, 1U);
  EXPECT_EQ(map.get(long_id)->handle, 2U);
  EXPECT_EQ(map.get("a\0b"sv)->handle, 3U);
  EXPECT_FALSE(map.get("a").has_value());
  EXPECT_EQ(snapshot_of(map).count(std::string("a\0b"sv)), 1U);
}

TEST(SessionMap, SnapshotListsEverythingAndClearsWhatTheListingHeld) {
  SessionMap map(8);
  Listing listing;
  listing.add("left over", {9, 9});
  for (Handle number = 0; number < 1000; ++number) {
    map.put("session-" + std::to_string(number), number, 0);
  }
  map.snapshot(listing);
  const Rows rows = rows_of(listing);
  ASSERT_EQ(rows.size(), 1000U);
  EXPECT_EQ(rows.at("session-123"), (std::pair<Handle, Generation>(123, 124)));
}

TEST(SessionMap, ExpiresWhatWasNotTouched) {
  SessionMap map(4);
  map.put("idle", 1, 100);
  map.put("touched", 2, 100);
  map.put("looked at", 3, 100);
  map.put("put again", 4, 100);
  EXPECT_TRUE(map.touch("touched", 150));
  EXPECT_TRUE(map.get("looked at").has_value());
  map.put("put again", 5, 150);
  EXPECT_TRUE(map.touch("touched", 120)) << "an earlier time takes nothing back";

  Listing removed;
  map.expire(199, 100, removed);
  EXPECT_TRUE(removed.rows().empty()) << "one ns too early";
  map.expire(200, 100, removed);
  EXPECT_EQ(rows_of(removed), (Rows{{"idle", {1, 1}}, {"looked at", {3, 3}}}));
  EXPECT_EQ(map.size(), 2U);
  map.expire(250, 100, removed);
  EXPECT_EQ(rows_of(removed), (Rows{{"touched", {2, 2}}, {"put again", {5, 5}}}));
  EXPECT_FALSE(map.touch("touched", 300));
}

TEST(SessionMap, TheLongestIdleTimeExpiresNothing) {
  SessionMap map(1);
  map.put("a", 1, 0);
  Listing removed;
  map.expire(0, INT64_MAX, removed);
  EXPECT_TRUE(removed.rows().empty());
  map.expire(INT64_MAX, 0, removed);
  EXPECT_EQ(removed.rows().size(), 1U);
}

TEST(SessionMap, SpreadsNumberedIdsOverTheShards) {
  SessionMap map(32);
  for (int number = 0; number < 32'000; ++number) {
    map.put("session-" + std::to_string(number), 0, 0);
  }
  const std::vector<ShardStats> stats = map.stats();
  ASSERT_EQ(stats.size(), 32U);
  for (const ShardStats& shard : stats) {
    // Mean 1000, standard deviation 31: six of them.
    EXPECT_NEAR(static_cast<double>(shard.entries), 1000, 190);
  }
}

TEST(SessionMap, CountsByShard) {
  SessionMap map(1);
  map.put("a", 1, 0);
  map.put("a", 2, 0);
  EXPECT_TRUE(map.get("a").has_value());
  EXPECT_FALSE(map.get("b").has_value());
  map.touch("a", 1);
  map.remove("a");
  map.remove("a");
  const ShardStats stats = map.stats().at(0);
  EXPECT_EQ(stats.entries, 0U);
  EXPECT_EQ(stats.lookups, 3U);
  EXPECT_EQ(stats.changes, 3U);
  EXPECT_EQ(stats.contended, 0U);
}

// The same random operations on a plain map give the same answers, whatever the number of shards.
class AgainstAModel : public testing::TestWithParam<std::size_t> {};

TEST_P(AgainstAModel, AnswersTheSame) {
  struct Known {
    Entry entry;
    std::int64_t active_ns;
  };
  SessionMap map(GetParam());
  std::map<std::string, Known> model;
  std::mt19937 random(20'240'517);
  Generation last = 0;
  Listing listing;
  for (std::int64_t now = 1; now < 20'000; ++now) {
    const std::string id = std::to_string(random() % 200);
    const auto known = model.find(id);
    if (random() % 500 == 0) map.reshard(std::size_t{1} << random() % 6);
    switch (random() % 8) {
      case 0:
      case 1: {
        const PutResult put = map.put(id, random() % 100 + static_cast<Handle>(now) * 100, now);
        ASSERT_EQ(put.generation, ++last);
        ASSERT_EQ(put.replaced.has_value(), known != model.end());
        model[id] = {*map.get(id), now};
        break;
      }
      case 2: {
        const bool stale = random() % 2 == 0;
        const Generation generation =
            known == model.end() ? last + 1 : known->second.entry.generation - (stale ? 1 : 0);
        const auto removed = map.remove(id, generation);
        ASSERT_EQ(removed.has_value(), known != model.end() && (!stale || generation == kAnyGeneration));
        if (removed) {
          ASSERT_EQ(*removed, known->second.entry.handle);
          model.erase(known);
        }
        break;
      }
      case 3:
        ASSERT_EQ(map.touch(id, now), known != model.end());
        if (known != model.end()) {
          known->second.active_ns = now;
        }
        break;
      case 4:
        if (random() % 100 == 0) {
          map.expire(now, 300, listing);
          for (const auto& [gone, row] : rows_of(listing)) {
            ASSERT_LE(model.at(gone).active_ns, now - 300);
            model.erase(gone);
          }
          for (const auto& [kept, value] : model) {
            ASSERT_GT(value.active_ns, now - 300) << kept;
          }
        }
        break;
      default: {
        const auto found = map.get(id);
        ASSERT_EQ(found.has_value(), known != model.end());
        if (found) {
          ASSERT_EQ(found->handle, known->second.entry.handle);
          ASSERT_EQ(found->generation, known->second.entry.generation);
        }
      }
    }
    ASSERT_EQ(map.size(), model.size());
  }
  Rows expected;
  for (const auto& [id, value] : model) {
    expected[id] = {value.entry.handle, value.entry.generation};
  }
  EXPECT_EQ(snapshot_of(map), expected);
}

INSTANTIATE_TEST_SUITE_P(Shards, AgainstAModel, testing::Values(1, 2, 32));

// A writer takes pairs of ids from step to step, `a` before `b`. At any one instant a's handle is b's or one more; a
// snapshot that looked at one shard after the other would now and then show b ahead.
TEST(SessionMapThreads, SnapshotShowsOneInstant) {
  constexpr int kPairs = 16;
  SessionMap map(8);
  const auto name = [](char side, int pair) { return std::string(1, side) + std::to_string(pair); };
  for (int pair = 0; pair < kPairs; ++pair) {
    map.put(name('a', pair), 0, 0);
    map.put(name('b', pair), 0, 0);
  }
  const std::jthread writer([&](const std::stop_token& stop) {
    for (Handle step = 1; !stop.stop_requested(); ++step) {
      for (int pair = 0; pair < kPairs; ++pair) {
        map.put(name('a', pair), step, 0);
        map.put(name('b', pair), step, 0);
      }
    }
  });
  for (int round = 0; round < 2000; ++round) {
    const Rows rows = snapshot_of(map);
    ASSERT_EQ(rows.size(), 2U * kPairs);
    for (int pair = 0; pair < kPairs; ++pair) {
      const Handle first = rows.at(name('a', pair)).first;
      const Handle second = rows.at(name('b', pair)).first;
      ASSERT_TRUE(first == second || first == second + 1) << "pair " << pair << ": " << first << ", " << second;
    }
  }
}

// Each thread owns an id and checks its own answers, while all of them read each other's and snapshots are taken.
TEST(SessionMapThreads, KeepEachOthersEntriesApart) {
  constexpr Handle kThreads = 4;
  constexpr Handle kRounds = 3000;
  SessionMap map(2);
  std::atomic<int> wrong{0};
  const auto check = [&wrong](bool right) { wrong += right ? 0 : 1; };
  const auto live = [&](Handle thread) {
    const std::string own = "own-" + std::to_string(thread);
    const Handle next = (thread + 1) % kThreads;
    const std::string neighbour = "own-" + std::to_string(next);
    Generation last = map.put(own, thread, 0).generation;
    for (Handle round = 1; round < kRounds; ++round) {
      const Handle handle = round * kThreads + thread;
      const PutResult put = map.put(own, handle, 0);
      check(put.generation > last);
      check(!map.remove(own, last).has_value());
      const auto found = map.get(own);
      check(found && found->handle == handle && found->generation == put.generation);
      const auto other = map.get(neighbour);
      check(!other || other->handle % kThreads == next);
      last = put.generation;
      if (round % 2 == 0) {
        check(map.remove(own, last) == handle);
        check(!map.touch(own, 0));
      }
    }
    map.remove(own);
  };
  std::vector<std::jthread> threads;
  for (Handle thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back(live, thread);
  }
  for (int round = 0; round < 200; ++round) {
    check(snapshot_of(map).size() <= kThreads);
  }
  threads.clear();  // joins
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_EQ(map.size(), 0U);
}

// (At most 32 shards in these tests: ThreadSanitizer follows 64 locks of a thread.)
// Writers, readers and snapshots go on while the number of shards changes all the time: nothing is lost or seen twice, the
// pairs of `SnapshotShowsOneInstant` hold, and no generation comes again.
TEST(SessionMapThreads, ReshardingLosesNothing) {
  constexpr Handle kPairs = 40;
  SessionMap map(8);
  const auto name = [](char side, Handle pair) { return std::string(1, side) + std::to_string(pair); };
  for (Handle pair = 0; pair < kPairs; ++pair) {
    map.put(name('a', pair), 0, 0);
    map.put(name('b', pair), 0, 0);
  }
  std::atomic<int> wrong{0};
  std::jthread writer([&](const std::stop_token& stop) {
    Generation last = 0;
    for (Handle step = 1; !stop.stop_requested(); ++step) {
      for (Handle pair = 0; pair < kPairs; ++pair) {
        for (const char side : {'a', 'b'}) {
          const PutResult put = map.put(name(side, pair), step, 0);
          wrong += put.replaced == step - 1 && put.generation > last ? 0 : 1;
          last = put.generation;
        }
      }
    }
  });
  std::jthread reader([&](const std::stop_token& stop) {
    Listing removed;
    for (Handle pair = 0; !stop.stop_requested(); pair = (pair + 1) % kPairs) {
      wrong += map.get(name('a', pair)) && map.touch(name('b', pair), 1) ? 0 : 1;
      const std::string passing = "passing" + std::to_string(pair);
      map.put(passing, 0, -1);
      map.expire(0, 1, removed);
      wrong += removed.rows().size() == 1 ? 0 : 1;
    }
  });
  std::jthread resharder([&](const std::stop_token& stop) {
    for (std::size_t turn = 0; !stop.stop_requested(); ++turn) map.reshard(std::size_t{1} << turn * 5 % 6);
  });
  for (int round = 0; round < 500; ++round) {
    const Rows rows = snapshot_of(map);
    ASSERT_TRUE(SessionMap::valid_shards(map.stats().size()));
    for (Handle pair = 0; pair < kPairs; ++pair) {
      ASSERT_EQ(rows.count(name('a', pair)) + rows.count(name('b', pair)), 2U);
      const Handle first = rows.at(name('a', pair)).first;
      const Handle second = rows.at(name('b', pair)).first;
      ASSERT_TRUE(first == second || first == second + 1) << "pair " << pair << ": " << first << ", " << second;
    }
  }
  for (std::jthread* thread : {&writer, &reader, &resharder}) {
    thread->request_stop();
    thread->join();
  }
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_EQ(map.size(), 2U * kPairs);
}

TEST(SessionMap, ReshardingKeepsEntriesTimesAndGenerations) {
  SessionMap map(1);
  for (Handle number = 0; number < 500; ++number) {
    map.put(std::to_string(number), number, static_cast<std::int64_t>(number));
  }
  const Rows before = snapshot_of(map);
  for (const std::size_t shards : {4UL, 32UL, 2UL, 4UL, 1UL}) {
    map.reshard(shards);
    EXPECT_EQ(map.shards(), shards);
    EXPECT_EQ(map.stats().size(), shards);
    EXPECT_EQ(snapshot_of(map), before);
    EXPECT_EQ(map.get("77")->handle, 77U);
  }
  EXPECT_EQ(map.put("new", 1, 999).generation, 501U);
  Listing removed;
  map.expire(250, 0, removed);
  EXPECT_EQ(removed.rows().size(), 251U);
  map.reshard(1);
  EXPECT_EQ(map.size(), 250U) << "the same number: nothing happens";
}

// A keeper touches its id all the time, sometimes with a time that is already old: expiry never takes it, and always all
// of the others.
TEST(SessionMapThreads, ExpiryNeverTakesWhatIsTouched) {
  constexpr std::int64_t kRounds = 2000;
  SessionMap map(4);
  std::atomic<std::int64_t> clock{0};
  std::atomic<int> lost{0};
  map.put("kept", 1, 0);
  std::jthread keeper([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      lost += map.touch("kept", clock.load()) ? 0 : 1;
    }
  });
  Listing removed;
  for (std::int64_t now = 1; now <= kRounds; ++now) {
    clock = now;
    map.touch("kept", now);
    map.put("idle", 2, now - 1);
    map.expire(now, 1, removed);
    EXPECT_EQ(rows_of(removed).size(), 1U);
    EXPECT_FALSE(map.get("idle").has_value());
  }
  keeper.request_stop();
  keeper.join();
  EXPECT_EQ(lost.load(), 0);
  EXPECT_EQ(map.size(), 1U);
}

}  // namespace
}  // namespace mediacore::sessions
