"""The sharded session map: sessions by id, looked up from Python and, without the GIL, from native threads.

    sessions: SessionMap[Session] = SessionMap()
    generation = sessions.put(session.id, session)
    sessions.get(session.id)                        # the session, or None
    sessions.remove(session.id, generation)         # only this one, never a later session of the same id

In Python a lookup costs about twice one in a dict. What the map is for is its meaning: generations, one consistent
snapshot, expiry of what was not touched, and native code that reads and touches it while Python is busy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from mediacore import _sessions

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class ShardStats:
    """Counts of one shard since the map got the number of shards that it has, except ``entries``."""

    entries: int
    """Ids in it now."""
    lookups: int
    """Calls of ``get``, ``touch`` and ``in``."""
    changes: int
    """Calls of ``put``, and entries that were removed or expired."""
    contended: int
    """Times its lock was not free at once."""

    @property
    def load(self) -> int:
        """Lookups and changes."""
        return self.lookups + self.changes


class SessionMap(_sessions.SessionMap[V]):
    """A map from ids (str) to values (anything but None), split into shards with a lock each.

    ``shards`` is a power of two up to 4096, ValueError otherwise. Safe from any thread; every call is short and none of
    them waits for Python code. Ids should be made by the service itself: the hash has no secret.

    - ``put(id, value) -> generation``: enters the id or replaces its value, and counts as a touch. Generations grow
      over the whole map and never repeat. TypeError for None.
    - ``get(id) -> value | None``: does not count as a touch.
    - ``remove(id, generation=None) -> value | None``: what was removed; with a generation only if it is still that one.
    - ``touch(id) -> bool``: notes activity now; False if there is no such id.
    - ``snapshot() -> [(id, generation, value)]``: one instant of the whole map, in any order. Lookups go on meanwhile,
      native writers wait, at most ``longest_snapshot_us`` so far.
    - ``expire(idle_s) -> [(id, generation, value)]``: removes and returns what was neither put nor touched in the last
      ``idle_s`` seconds of the monotonic clock. ValueError if negative or not a number.
    - ``reshard(shards)``: another number of shards, while others go on; nothing is lost, generations go on, and the
      counts of ``stats()`` begin anew. The GIL is held meanwhile, some 0.1 µs per entry. ValueError as for ``shards``.
    - ``len(map)``, ``id in map``.
    - ``capsule()``: the map for native code of this package, which shares it.

    An id that is no str is a TypeError, one that is not valid Unicode (a lone surrogate) a UnicodeEncodeError.
    """

    __slots__ = ()

    def hottest(self) -> tuple[int, ShardStats]:
        """The shard with the most lookups and changes, and its number. One busy id stays in one shard, however many."""
        return max(enumerate(self.stats()), key=lambda shard: shard[1].load)

    def stats(self) -> list[ShardStats]:
        """The counts of every shard, in the order of the shards."""
        return [ShardStats(**shard) for shard in self._shard_stats()]
