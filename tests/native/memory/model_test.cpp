// The lock-free parts, run in every way that the memory model allows; and with one memory order weakened, which must show.
// What such a check can see, and what it cannot: model.hpp.
#include "model.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/memory/frame_ring.hpp"
#include "core/memory/mailbox.hpp"
#include "core/memory/sleeper.hpp"
#include "core/memory/slot_table.hpp"
#include "core/memory/token_ring.hpp"

namespace mediacore::memory {
namespace {

using model::explore;
using model::fail;
using model::Outcome;
using model::Program;

constexpr auto kRelaxed = std::memory_order_relaxed;

// The seeded bugs.
struct RelaxedPublish : model::Atomics {
  static constexpr auto kPublish = kRelaxed;
};
struct RelaxedObserve : model::Atomics {
  static constexpr auto kObserve = kRelaxed;
};
struct RelaxedReuse : model::Atomics {
  static constexpr auto kReuse = kRelaxed;
};
struct RelaxedFollow : model::Atomics {
  static constexpr auto kFollow = kRelaxed;
};
struct RelaxedTake : model::Atomics {
  static constexpr auto kTake = kRelaxed;
};
struct RelaxedEvict : model::Atomics {
  static constexpr auto kEvict = kRelaxed;
};
struct EvictWithoutSwap : model::Atomics {
  using ReadPosition = model::ReadPositionWithoutSwap;
};
struct PlainCells : model::Atomics {
  using Cell = model::PlainCell;
};
struct SwapWithoutAcquire : model::Atomics {
  static constexpr auto kSwap = std::memory_order_release;
};
struct SwapWithoutRelease : model::Atomics {
  static constexpr auto kSwap = std::memory_order_acquire;
};
struct RelaxedRelease : model::Atomics {
  static constexpr auto kRelease = kRelaxed;
};
struct RelaxedSeeLast : model::Atomics {
  static constexpr auto kSeeLast = kRelaxed;
};
struct RelaxedPutFree : model::Atomics {
  static constexpr auto kPutFree = kRelaxed;
};
struct RelaxedTakeFree : model::Atomics {
  static constexpr auto kTakeFree = kRelaxed;
};
struct ArmWithoutAcquire : model::Atomics {
  static constexpr auto kArm = std::memory_order_release;
};
struct LookWithoutRelease : model::Atomics {
  static constexpr auto kLook = std::memory_order_acquire;
};
struct RelaxedClose : model::Atomics {
  static constexpr auto kClose = kRelaxed;
};
struct RelaxedSeeClosed : model::Atomics {
  static constexpr auto kSeeClosed = kRelaxed;
};

void expect_right(const Outcome& outcome) {
  EXPECT_EQ(outcome.failure, "");
  EXPECT_TRUE(outcome.complete) << "not all ways were run";
  EXPECT_GT(outcome.runs, 1U);
  testing::Test::RecordProperty("runs", std::to_string(outcome.runs));
}

void expect_caught(const Outcome& outcome) {
  EXPECT_NE(outcome.failure, "") << "not seen in " << outcome.runs << " runs";
}

// What became of tokens 1 to `count`, each with a body that is written before the push and read after the pop.
class Ledger {
 public:
  explicit Ledger(std::size_t count) : bodies_(count + 1), times_(count + 1) {}

  void fill(Token token) { bodies_[token].write(token); }
  void delivered(Token token) {
    came_out(token);
    if (token <= last_) fail("out of order");
    last_ = token;
    if (token < bodies_.size() && bodies_[token].read() != token) fail("a token without its body");
  }
  // The producer has it again, and may write it.
  void given_back(Token token) {
    came_out(token);
    if (token < bodies_.size()) bodies_[token].write(0);
  }
  void expect_each_once() const {
    for (std::size_t token = 1; token < times_.size(); ++token) {
      if (times_[token] != 1)
        fail("token " + std::to_string(token) + " came out " + std::to_string(times_[token]) + " times");
    }
  }

