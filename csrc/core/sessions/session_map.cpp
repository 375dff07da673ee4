#include "core/sessions/session_map.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <utility>

namespace mediacore::sessions {

namespace {

constexpr std::size_t kCacheLine = 64;

// What is to be removed.
struct Due {
  std::size_t rows = 0;
  std::size_t id_bytes = 0;
};

using Shared = std::shared_lock<std::shared_mutex>;
using Exclusive = std::unique_lock<std::shared_mutex>;

}  // namespace

// An id as it is looked up, with its hash.
struct SessionMap::Probe {
  explicit Probe(std::string_view text) : id(text), hash(std::hash<std::string_view>{}(text)) {}

  std::string_view id;
  std::size_t hash;
};

struct alignas(kCacheLine) SessionMap::Shard {
  // An id as it is stored, with its hash: a longer chain or a growing table hashes nothing again.
  struct Key {
    explicit Key(const Probe& probe) : id(probe.id), hash(probe.hash) {}

    std::string id;
    std::size_t hash;
  };

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const Key& key) const { return key.hash; }
    std::size_t operator()(const Probe& probe) const { return probe.hash; }
  };

  struct Equal {
    using is_transparent = void;
    template <typename Left, typename Right>
    bool operator()(const Left& left, const Right& right) const {
      return left.hash == right.hash && std::string_view(left.id) == std::string_view(right.id);
    }
  };

  struct Value {
    Value(Entry entry_now, std::int64_t now_ns) : entry(entry_now), active_ns(now_ns) {}

    // Forward only: whoever read the clock first may come second.
    void touch(std::int64_t now_ns) {
      std::int64_t noted_ns = active_ns.load(std::memory_order_relaxed);
      while (noted_ns < now_ns && !active_ns.compare_exchange_weak(noted_ns, now_ns, std::memory_order_relaxed)) {
      }
    }

    Entry entry;
    // Written under the shared lock, by whoever touches; the exclusive lock orders it for `expire`, so relaxed is enough.
    std::atomic<std::int64_t> active_ns;
  };

  using Table = std::unordered_map<Key, Value, Hash, Equal>;

  template <class Lock>
  Lock lock() {
    Lock held(mutex, std::try_to_lock);
    if (!held.owns_lock()) {
      contended.fetch_add(1, std::memory_order_relaxed);
      held.lock();
    }
    return held;
  }

  // Under the lock, in either mode.
  void measure_due(std::int64_t latest_ns, Due& due) const {
    for (const auto& [key, value] : table) {
      if (value.active_ns.load(std::memory_order_relaxed) <= latest_ns) {
        ++due.rows;
        due.id_bytes += key.id.size();
      }
    }
  }

  void reset_counts() {
    lookups.store(0, std::memory_order_relaxed);
    changes.store(0, std::memory_order_relaxed);
    contended.store(0, std::memory_order_relaxed);
  }

  std::shared_mutex mutex;
  Table table;
  // Plain counts, as in SessionMap.
  std::atomic<std::uint64_t> lookups{0};
  std::atomic<std::uint64_t> changes{0};
  std::atomic<std::uint64_t> contended{0};
};

struct SessionMap::Layout {
  explicit Layout(std::size_t shards)
      : count(shards),
        shift(std::numeric_limits<std::size_t>::digits - std::countr_zero(shards)),
        all(std::make_unique<Shard[]>(shards)) {}

  // A shift by the full width is undefined, and one shard needs no bits.
  std::size_t index_of(std::size_t hash) const { return count == 1 ? 0 : hash >> shift; }
  Shard& of(std::size_t hash) const { return all[index_of(hash)]; }

  template <class Lock>
  std::vector<Lock> lock_all() const {
    std::vector<Lock> locks;
    locks.reserve(count);
    for (std::size_t index = 0; index < count; ++index) {
      locks.push_back(all[index].template lock<Lock>());
    }
    return locks;
  }

  const std::size_t count;
  const int shift;
  const std::unique_ptr<Shard[]> all;
};

template <class Lock>
struct SessionMap::Held {
  Shard& shard;
  Lock lock;
};

