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

  std::shared_lock<std::shared_mutex> shared() {
    std::shared_lock lock(mutex, std::try_to_lock);
    if (!lock.owns_lock()) {
      contended.fetch_add(1, std::memory_order_relaxed);
      lock.lock();
    }
    return lock;
  }

  std::unique_lock<std::shared_mutex> exclusive() {
    std::unique_lock lock(mutex, std::try_to_lock);
    if (!lock.owns_lock()) {
      contended.fetch_add(1, std::memory_order_relaxed);
      lock.lock();
    }
    return lock;
  }

  // Under the lock, in either mode.
  void measure_due(std::int64_t latest_ns, std::size_t& rows, std::size_t& id_bytes) const {
    for (const auto& [key, value] : table) {
      if (value.active_ns.load(std::memory_order_relaxed) <= latest_ns) {
        ++rows;
        id_bytes += key.id.size();
      }
    }
  }

  std::shared_mutex mutex;
  Table table;
  // Plain counts, as in SessionMap.
  std::atomic<std::uint64_t> lookups{0};
  std::atomic<std::uint64_t> changes{0};
  std::atomic<std::uint64_t> contended{0};
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

SessionMap::SessionMap(std::size_t shards)
    : shard_count_(shards),
      shard_shift_(std::numeric_limits<std::size_t>::digits - std::countr_zero(shards)),
      shards_(std::make_unique<Shard[]>(shards)) {}

SessionMap::~SessionMap() = default;

SessionMap::Shard& SessionMap::shard_of(std::size_t hash) const {
  // A shift by the full width is undefined, and one shard needs no bits.
  return shards_[shard_count_ == 1 ? 0 : hash >> shard_shift_];
}

PutResult SessionMap::put(std::string_view id, Handle handle, std::int64_t now_ns) {
  const Probe probe(id);
  Shard& shard = shard_of(probe.hash);
  const auto lock = shard.exclusive();
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
  Shard& shard = shard_of(probe.hash);
  const auto lock = shard.shared();
  shard.lookups.fetch_add(1, std::memory_order_relaxed);
  const auto found = shard.table.find(probe);
  if (found == shard.table.end()) {
    return std::nullopt;
  }
  return found->second.entry;
}

std::optional<Handle> SessionMap::remove(std::string_view id, Generation generation) {
  const Probe probe(id);
  Shard& shard = shard_of(probe.hash);
  const auto lock = shard.exclusive();
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
  Shard& shard = shard_of(probe.hash);
  const auto lock = shard.shared();
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
  std::vector<std::shared_lock<std::shared_mutex>> locks;
  locks.reserve(shard_count_);
  for (std::size_t index = 0; index < shard_count_; ++index) {
    locks.push_back(shards_[index].shared());
  }
  for (std::size_t index = 0; index < shard_count_; ++index) {
    for (const auto& [key, value] : shards_[index].table) {
      out.add(key.id, value.entry);
    }
  }
}

void SessionMap::expire(std::int64_t now_ns, std::int64_t idle_ns, Listing& removed) {
  removed.clear();
  const std::int64_t latest_ns = now_ns - idle_ns;
  std::size_t rows = 0;
  std::size_t id_bytes = 0;
  for (std::size_t index = 0; index < shard_count_; ++index) {
    Shard& shard = shards_[index];
    std::size_t due = 0;
    {
      const auto lock = shard.shared();
      std::size_t ignored = 0;
      shard.measure_due(latest_ns, due, ignored);
    }
    if (due == 0) {
      continue;
    }
    const auto lock = shard.exclusive();
    // Room first: an entry that is taken out of the map is never lost to a failed allocation.
    shard.measure_due(latest_ns, rows, id_bytes);
    removed.reserve(rows, id_bytes);
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
  }
}

ShardStats SessionMap::stats(std::size_t shard) const {
  Shard& one = shards_[shard];
  const auto lock = one.shared();
  return {one.table.size(), one.lookups.load(std::memory_order_relaxed), one.changes.load(std::memory_order_relaxed),
          one.contended.load(std::memory_order_relaxed)};
}

}  // namespace mediacore::sessions