 private:
  void came_out(Token token) {
    if (token == kNoToken || token >= times_.size()) {
      fail("a token that nobody has pushed");
    } else {
      ++times_[token];
    }
  }

  std::vector<model::Plain> bodies_;
  std::vector<int> times_;
  Token last_ = kNoToken;
};

template <class Ring>
struct Run {
  template <class... Arguments>
  explicit Run(std::size_t tokens, Arguments... arguments) : ring(arguments...), ledger(tokens) {}

  void pop() {
    if (const Token token = ring.pop(); token != kNoToken) ledger.delivered(token);
  }
  void drain() {
    for (Token token = ring.pop(); token != kNoToken; token = ring.pop()) ledger.delivered(token);
  }

  Ring ring;
  Ledger ledger;
};

template <class A>
Outcome explore_drop_oldest(std::size_t capacity, Token pushes, int pops) {
  return explore([=] {
    const auto run = std::make_shared<Run<BasicTokenRing<A>>>(pushes, capacity);
    return Program{{[=] {
                      for (Token token = 1; token <= pushes; ++token) {
                        run->ledger.fill(token);
                        if (const Token back = run->ring.push(token); back != kNoToken) run->ledger.given_back(back);
                      }
                    },
                    [=] {
                      for (int i = 0; i < pops; ++i) run->pop();
                    }},
                   [=] {
                     if (run->ring.size() > capacity) fail("more than the capacity is left");
                     run->drain();
                     run->ledger.expect_each_once();
                   }};
  });
}

template <class A>
Outcome explore_block(std::size_t capacity, Token pushes, int pops) {
  return explore([=] {
    const auto run = std::make_shared<Run<BasicTokenRing<A>>>(pushes, capacity);
    return Program{{[=] {
                      for (Token token = 1; token <= pushes; ++token) {
                        run->ledger.fill(token);
                        if (!run->ring.try_push(token)) run->ledger.given_back(token);
                      }
                    },
                    [=] {
                      for (int i = 0; i < pops; ++i) run->pop();
                    }},
                   [=] {
                     if (run->ring.size() > capacity) fail("more than the capacity is left");
                     run->drain();
                     run->ledger.expect_each_once();
                   }};
  });
}

template <class A>
Outcome explore_mailbox() {
  return explore([] {
    constexpr Token kPushes = 3;
    const auto run = std::make_shared<Run<BasicMailbox<A>>>(kPushes);
    return Program{{[=] {
                      for (Token token = 1; token <= kPushes; ++token) {
                        run->ledger.fill(token);
                        if (const Token back = run->ring.push(token); back != kNoToken) run->ledger.given_back(back);
                      }
                    },
                    [=] {
                      run->pop();
                      run->pop();
                    }},
                   [=] {
                     run->drain();
                     run->ledger.expect_each_once();
                   }};
  });
}

// The producer acquires a slot and writes into it, `rounds` times; each reader was given both slots' references before.
template <class A>
Outcome explore_slots(std::size_t slots, int rounds) {
  struct State {
    explicit State(std::size_t count) : table(count), bodies(count) {}
    BasicSlotTable<A> table;
    std::vector<model::Plain> bodies;
    std::vector<Handle> given;
  };
  return explore([=] {
    const auto state = std::make_shared<State>(slots);
    for (std::size_t slot = 0; slot < slots; ++slot) {
      state->given.push_back(state->table.acquire());
      state->table.retain(state->given.back());
    }
    const auto read = [=] {
      for (const Handle handle : state->given) {
        static_cast<void>(state->bodies[BasicSlotTable<A>::index_of(handle)].read());
        if (!state->table.release(handle)) fail("a holder's handle was refused");
      }
    };
    return Program{{[=] {
                      for (int round = 0; round < rounds; ++round) {
                        const Handle handle = state->table.acquire();
                        if (handle == kNoToken) continue;
                        state->bodies[BasicSlotTable<A>::index_of(handle)].write(1);
                        if (!state->table.release(handle)) fail("the acquirer's handle was refused");
                      }
                    },
                    read, read},
                   [=] {
                     if (state->table.in_use() != 0) fail("a slot is still held");
                     for (const Handle handle : state->given) {
                       if (state->table.release(handle) || state->table.retain(handle))
                         fail("a stale handle was taken");
                     }
                     for (std::size_t slot = 0; slot < slots; ++slot) {
                       if (state->table.acquire() == kNoToken) fail("a slot was lost");
                     }
                     if (state->table.acquire() != kNoToken) fail("a slot was given twice");
                   }};
  });
}

// Everything together: slots go through a ring of one and come back.
template <class A>
Outcome explore_lease_path() {
  struct State {
    BasicSlotTable<A> table{2};
    BasicTokenRing<A> ring{1};
    std::array<model::Plain, 2> bodies;
  };
  return explore([] {
    constexpr std::uint64_t kFrames = 3;
    const auto state = std::make_shared<State>();
    const auto body = [=](Handle handle) -> model::Plain& {
      return state->bodies[BasicSlotTable<A>::index_of(handle)];
    };
    return Program{{[=] {
                      for (std::uint64_t frame = 1; frame <= kFrames; ++frame) {
                        const Handle handle = state->table.acquire();
                        if (handle == kNoToken) continue;
                        body(handle).write(frame);
                        const Handle back = state->ring.push(handle);
                        if (back != kNoToken && !state->table.release(back)) fail("dropped: refused");
                      }
                    },
                    [=] {
                      const Handle handle = state->ring.pop();
                      if (handle == kNoToken) return;
                      if (body(handle).read() == 0) fail("a slot without a picture");
                      if (!state->table.release(handle)) fail("delivered: refused");
                    }},
                   [=] {
                     const Handle handle = state->ring.pop();
                     if (handle != kNoToken) state->table.release(handle);
                     if (state->table.in_use() != 0) fail("a slot is still held");
                   }};
  });
}

template <class A>
Outcome explore_sleeper(bool looks_again = true) {
  struct State {
    BasicMailbox<A> mailbox;
    BasicSleeper<A> sleeper;
    model::Atomic<std::uint32_t> bell{0};
    bool asleep = false;
  };
  return explore([=] {
    const auto state = std::make_shared<State>();
    return Program{{[=] {
                      for (Token token = 1; token <= 2; ++token) {
                        static_cast<void>(state->mailbox.push(token));
                        if (state->sleeper.wakes()) state->bell.store(1, kRelaxed);
                      }
                    },
                    [=] {
                      if (state->mailbox.pop() != kNoToken) return;
                      state->sleeper.arm();
                      if (looks_again && state->mailbox.pop() != kNoToken) {
                        state->sleeper.disarm();
                        return;
                      }
                      state->asleep = true;
                    }},
                   [=] {
                     const bool rung = state->bell.load(kRelaxed) != 0;
                     if (state->asleep && !rung && state->mailbox.size() != 0) fail("asleep before a full box");
                   }};
  });
}

template <class A>
Outcome explore_close(Policy policy) {
  return explore([=] {
    const auto run = std::make_shared<Run<BasicFrameRing<A>>>(2, 1, policy);
    const auto ended = std::make_shared<bool>(false);
    return Program{{[=] {
                      run->ledger.fill(1);
                      static_cast<void>(run->ring.push(1));
                      run->ring.close();
                      if (run->ring.push(2).fate != BasicFrameRing<A>::Fate::refused) fail("taken after the end");
                    },
                    [=] {
                      const bool closed = run->ring.closed();
                      const Token token = run->ring.pop();
                      if (token != kNoToken) run->ledger.delivered(token);
                      *ended = closed && token == kNoToken;
                    }},
                   [=] {
                     const RingCounts counts = run->ring.counts();
                     if (*ended && counts.queued != 0) fail("the end was seen before the last token");
                     if (counts.pushed != 2 || counts.delivered + counts.queued != 1) fail("the counts do not add up");
                   }};
  });
}

TEST(ModelOfTokenRing, DropsItsOldestExactly) {
  expect_right(explore_drop_oldest<model::Atomics>(1, 2, 2));
  expect_right(explore_drop_oldest<model::Atomics>(1, 3, 2));
  expect_right(explore_drop_oldest<model::Atomics>(2, 4, 2));
  expect_right(explore_drop_oldest<model::Atomics>(3, 5, 1));
}

TEST(ModelOfTokenRing, TakesNothingWhenFull) {
  expect_right(explore_block<model::Atomics>(1, 3, 3));
  expect_right(explore_block<model::Atomics>(2, 4, 3));
}

TEST(ModelOfTokenRing, NeedsEachOfItsOrders) {
  expect_caught(explore_drop_oldest<RelaxedPublish>(1, 3, 2));
  expect_caught(explore_drop_oldest<RelaxedObserve>(1, 3, 2));
  expect_caught(explore_drop_oldest<RelaxedReuse>(1, 3, 2));
  expect_caught(explore_drop_oldest<RelaxedFollow>(1, 3, 2));
  expect_caught(explore_drop_oldest<RelaxedTake>(1, 3, 2));
  expect_caught(explore_drop_oldest<RelaxedEvict>(1, 3, 2));
  expect_caught(explore_drop_oldest<EvictWithoutSwap>(1, 3, 2));
  expect_caught(explore_drop_oldest<PlainCells>(1, 3, 2));
  expect_caught(explore_block<RelaxedPublish>(1, 3, 2));
  expect_caught(explore_block<RelaxedReuse>(1, 3, 2));
  expect_caught(explore_block<RelaxedTake>(1, 3, 2));
}

TEST(ModelOfMailbox, GivesEachTokenOnce) {
  expect_right(explore_mailbox<model::Atomics>());
}

TEST(ModelOfMailbox, NeedsBothHalvesOfItsExchange) {
  expect_caught(explore_mailbox<SwapWithoutAcquire>());
  expect_caught(explore_mailbox<SwapWithoutRelease>());
}

TEST(ModelOfSlotTable, KeepsHoldersApart) {
  expect_right(explore_slots<model::Atomics>(1, 2));
  expect_right(explore_slots<model::Atomics>(2, 1));
}

TEST(ModelOfSlotTable, NeedsEachOfItsOrders) {
  expect_caught(explore_slots<RelaxedSeeLast>(1, 1));
  expect_caught(explore_slots<RelaxedRelease>(1, 1));
  expect_caught(explore_slots<RelaxedPutFree>(1, 1));
  expect_caught(explore_slots<RelaxedTakeFree>(1, 1));
}

TEST(ModelOfLeasePath, NeverWritesWhatIsRead) {
  expect_right(explore_lease_path<model::Atomics>());
}

TEST(ModelOfSleeper, LosesNoWakeUp) {
  expect_right(explore_sleeper<model::Atomics>());
}

TEST(ModelOfSleeper, NeedsBothOrdersAndTheSecondLook) {
  expect_caught(explore_sleeper<ArmWithoutAcquire>());
  expect_caught(explore_sleeper<LookWithoutRelease>());
  expect_caught(explore_sleeper<model::Atomics>(false));
}

TEST(ModelOfFrameRing, EndsAfterItsLastToken) {
  expect_right(explore_close<model::Atomics>(Policy::drop_oldest));
  expect_right(explore_close<model::Atomics>(Policy::latest));
  expect_right(explore_close<model::Atomics>(Policy::block));
}

TEST(ModelOfFrameRing, NeedsBothHalvesOfClosing) {
  expect_caught(explore_close<RelaxedClose>(Policy::drop_oldest));
  expect_caught(explore_close<RelaxedSeeClosed>(Policy::drop_oldest));
}

}  // namespace
}  // namespace mediacore::memory