void Listing::clear() {
  ids_.clear();
  rows_.clear();
}

void Listing::reserve(std::size_t rows, std::size_t id_bytes) {
  // At least twofold: a call per shard does not copy everything that came before each time.
  if (rows > rows_.capacity()) {
    rows_.reserve(std::max(rows, 2 * rows_.capacity()));
  }
  if (id_bytes > ids_.capacity()) {
    ids_.reserve(std::max(id_bytes, 2 * ids_.capacity()));
  }
}

void Listing::add(std::string_view id, Entry entry) {
  rows_.push_back({ids_.size(), id.size(), entry});
  ids_.append(id);
}

bool SessionMap::valid_shards(std::size_t shards) {
  return std::has_single_bit(shards) && shards <= kMaxShards;
}

SessionMap::SessionMap(std::size_t shards) : layout_(&layout(shards)) {}

SessionMap::~SessionMap() = default;

SessionMap::Layout& SessionMap::layout(std::size_t shards) {
  std::unique_ptr<Layout>& one = layouts_[static_cast<std::size_t>(std::countr_zero(shards))];
  if (!one) one = std::make_unique<Layout>(shards);
  return *one;
}

template <class Lock>
SessionMap::Held<Lock> SessionMap::hold(std::size_t hash) const {
  for (;;) {
    const Layout* const seen = layout_.load(std::memory_order_acquire);
    Shard& shard = seen->of(hash);
    Lock lock = shard.lock<Lock>();
    // While this lock is held it stays what it is now.
    if (layout_.load(std::memory_order_acquire) == seen) return {shard, std::move(lock)};
  }
}

PutResult SessionMap::put(std::string_view id, Handle handle, std::int64_t now_ns) {
  const Probe probe(id);
  const auto& [shard, lock] = hold<Exclusive>(probe.hash);
  // Taken under the lock: of two puts of one id, the later one has the higher generation.
  const Entry entry{handle, last_generation_.fetch_add(1, std::memory_order_relaxed) + 1};
  std::optional<Handle> replaced;
  if (const auto found = shard.table.find(probe); found != shard.table.end()) {
    replaced = std::exchange(found->second.entry, entry).handle;
    found->second.touch(now_ns);
  } else {
    shard.table.emplace(std::piecewise_construct, std::forward_as_tuple(probe), std::forward_as_tuple(entry, now_ns));
    size_.fetch_add(1, std::memory_order_relaxed);
  }
  shard.changes.fetch_add(1, std::memory_order_relaxed);
  return {entry.generation, replaced};
}

std::optional<Entry> SessionMap::get(std::string_view id) const {
  const Probe probe(id);
  const auto& [shard, lock] = hold<Shared>(probe.hash);
  shard.lookups.fetch_add(1, std::memory_order_relaxed);
  const auto found = shard.table.find(probe);
  if (found == shard.table.end()) {
    return std::nullopt;
  }
  return found->second.entry;
}

std::optional<Handle> SessionMap::remove(std::string_view id, Generation generation) {
  const Probe probe(id);
  const auto& [shard, lock] = hold<Exclusive>(probe.hash);
  const auto found = shard.table.find(probe);
  if (found == shard.table.end()) {
    return std::nullopt;
  }
  const Entry entry = found->second.entry;
  if (generation != kAnyGeneration && generation != entry.generation) {
    return std::nullopt;
  }
  shard.table.erase(found);
  shard.changes.fetch_add(1, std::memory_order_relaxed);
  size_.fetch_sub(1, std::memory_order_relaxed);
  return entry.handle;
}

bool SessionMap::touch(std::string_view id, std::int64_t now_ns) const {
  const Probe probe(id);
  const auto& [shard, lock] = hold<Shared>(probe.hash);
  shard.lookups.fetch_add(1, std::memory_order_relaxed);
  const auto found = shard.table.find(probe);
  if (found == shard.table.end()) {
    return false;
  }
  found->second.touch(now_ns);
  return true;
}

