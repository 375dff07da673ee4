// Histories of two real threads on one ring, checked for linearizability: is there an order of the calls, in which none
// stands before one that had ended when it began, in which a plain queue gives the same answers?
//
// A call now and then lets the other thread go first, between its begin and what it does: so calls meet on a busy machine too.
// What it cannot see: histories that this machine's memory and scheduler do not make (that is model_test.cpp's part); and
// time is one counter that both threads add to, which itself orders more than the ring does.
// Histories are cut into short ones at moments when no call is under way and the ring was drained, as the search is
// exponential (Wing and Gong 1993). A side of its own makes the search narrow: its calls are in order already.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <ostream>
#include <random>
#include <set>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "core/memory/frame_ring.hpp"

namespace mediacore::memory {
namespace {

struct Call {
  std::uint64_t began;
  std::uint64_t ended;
  Token token;   // pushed, or popped
  Token answer;  // of a push: what came back
};

using Queue = std::deque<Token>;

// Whether a queue of this capacity can have given these answers to the producer's and the consumer's calls.
class Search {
 public:
  Search(Policy policy, std::size_t capacity, const std::vector<Call>& pushes, const std::vector<Call>& pops)
      : policy_(policy), capacity_(capacity), pushes_(pushes), pops_(pops) {}

  bool run() { return from(0, 0, {}); }

 private:
  bool from(std::size_t push, std::size_t pop, const Queue& queue) {
    if (push == pushes_.size() && pop == pops_.size()) return true;
    if (!tried_.emplace(push, pop, queue).second) return false;
    const bool push_may = push < pushes_.size() && (pop == pops_.size() || pushes_[push].began < pops_[pop].ended);
    const bool pop_may = pop < pops_.size() && (push == pushes_.size() || pops_[pop].began < pushes_[push].ended);
    Queue next = queue;
    if (push_may && pushed(pushes_[push], next) && from(push + 1, pop, next)) return true;
    next = queue;
    return pop_may && popped(pops_[pop], next) && from(push, pop + 1, next);
  }

  bool pushed(const Call& call, Queue& queue) const {
    Token back = kNoToken;
    if (queue.size() == capacity_) {
      if (policy_ == Policy::block) return call.answer == call.token;
      back = queue.front();
      queue.pop_front();
    }
    queue.push_back(call.token);
    return call.answer == back;
  }

  static bool popped(const Call& call, Queue& queue) {
    if (queue.empty()) return call.token == kNoToken;
    if (call.token != queue.front()) return false;
    queue.pop_front();
    return true;
  }

  Policy policy_;
  std::size_t capacity_;
  const std::vector<Call>& pushes_;
  const std::vector<Call>& pops_;
  std::set<std::tuple<std::size_t, std::size_t, Queue>> tried_;
};

TEST(HistoryOfFrameRing, TheSearchTellsRightFromWrong) {
  const auto possible = [](Token first, Token second) {
    const std::vector<Call> pushes{{0, 1, 1, kNoToken}, {2, 5, 2, 1}};
    const std::vector<Call> pops{{3, 4, first, 0}, {6, 7, second, 0}};
    return Search(Policy::drop_oldest, 1, pushes, pops).run();
  };
  EXPECT_TRUE(possible(2, kNoToken)) << "dropped and pushed, then popped";
  EXPECT_FALSE(possible(1, 2)) << "delivered, and dropped too";
  EXPECT_FALSE(possible(kNoToken, 2)) << "1 was there at all times until 2 took its place";
  EXPECT_FALSE(possible(2, 2));
}

struct Case {
  Policy policy;
  std::size_t capacity;

  // For the test's name.
  friend std::ostream& operator<<(std::ostream& out, const Case& one) {
    return out << "policy " << static_cast<int>(one.policy) << ", capacity " << one.capacity;
  }
};

class HistoryOfFrameRing : public testing::TestWithParam<Case> {};

// Two threads wait for each other, awake: who sleeps comes too late to meet anyone.
class Rendezvous {
 public:
  void meet() {
    const int generation = generation_.load();
    if (arrived_.fetch_add(1) == 1) {
      arrived_ = 0;
      ++generation_;
      return;
    }
    constexpr int kSpins = 2000;
    for (int spins = 0; generation_.load() == generation; ++spins) {
      if (spins % kSpins == kSpins - 1) std::this_thread::yield();
    }
  }

 private:
  std::atomic<int> arrived_{0};
  std::atomic<int> generation_{0};
};

struct History {
  std::vector<Call> pushes;
  std::vector<Call> pops;

  bool any_overlap() const {
    return std::any_of(pushes.begin(), pushes.end(), [this](const Call& push) {
      return std::any_of(pops.begin(), pops.end(),
                         [&](const Call& pop) { return push.began < pop.ended && pop.began < push.ended; });
    });
  }
};

// By chance, every eighth time.
void hesitate(std::minstd_rand& random) {
  if (random() % 8 == 0) std::this_thread::yield();
}

TEST_P(HistoryOfFrameRing, IsLinearizable) {
  constexpr int kRounds = 500;
  constexpr Token kCalls = 50;
  const auto [policy, capacity] = GetParam();
  FrameRing ring(capacity, policy);
  std::atomic<std::uint64_t> clock{0};
  Rendezvous rendezvous;
  History history;
  const std::jthread producer([&] {
    std::minstd_rand random(1);
    for (int round = 0; round < kRounds; ++round) {
      rendezvous.meet();
      for (Token token = 1; token <= kCalls; ++token) {
        const std::uint64_t began = clock.fetch_add(1);
        hesitate(random);
        const Token back = ring.push(token).back;
        history.pushes.push_back({began, clock.fetch_add(1), token, back});
      }
      rendezvous.meet();
    }
  });
  std::minstd_rand random(2);
  int overlaps = 0;
  int wrong = 0;
  for (int round = 0; round < kRounds; ++round) {
    history = {};
    const auto pop = [&] {
      const std::uint64_t began = clock.fetch_add(1);
      hesitate(random);
      const Token token = ring.pop();
      history.pops.push_back({began, clock.fetch_add(1), token, kNoToken});
      return token;
    };
    rendezvous.meet();
    for (Token i = 0; i < kCalls; ++i) pop();
    rendezvous.meet();
    while (pop() != kNoToken) {
    }
    overlaps += history.any_overlap() ? 1 : 0;
    wrong += Search(policy, ring.capacity(), history.pushes, history.pops).run() ? 0 : 1;
  }
  EXPECT_EQ(wrong, 0) << "of " << kRounds << " histories";
  EXPECT_GT(overlaps, 0) << "the threads have never met";
}

INSTANTIATE_TEST_SUITE_P(Policies, HistoryOfFrameRing,
                         testing::Values(Case{Policy::drop_oldest, 1}, Case{Policy::drop_oldest, 3},
                                         Case{Policy::latest, 1}, Case{Policy::block, 1}, Case{Policy::block, 3}));

}  // namespace
}  // namespace mediacore::memory
