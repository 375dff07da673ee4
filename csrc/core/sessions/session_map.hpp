// The sessions by id: a sharded map from an id to (handle, generation), read by the media threads and by Python alike.
//
// Guarantees
// - Any member may be called from any thread at any time; no member calls out, sleeps on I/O or reads a clock (times are
//   arguments, nanoseconds of one monotonic clock).
// - Generations start at 1, grow over the whole map and never repeat: `remove(id, generation)` by the closer of an old
//   session cannot take away a new session of the same id.
// - `snapshot` shows one instant of the whole map: it holds the locks of all shards, taken in index order, in shared mode.
//   Lookups and touches go on meanwhile, writers wait. A writer holds one lock only, so there is no cycle to wait in.
// - `expire` and `touch` of one id exclude each other: what was touched in time is not removed.
// - `reshard` moves the entries into another number of shards while others read and write: nothing is lost, every call finds
//   the whole map, before or after it, and a snapshot too. It allocates before it moves: it happens, or throws and nothing
//   has changed. Meanwhile everybody waits who has to do with the map: some 0.1 µs an entry.
// Not guaranteed: any order of the entries; `size` while others write is a number that was true a moment ago.
//
// Lock: one std::shared_mutex per shard. A spinning lock is a few ns cheaper, but whoever waits for a holder that the
// scheduler has put aside burns its time slice, on few cores the holder's own; and glibc's lock prefers readers,
// which is what keeps lookups going while a writer waits for a snapshot to end.
// Shards: a layout for each number that was ever used, at most 13 of them, kept as long as the map. So whoever has just
// looked at the old one may still lock a shard of it; the lock tells whether it is still the map's, and no memory has to be
// given back under readers' hands.
// Hash: computed once per call; its high bits choose the shard, all of it the bucket, and it is kept beside each id.
// It has no secret seed: ids must come from the service itself, strangers may only look up.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mediacore::sessions {

// What the owner of the map means by an id, for instance the index of a slot. The map never looks into it.
using Handle = std::uint64_t;
using Generation = std::uint64_t;

// Not the generation of any entry; as an argument it means "whichever there is".
inline constexpr Generation kAnyGeneration = 0;

// A snapshot takes every shard's lock; past this many that costs more than any split gains.
inline constexpr std::size_t kMaxShards = 4096;

struct Entry {
  Handle handle;
  Generation generation;
};

struct PutResult {
  Generation generation;           // of the new entry
  std::optional<Handle> replaced;  // the handle that the id had before
};

// Entries copied out of the map. Owned by the caller and reused: the ids stand one after the other in one buffer, so that
// filling it again allocates nothing once it has grown.
class Listing {
 public:
  struct Row {
    std::size_t id_begin;
    std::size_t id_size;
    Entry entry;
  };

  void clear();
  void reserve(std::size_t rows, std::size_t id_bytes);
  void add(std::string_view id, Entry entry);

  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }
  [[nodiscard]] std::size_t id_bytes() const { return ids_.size(); }
  [[nodiscard]] std::string_view id(const Row& row) const {
    return std::string_view(ids_).substr(row.id_begin, row.id_size);
  }

 private:
  std::string ids_;
  std::vector<Row> rows_;
};

// Counts of one shard since the map got the number of shards that it has, except `entries`.
struct ShardStats {
  std::size_t entries;      // ids in it now
  std::uint64_t lookups;    // get, touch and contains
  std::uint64_t changes;    // put, and entries removed or expired
  std::uint64_t contended;  // times its lock was not free at once
};

class SessionMap {
 public:
  // Whether a map can have this many shards: a power of two up to kMaxShards.
  [[nodiscard]] static bool valid_shards(std::size_t shards);

  // `shards` must be valid. Throws std::bad_alloc, as every member that stores something may; it then changed nothing.
  explicit SessionMap(std::size_t shards);
  ~SessionMap();
  SessionMap(const SessionMap&) = delete;
  SessionMap& operator=(const SessionMap&) = delete;

  // Enters the id, or gives a present id a new handle and generation. Counts as a touch.
  PutResult put(std::string_view id, Handle handle, std::int64_t now_ns);

  [[nodiscard]] std::optional<Entry> get(std::string_view id) const;

  // Removes the id if its generation is `generation` and returns its handle; otherwise does nothing.
  std::optional<Handle> remove(std::string_view id, Generation generation = kAnyGeneration);

  // Notes activity at `now_ns`; false if there is no such id. An earlier time than the noted one changes nothing.
  bool touch(std::string_view id, std::int64_t now_ns) const;

  // Fills `out` with all entries, in any order.
  void snapshot(Listing& out) const;

  // Removes every entry without activity in the last `idle_ns` and fills `removed` with them. One shard after the other: a
  // shard where nothing is due is only read. Both times are at least 0. If it throws, `removed` tells what is gone already.
  void expire(std::int64_t now_ns, std::int64_t idle_ns, Listing& removed);

  [[nodiscard]] std::size_t size() const { return size_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t shards() const;

  // One for each shard, read one after the other.
  [[nodiscard]] std::vector<ShardStats> stats() const;

  // `shards` must be valid. The counts of stats() begin anew; nothing happens if there are as many already.
  void reshard(std::size_t shards);

 private:
  struct Probe;
  struct Shard;
  struct Layout;
  template <class Lock>
  struct Held;

  // The shard of this hash, locked; of the map's present layout for as long as it is.
  template <class Lock>
  Held<Lock> hold(std::size_t hash) const;
  Layout& layout(std::size_t shards);
  // False: this is the map's layout no more.
  bool expire_shard(const Layout& seen, Shard& shard, std::int64_t latest_ns, Listing& removed);

  // By the logarithm of the number of shards; made when first used, one at a time, and kept.
  static constexpr std::size_t kLayouts = std::bit_width(kMaxShards);
  std::array<std::unique_ptr<Layout>, kLayouts> layouts_;
  std::mutex resharding_;
  // Changed while all shards of the one before are locked. Release and acquire: who sees it sees what was moved into it.
  std::atomic<Layout*> layout_;
  // Plain counts: nothing else is published through them, so relaxed is enough.
  std::atomic<std::size_t> size_{0};
  std::atomic<Generation> last_generation_{0};
};

}  // namespace mediacore::sessions