void SessionMap::snapshot(Listing& out) const {
  out.clear();
  for (;;) {
    const Layout* const seen = layout_.load(std::memory_order_acquire);
    const auto locks = seen->lock_all<Shared>();
    if (layout_.load(std::memory_order_acquire) != seen) continue;
    for (std::size_t index = 0; index < seen->count; ++index) {
      for (const auto& [key, value] : seen->all[index].table) {
        out.add(key.id, value.entry);
      }
    }
    return;
  }
}

bool SessionMap::expire_shard(const Layout& seen, Shard& shard, std::int64_t latest_ns, Listing& removed) {
  {
    const auto lock = shard.lock<Shared>();
    // Before anything else is looked at: a shard that is not the map's may be filled at this moment.
    if (layout_.load(std::memory_order_acquire) != &seen) return false;
    Due due;
    shard.measure_due(latest_ns, due);
    if (due.rows == 0) return true;
  }
  const auto lock = shard.lock<Exclusive>();
  if (layout_.load(std::memory_order_acquire) != &seen) return false;
  // Room first: an entry that is taken out of the map is never lost to a failed allocation.
  Due due{removed.rows().size(), removed.id_bytes()};
  shard.measure_due(latest_ns, due);
  removed.reserve(due.rows, due.id_bytes);
  for (auto at = shard.table.begin(); at != shard.table.end();) {
    if (at->second.active_ns.load(std::memory_order_relaxed) > latest_ns) {
      ++at;
      continue;
    }
    removed.add(at->first.id, at->second.entry);
    at = shard.table.erase(at);
    shard.changes.fetch_add(1, std::memory_order_relaxed);
    size_.fetch_sub(1, std::memory_order_relaxed);
  }
  return true;
}

void SessionMap::expire(std::int64_t now_ns, std::int64_t idle_ns, Listing& removed) {
  removed.clear();
  const std::int64_t latest_ns = now_ns - idle_ns;
  for (;;) {
    const Layout& seen = *layout_.load(std::memory_order_acquire);
    bool same = true;
    for (std::size_t index = 0; same && index < seen.count; ++index) {
      same = expire_shard(seen, seen.all[index], latest_ns, removed);
    }
    // What was moved meanwhile is looked for in its new place.
    if (same) return;
  }
}

std::size_t SessionMap::shards() const {
  return layout_.load(std::memory_order_acquire)->count;
}

std::vector<ShardStats> SessionMap::stats() const {
  const Layout* seen = layout_.load(std::memory_order_acquire);
  std::vector<ShardStats> stats;
  stats.reserve(seen->count);
  while (stats.size() < seen->count) {
    Shard& one = seen->all[stats.size()];
    const auto lock = one.lock<Shared>();
    if (const Layout* const now = layout_.load(std::memory_order_acquire); now != seen) {
      seen = now;
      stats.clear();
      continue;
    }
    stats.push_back({one.table.size(), one.lookups.load(std::memory_order_relaxed),
                     one.changes.load(std::memory_order_relaxed), one.contended.load(std::memory_order_relaxed)});
  }
  return stats;
}

void SessionMap::reshard(std::size_t shards) {
  const std::scoped_lock one_at_a_time(resharding_);
  Layout& from = *layout_.load(std::memory_order_acquire);
  if (from.count == shards) return;
  Layout& to = layout(shards);
  // Nobody is in the shards of `to` but who came too late in an earlier one, and he only looks whether he is right there.
  const auto locks = from.lock_all<Exclusive>();
  std::vector<std::size_t> sizes(to.count);
  for (std::size_t index = 0; index < from.count; ++index) {
    for (const auto& [key, value] : from.all[index].table) {
      ++sizes[to.index_of(key.hash)];
    }
  }
  for (std::size_t index = 0; index < to.count; ++index) {
    to.all[index].reset_counts();
    to.all[index].table.reserve(sizes[index]);
  }
  // Nothing can fail from here on: there is room in the tables, and entries move as they are.
  for (std::size_t index = 0; index < from.count; ++index) {
    Shard::Table& table = from.all[index].table;
    while (!table.empty()) {
      auto node = table.extract(table.begin());
      Shard& shard = to.of(node.key().hash);
      shard.table.insert(std::move(node));
    }
  }
  layout_.store(&to, std::memory_order_release);
}

}  // namespace mediacore::sessions
