"""What does a lookup in the session map cost, next to a dict, a dict with a lock, and 32 dicts with a lock each?

The last is how the service before this one kept its sessions, there with FNV-1a over the id; here with Python's own
hash, which is cached in the str and so in the peer's favour.
"""

from __future__ import annotations

import threading
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import pytest

import native_module
from mediacore.sessions import SessionMap

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from conftest import Race

V = TypeVar("V")

MANY = 10_000
PEERS = ["core/sessions/session_map.cpp"]
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


@pytest.fixture
def peers(request: pytest.FixtureRequest) -> ModuleType:
    return native_module.load("map_peers", PEERS, Path(request.config.cache.mkdir("native_modules")))


def test_get_beside_other_bindings(race: Race, peers: ModuleType) -> None:
    """The same map and the same lookup, behind bindings written by hand and by pybind11; and a dict with a lock."""
    _, locked, _, sessions = maps()
    values = [object() for _ in IDS]
    for id, value in zip(IDS, values, strict=True):
        peers.put(id, value)
        sessions.put(id, value)  # type: ignore[arg-type]
        locked.put(id, value)  # type: ignore[arg-type]
    by_hand, pybind = peers.FastcallMap(), peers.PybindMap()
    for get in (sessions.get, locked.get, by_hand.get, pybind.get):
        assert [get(id) for id in IDS] == values
    race(
        {
            "METH_FASTCALL by hand": lookups(by_hand.get),
            "SessionMap": lookups(sessions.get),
            "pybind11": lookups(pybind.get),
            "dict + Lock": lookups(locked.get),
        },
        reference="METH_FASTCALL by hand",
        unit=(len(IDS), "get"),
    )


def filled(count: int, shards: int = 32) -> tuple[SessionMap[int], list[str]]:
    sessions: SessionMap[int] = SessionMap(shards)
    ids = [f"{number:016x}" for number in range(count)]
    for number, id in enumerate(ids):
        sessions.put(id, number)
    return sessions, ids


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_memory_of_idle_sessions(request: pytest.FixtureRequest) -> None:
    """Resident bytes per entry, of the map alone: its ids, its table and Python's list of values."""
    tracemalloc.start()
    before, python_before = resident_bytes(), tracemalloc.get_traced_memory()[0]
    sessions, ids = filled(MANY)
    python = tracemalloc.get_traced_memory()[0] - python_before
    resident = resident_bytes() - before
    tracemalloc.stop()
    assert len(sessions) == len(ids) == MANY
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(
            f"\n{MANY} sessions: {resident / MANY:.0f} bytes of memory each with their ids, "
            f"{python / MANY:.0f} of them Python's"
        )
    assert sessions.expire(0)


@pytest.mark.parametrize("shards", [1, 32])
def test_get_of_a_native_thread(request: pytest.FixtureRequest, peers: ModuleType, shards: int) -> None:
    """How long a lookup without the GIL takes while snapshots of 10,000 entries are taken, and while nobody does."""
    sessions, ids = filled(MANY, shards)
    figures = {}
    for what, rounds in (("nobody else", 0), ("snapshots", 60), ("reshard", 60)):
        looking = peers.Lookups(sessions.capsule(), ids)
        event = threading.Event()
        for turn in range(rounds):
            if what == "snapshots":
                assert len(sessions.snapshot()) == MANY
            else:
                sessions.reshard(shards * (1 + turn % 2))
            event.wait(0.001)
        if not rounds:
            event.wait(0.3)
        figures[what] = looking.stop()
        assert figures[what][1] == 0, "an id was not found"
        sessions.reshard(shards)
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(
            f"\nget of a native thread, {MANY} entries, {shards} shards; "
            f"longest snapshot {sessions.longest_snapshot_us:.0f} us"
        )
        for what, (count, _, p50, p99, p999, greatest) in figures.items():
            print(
                f"  {what:12} p50 {p50:5} ns  p99 {p99:6} ns  p99.9 {p999:7} ns  "
                f"greatest {greatest / 1e3:9.1f} us  ({count})"
            )


def test_one_mutex_or_32_shards(request: pytest.FixtureRequest, peers: ModuleType) -> None:
    """Two native threads that look up all the time: lookups per second, with one lock and with 32."""
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print()
        for shards in (1, 32, 1, 32):
            sessions, ids = filled(1000, shards)
            threads = [peers.Lookups(sessions.capsule(), ids) for _ in range(2)]
            threading.Event().wait(0.3)
            counts = [thread.stop()[0] for thread in threads]
            contended = sum(shard.contended for shard in sessions.stats())
            print(
                f"  {shards:2} shards: {sum(counts) / 0.3 / 1e6:6.2f} M lookups/s of two threads, "
                f"{contended} found the lock taken"
            )
