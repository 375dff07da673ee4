// A simulated memory and an explorer that runs a small program in every way that the memory model allows.
//
// What it explores: every interleaving of the threads' operations on atomics, and for every load every store that the
//   C++20 model lets it read: those that are not older than what the thread knows of (coherence), where a thread comes to
//   know of more by acquiring what another one has released. A read-modify-write reads the last store. Two interleavings
//   that differ by neighbours on different places are run once (sleep sets).
// What it reports: whatever the program calls `fail` for; a data race on a Plain; and a ring's cell that is written again
//   while nothing orders this after the read that took its token (see Cell).
// What it cannot see: load buffering, that is a load that reads what a later store brings about (that is why Cell has a
//   rule of its own); spurious failures of compare_exchange_weak; stores that get between two others after the fact (no
//   part of ours stores to one place from two threads, but by read-modify-write); fences and the single order of seq_cst,
//   which are taken for acquire and release; more threads or more operations than a program has, and compilers.
//
// Threads: none. The simulated ones are fibers (ucontext) of the caller's.
#pragma once

#include <ucontext.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/memory/atomics.hpp"

namespace mediacore::memory::model {

inline constexpr std::size_t kMaxThreads = 3;
inline constexpr std::size_t kMaxPlaces = 48;
inline constexpr std::size_t kStackBytes = std::size_t{256} << 10;
inline constexpr std::size_t kNobody = kMaxThreads;  // the one that sets up before the threads and checks after them

// What a thread knows of: of each place the oldest store that it may still read, and of each thread how far it has come.
struct View {
  std::array<std::uint32_t, kMaxPlaces> seen{};
  std::array<std::uint32_t, kMaxThreads> clock{};

  void join(const View& other) {
    for (std::size_t i = 0; i < kMaxPlaces; ++i) seen[i] = std::max(seen[i], other.seen[i]);
    for (std::size_t i = 0; i < kMaxThreads; ++i) clock[i] = std::max(clock[i], other.clock[i]);
  }
};

// Run by `explore`, once for every way.
struct Program {
  std::vector<std::function<void()>> threads;
  std::function<void()> check;  // afterwards
};

struct Outcome {
  std::uint64_t runs = 0;
  bool complete = false;  // all ways were run
  std::string failure;    // of the last run; empty: none
};

class Explorer {
 public:
  static Explorer& current() { return *current_; }

  Outcome explore(const std::function<Program()>& make, std::uint64_t max_runs) {
    current_ = this;
    Outcome outcome;
    do {
      run(make);
      ++outcome.runs;
      outcome.failure = failure_;
    } while (failure_.empty() && next_way() && outcome.runs < max_runs);
    outcome.complete = failure_.empty() && trail_.empty();
    current_ = nullptr;
    return outcome;
  }

  void fail(const std::string& what) {
    if (failure_.empty()) failure_ = what + " [" + schedule_ + "]";
  }

  // The operations, for the types below.

  std::size_t new_place(std::uint64_t value) {
    places_.push_back({.stores = {{value, {}}}});
    if (places_.size() > kMaxPlaces) std::abort();
    return places_.size() - 1;
  }

  std::uint64_t load(std::size_t place, std::memory_order order) {
    if (!step(place, false)) return places_[place].stores.back().value;
    const auto& stores = places_[place].stores;
    const std::size_t first = view().seen[place];
    const std::size_t read = stores.size() - 1 - choose(stores.size() - first);
    observe(place, read, order);
    return stores[read].value;
  }

  void store(std::size_t place, std::uint64_t value, std::memory_order order) {
    if (!step(place, true)) {
      places_[place].stores.back().value = value;
      return;
    }
    append(place, value, order, {});
  }

  // `change` makes the new value of the old one.
  template <class Change>
  std::uint64_t modify(std::size_t place, std::memory_order order, const Change& change) {
    auto& stores = places_[place].stores;
    const std::uint64_t old = stores.back().value;
    if (!step(place, true)) {
      stores.back().value = change(old);
      return old;
    }
    return modify_last(place, order, change);
  }

