"""What does a lookup in the session map cost, next to a dict, a dict with a lock, and 32 dicts with a lock each?

The last is how the service before this one kept its sessions, there with FNV-1a over the id; here with Python's own
hash, which is cached in the str and so in the peer's favour.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from mediacore.sessions import SessionMap

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Race

V = TypeVar("V")

IDS = [f"session-{number:028d}" for number in range(1000)]


class LockedDict(Generic[V]):
    """One dict, one lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, V] = {}

    def put(self, id: str, value: V) -> None:
        with self._lock:
            self._values[id] = value

    def get(self, id: str) -> V | None:
        with self._lock:
            return self._values.get(id)

    def remove(self, id: str) -> V | None:
        with self._lock:
            return self._values.pop(id, None)

    def snapshot(self) -> list[tuple[str, V]]:
        with self._lock:
            return list(self._values.items())


class ShardedDict(Generic[V]):
    """32 dicts with a lock each, the shard chosen by the id's hash."""

    def __init__(self, shards: int = 32) -> None:
        self._shards: list[tuple[threading.Lock, dict[str, V]]] = [(threading.Lock(), {}) for _ in range(shards)]
        self._mask = shards - 1

    def put(self, id: str, value: V) -> None:
        lock, values = self._shards[hash(id) & self._mask]
        with lock:
            values[id] = value

    def get(self, id: str) -> V | None:
        lock, values = self._shards[hash(id) & self._mask]
        with lock:
            return values.get(id)

    def remove(self, id: str) -> V | None:
        lock, values = self._shards[hash(id) & self._mask]
        with lock:
            return values.pop(id, None)

    def snapshot(self) -> list[tuple[str, V]]:
        items: list[tuple[str, V]] = []
        for lock, values in self._shards:
            with lock:
                items.extend(values.items())
        return items


def maps() -> tuple[dict[str, int], LockedDict[int], ShardedDict[int], SessionMap[int]]:
    """The contestants, filled with the same ids."""
    plain: dict[str, int] = {}
    locked: LockedDict[int] = LockedDict()
    sharded: ShardedDict[int] = ShardedDict()
    sessions: SessionMap[int] = SessionMap()
    for number, id in enumerate(IDS):
        plain[id] = number
        for one in (locked, sharded, sessions):
            one.put(id, number)
    return plain, locked, sharded, sessions


def lookups(get: Callable[[str], int | None]) -> Callable[[], None]:
    def run() -> None:
        for id in IDS:
            get(id)

    return run


def test_get(race: Race) -> None:
    plain, locked, sharded, sessions = maps()
    for one in (plain, locked, sharded, sessions):
        assert [one.get(id) for id in IDS] == list(range(len(IDS)))
    race(
        {
            "dict": lookups(plain.get),
            "dict + Lock": lookups(locked.get),
            "32 x (dict + Lock)": lookups(sharded.get),
            "SessionMap": lookups(sessions.get),
        },
        reference="dict + Lock",
        unit=(len(IDS), "get"),
    )


def test_put_and_remove(race: Race) -> None:
    plain, locked, sharded, sessions = maps()

    def changes(put: Callable[[str, int], object], remove: Callable[[str], object]) -> Callable[[], None]:
        def run() -> None:
            for number, id in enumerate(IDS):
                remove(id)
                put(id, number)

        return run

    race(
        {
            "dict": changes(plain.__setitem__, plain.pop),
            "dict + Lock": changes(locked.put, locked.remove),
            "32 x (dict + Lock)": changes(sharded.put, sharded.remove),
            "SessionMap": changes(sessions.put, sessions.remove),
        },
        reference="dict + Lock",
        unit=(len(IDS), "remove and put"),
    )
    assert sorted(id for id, _, _ in sessions.snapshot()) == sorted(plain)


def test_snapshot(race: Race) -> None:
    """Only the session map's shows one instant of all shards, and tells the generations."""
    plain, locked, sharded, sessions = maps()
    assert sorted((id, value) for id, _, value in sessions.snapshot()) == sorted(locked.snapshot())
    race(
        {
            "dict": lambda: list(plain.items()),
            "dict + Lock": locked.snapshot,
            "32 x (dict + Lock)": sharded.snapshot,
            "SessionMap": sessions.snapshot,
        },
        reference="dict + Lock",
        unit=(len(IDS), "entry"),
    )