  bool compare_exchange(std::size_t place, std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                        std::memory_order failure) {
    auto& stores = places_[place].stores;
    if (!step(place, true)) {
      const bool same = stores.back().value == expected;
      if (same) stores.back().value = desired;
      expected = same ? expected : stores.back().value;
      return same;
    }
    // It succeeds on the last store only, and fails on whichever other value it may see.
    std::vector<std::size_t> ways;
    for (std::size_t i = view().seen[place]; i < stores.size(); ++i) {
      if (stores[i].value != expected || i + 1 == stores.size()) ways.push_back(i);
    }
    const std::size_t read = ways[ways.size() - 1 - choose(ways.size())];
    if (stores[read].value == expected) {
      modify_last(place, success, [&](std::uint64_t) { return desired; });
      return true;
    }
    observe(place, read, failure);
    expected = stores[read].value;
    return false;
  }

  // Not atomic: a race is a failure.
  std::uint64_t plain_read(std::size_t place) {
    if (step(place, false)) {
      order_after_writes(place);
      places_[place].reads[thread_] = view().clock[thread_];
    }
    return places_[place].stores.back().value;
  }

  void plain_write(std::size_t place, std::uint64_t value) {
    if (step(place, true)) {
      order_after_writes(place);
      order_after_reads(place, "a data race: write after read");
      places_[place].written_by = thread_;
      places_[place].written_at = view().clock[thread_];
    }
    places_[place].stores.back().value = value;
  }

  // The rule of cells: the token that was read last from a cell was taken; and a cell is written again.
  void note_cell_read(std::size_t place) {
    if (thread_ == kNobody) return;
    cell_read_[thread_] = {place, view().clock[thread_], view().seen[place]};
  }

  void note_taken() {
    if (thread_ == kNobody) return;
    const CellRead& read = cell_read_[thread_];
    places_[read.place].reads[thread_] = read.clock;
    if (read.store + 1 != places_[read.place].stores.size())
      fail("a token was taken from a cell that is written again");
  }

  void check_cell_write(std::size_t place) {
    if (thread_ != kNobody) order_after_reads(place, "a cell is written again before the read that took its token");
  }

  bool is_producer() const { return thread_ == 0; }

 private:
  struct Store {
    std::uint64_t value;
    View released;  // what an acquiring reader comes to know
  };
  struct Place {
    std::vector<Store> stores;
    // By thread, when it last read: for Plain, and for a Cell reads that took a token.
    std::array<std::uint32_t, kMaxThreads> reads{};
    std::size_t written_by = kNobody;
    std::uint32_t written_at = 0;
  };
  struct CellRead {
    std::size_t place = 0;
    std::uint32_t clock = 0;
    std::uint32_t store = 0;
  };
  struct Operation {
    std::size_t place = 0;
    bool writes = false;
  };
  struct Fiber {
    ucontext_t context{};
    std::unique_ptr<char[]> stack = std::make_unique<char[]>(kStackBytes);
    std::function<void()> body;
    Operation next;
    View view;
    bool done = true;
  };
  // One decision: which thread goes on, or which store is read.
  struct Node {
    std::vector<std::size_t> threads;  // that may go on; empty: a choice of a number
    std::size_t count = 0;
    std::size_t chosen = 0;
  };

  View& view() { return fibers_[thread_].view; }

  // Where a thread stands before each operation, until its turn comes. False: it is nobody's.
  bool step(std::size_t place, bool writes) {
    if (thread_ == kNobody) return false;
    Fiber& fiber = fibers_[thread_];
    fiber.next = {place, writes};
    swapcontext(&fiber.context, &scheduler_);
    ++fiber.view.clock[thread_];
    return true;
  }

  void observe(std::size_t place, std::size_t read, std::memory_order order) {
    view().seen[place] = std::max(view().seen[place], static_cast<std::uint32_t>(read));
    if (order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
        order == std::memory_order_seq_cst) {
      view().join(places_[place].stores[read].released);
    }
  }

  void append(std::size_t place, std::uint64_t value, std::memory_order order, const View& sequence) {
    auto& stores = places_[place].stores;
    view().seen[place] = static_cast<std::uint32_t>(stores.size());
    View released = sequence;
    if (order == std::memory_order_release || order == std::memory_order_acq_rel ||
        order == std::memory_order_seq_cst) {
      released.join(view());
    }
    stores.push_back({value, released});
  }

  template <class Change>
  std::uint64_t modify_last(std::size_t place, std::memory_order order, const Change& change) {
    const Store last = places_[place].stores.back();
    observe(place, places_[place].stores.size() - 1, order);
    append(place, change(last.value), order, last.released);  // and goes on with its release sequence
    return last.value;
  }

  void order_after_writes(std::size_t place) {
    const Place& at = places_[place];
    if (at.written_by != kNobody && view().clock[at.written_by] < at.written_at)
      fail("a data race: access after write");
  }

  void order_after_reads(std::size_t place, const char* what) {
    for (std::size_t other = 0; other < kMaxThreads; ++other) {
      if (other != thread_ && view().clock[other] < places_[place].reads[other]) fail(what);
    }
  }

  // A number below `count`.
  std::size_t choose(std::size_t count) {
    if (count == 1 || redundant_) return 0;
    if (depth_ == trail_.size()) trail_.push_back({{}, count, 0});
    return trail_[depth_++].chosen;
  }

  bool independent(std::size_t one, std::size_t other) const {
    const Operation& a = fibers_[one].next;
    const Operation& b = fibers_[other].next;
    return a.place != b.place || (!a.writes && !b.writes);
  }

  // The thread that goes on; `sleeping` are those whose next step was tried here before, and changes nothing.
  std::size_t pick(std::vector<std::size_t>& sleeping) {
    std::vector<std::size_t> able;
    for (std::size_t thread = 0; thread < kMaxThreads; ++thread) {
      if (!fibers_[thread].done) able.push_back(thread);
    }
    if (able.empty()) return kNobody;
    std::vector<std::size_t> awake;
    for (const std::size_t thread : able) {
      if (std::find(sleeping.begin(), sleeping.end(), thread) == sleeping.end()) awake.push_back(thread);
    }
    // Whatever comes now was seen in another run: to the end, straight on.
    if (awake.empty()) redundant_ = true;
    if (redundant_) return able.front();
    if (depth_ == trail_.size()) trail_.push_back({awake, awake.size(), 0});
    const Node& node = trail_[depth_++];
    const std::size_t picked = node.threads[node.chosen];
    sleeping.insert(sleeping.end(), node.threads.begin(),
                    node.threads.begin() + static_cast<std::ptrdiff_t>(node.chosen));
    std::erase_if(sleeping, [&](std::size_t thread) { return thread == picked || !independent(thread, picked); });
    return picked;
  }

  void run(const std::function<Program()>& make) {
    places_.clear();
    failure_.clear();
    schedule_.clear();
    depth_ = 0;
    redundant_ = false;
    thread_ = kNobody;
    const Program program = make();
    for (std::size_t thread = 0; thread < program.threads.size(); ++thread) {
      start(fibers_[thread], program.threads[thread]);
      resume(thread);  // to its first operation
    }
    std::vector<std::size_t> sleeping;
    for (std::size_t thread = pick(sleeping); thread != kNobody; thread = pick(sleeping)) resume(thread);
    thread_ = kNobody;
    if (program.check) program.check();
  }

  static void enter() {
    Explorer& self = current();
    Fiber& fiber = self.fibers_[self.thread_];
    fiber.body();
    fiber.done = true;
  }

  void start(Fiber& fiber, const std::function<void()>& body) {
    fiber.body = body;
    fiber.view = {};
    fiber.done = false;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStackBytes;
    fiber.context.uc_link = &scheduler_;
    makecontext(&fiber.context, &Explorer::enter, 0);
  }

  void resume(std::size_t thread) {
    thread_ = thread;
    schedule_ += static_cast<char>('0' + thread);
    swapcontext(&scheduler_, &fibers_[thread].context);
  }

  // False: there is none left.
  bool next_way() {
    while (!trail_.empty() && trail_.back().chosen + 1 == trail_.back().count) trail_.pop_back();
    if (trail_.empty()) return false;
    ++trail_.back().chosen;
    return true;
  }

  static inline Explorer* current_ = nullptr;

  std::array<Fiber, kMaxThreads> fibers_;
  std::array<CellRead, kMaxThreads> cell_read_{};
  std::vector<Place> places_;
  std::vector<Node> trail_;
  std::size_t depth_ = 0;
  std::size_t thread_ = kNobody;
  bool redundant_ = false;
  ucontext_t scheduler_{};
  std::string failure_;
  std::string schedule_;
};

inline void fail(const std::string& what) {
  Explorer::current().fail(what);
}

inline Outcome explore(const std::function<Program()>& make, std::uint64_t max_runs = 20'000'000) {
  const auto explorer = std::make_unique<Explorer>();
  return explorer->explore(make, max_runs);
}

// Like std::atomic, as far as it is used.
template <class T>
class Atomic {
 public:
  Atomic() : Atomic(T{}) {}
  explicit(false) Atomic(T value) : place_(Explorer::current().new_place(static_cast<std::uint64_t>(value))) {}
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load(std::memory_order order) const { return static_cast<T>(Explorer::current().load(place_, order)); }
  void store(T value, std::memory_order order) { Explorer::current().store(place_, value, order); }
  T exchange(T value, std::memory_order order) {
    return static_cast<T>(Explorer::current().modify(place_, order, [&](std::uint64_t) { return value; }));
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order success, std::memory_order failure) {
    std::uint64_t seen = expected;
    const bool done = Explorer::current().compare_exchange(place_, seen, desired, success, failure);
    expected = static_cast<T>(seen);
    return done;
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success, std::memory_order failure) {
    return compare_exchange_strong(expected, desired, success, failure);
  }

 protected:
  std::size_t place_;
};

// A ring's cell. Its rule: it is written again only after the read that took its token, in the sense of happens-before.
// Without the rule a missing order could be seen only as load buffering.
class Cell : public Atomic<Token> {
 public:
  Token load(std::memory_order order) const {
    const Token token = Atomic::load(order);
    Explorer::current().note_cell_read(place_);
    return token;
  }
  void store(Token token, std::memory_order order) {
    Atomic::store(token, order);
    Explorer::current().check_cell_write(place_);
  }
};

// A cell that is no atomic.
class PlainCell {
 public:
  PlainCell() : place_(Explorer::current().new_place(0)) {}
  Token load(std::memory_order /*order*/) const { return Explorer::current().plain_read(place_); }
  void store(Token token, std::memory_order /*order*/) { Explorer::current().plain_write(place_, token); }

 private:
  std::size_t place_;
};

// Whoever moves it has taken the token that it has read last.
class ReadPosition : public Atomic<std::uint64_t> {
 public:
  using Atomic::Atomic;
  bool compare_exchange_strong(std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                               std::memory_order failure) {
    const bool done = Atomic::compare_exchange_strong(expected, desired, success, failure);
    if (done) Explorer::current().note_taken();
    return done;
  }
};

// Moved by the producer in two steps, as if it were nobody else's.
class ReadPositionWithoutSwap : public ReadPosition {
 public:
  using ReadPosition::ReadPosition;
  bool compare_exchange_strong(std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                               std::memory_order failure) {
    if (!Explorer::current().is_producer()) {
      return ReadPosition::compare_exchange_strong(expected, desired, success, failure);
    }
    expected = load(failure);
    if (expected + 1 != desired) return false;
    store(desired, success);
    return true;
  }
};

// What a token stands for: memory that is no atomic.
class Plain {
 public:
  Plain() : place_(Explorer::current().new_place(0)) {}
  std::uint64_t read() const { return Explorer::current().plain_read(place_); }
  void write(std::uint64_t value) { Explorer::current().plain_write(place_, value); }

 private:
  std::size_t place_;
};

// The orders of the product, on simulated memory.
struct Atomics : memory::Atomics {
  template <class T>
  using Atomic = model::Atomic<T>;
  using Cell = model::Cell;
  using ReadPosition = model::ReadPosition;
};

}  // namespace mediacore::memory::model
