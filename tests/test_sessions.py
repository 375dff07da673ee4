"""The session map as Python sees it: the same answers as a dict, values that live exactly as long as they should."""

import asyncio
import gc
import itertools
import math
import sys
import threading
import time
import weakref

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mediacore import _core
from mediacore.ring import FrameRing
from mediacore.sessions import SessionMap, ShardStats

IDS = st.sampled_from(["", "a", "b", "session-1", "é" * 40, "\0", "\0\0", "𝄞"])


class Value:
    """Something that can be watched as it goes away."""


class AgainstADict(RuleBasedStateMachine):
    """Any order of calls gives what a dict of (generation, value) would give."""

    def __init__(self) -> None:
        super().__init__()
        self.map: SessionMap[object] = SessionMap(2)
        self.model: dict[str, tuple[int, object]] = {}
        self.last = 0

    @rule(id=IDS)
    def put(self, id: str) -> None:
        value = object()
        generation = self.map.put(id, value)
        assert generation > self.last
        self.last = generation
        self.model[id] = (generation, value)

    @rule(id=IDS)
    def get(self, id: str) -> None:
        assert self.map.get(id) is self.model.get(id, (0, None))[1]
        assert (id in self.map) == (id in self.model)
        assert self.map.touch(id) == (id in self.model)

    @rule(id=IDS)
    def remove(self, id: str) -> None:
        assert self.map.remove(id) is self.model.pop(id, (0, None))[1]

    @rule(id=IDS, age=st.integers(0, 3))
    def remove_generation(self, id: str, age: int) -> None:
        generation, value = self.model.get(id, (1, None))
        removed = self.map.remove(id, generation - age)
        assert removed is (None if age else value)
        if age == 0:
            self.model.pop(id, None)

    @precondition(lambda self: self.model)
    @rule()
    def expire_everything(self) -> None:
        assert self.map.expire(3600) == []
        assert sorted(self.map.expire(0)) == self.rows()
        self.model.clear()

    @rule(shards=st.sampled_from([1, 2, 8, 64]))
    def reshard(self, shards: int) -> None:
        self.map.reshard(shards)
        assert self.map.shards == len(self.map.stats()) == shards

    def rows(self) -> list[tuple[str, int, object]]:
        return sorted((id, generation, value) for id, (generation, value) in self.model.items())

    @invariant()
    def shows_the_same(self) -> None:
        assert sorted(self.map.snapshot()) == self.rows()
        assert len(self.map) == len(self.model)


AgainstADict.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAgainstADict = AgainstADict.TestCase


@pytest.mark.parametrize("shards", [0, -1, 3, 33, 8192, 1 << 40])
def test_shards_are_a_power_of_two(shards: int) -> None:
    with pytest.raises(ValueError, match=f"shards is {shards}, it must be a power of two up to 4096"):
        SessionMap(shards)


@pytest.mark.parametrize("shards", [1, 2, 32, 4096])
def test_there_is_a_count_for_each_shard(shards: int) -> None:
    sessions: SessionMap[int] = SessionMap(shards)
    for number in range(100):
        sessions.put(f"session-{number}", number)
    sessions.get("session-1")
    sessions.get("nobody")
    sessions.remove("session-2")
    stats = sessions.stats()
    assert sessions.shards == len(stats) == shards
    assert sum(shard.entries for shard in stats) == len(sessions) == 99
    assert sum(shard.lookups for shard in stats) == 2
    assert sum(shard.changes for shard in stats) == 101
    assert sum(shard.contended for shard in stats) == 0
    assert isinstance(stats[0], ShardStats)


def test_none_is_refused_and_leaves_the_map_as_it_was() -> None:
    sessions: SessionMap[object] = SessionMap()
    sessions.put("a", 1)
    with pytest.raises(TypeError):
        sessions.put("a", None)
    assert sessions.get("a") == 1


@pytest.mark.parametrize("id", [None, b"a", 7])
def test_an_id_is_a_str(id: object) -> None:
    sessions: SessionMap[object] = SessionMap()
    for call in (
        sessions.get,
        sessions.remove,
        sessions.touch,
        sessions.__contains__,
        lambda key: sessions.put(key, 1),
    ):
        with pytest.raises(TypeError, match="an id is a str, not"):
            call(id)


def test_an_id_is_valid_unicode() -> None:
    sessions: SessionMap[object] = SessionMap()
    with pytest.raises(UnicodeEncodeError):
        sessions.put("\ud800", Value())
    assert len(sessions) == 0


@pytest.mark.parametrize("idle_s", [-1, -0.001, math.nan])
def test_idle_time_is_not_negative(idle_s: float) -> None:
    with pytest.raises(ValueError, match="idle_s is"):
        SessionMap().expire(idle_s)


def test_only_what_was_not_touched_expires() -> None:
    sessions: SessionMap[str] = SessionMap()
    for id in ("idle", "looked at", "touched", "put again"):
        sessions.put(id, id)
    begin = time.monotonic()
    # The map reads the monotonic clock itself: the test has to let some of it pass.
    while time.monotonic() < begin + 0.02:
        sessions.get("looked at")
    sessions.touch("touched")
    sessions.put("put again", "anew")
    assert {id for id, _, _ in sessions.expire(0.02)} == {"idle", "looked at"}
    assert sessions.expire(math.inf) == []
    assert {(id, value) for id, _, value in sessions.expire(0)} == {("touched", "touched"), ("put again", "anew")}


def test_the_map_holds_each_value_once_and_lets_it_go() -> None:
    sessions: SessionMap[Value] = SessionMap()
    value, other = Value(), Value()
    free = sys.getrefcount(value)
    sessions.put("a", value)
    assert sys.getrefcount(value) == free + 1
    rows = sessions.snapshot()
    assert sys.getrefcount(value) == free + 2
    del rows
    sessions.put("a", other)
    assert sys.getrefcount(value) == free
    assert sessions.remove("a") is other
    sessions.put("a", value)
    assert sessions.expire(0)[0][2] is value
    assert sys.getrefcount(value) == free
    sessions.put("a", value)
    del sessions
    assert sys.getrefcount(value) == free


def test_slots_of_removed_values_are_used_again() -> None:
    sessions: SessionMap[Value] = SessionMap(1)
    for _ in range(3):
        values = {f"session-{number}": Value() for number in range(200)}
        for id, value in values.items():
            sessions.put(id, value)
        for id, value in values.items():
            assert sessions.get(id) is value
            assert sessions.remove(id) is value
    assert sessions.snapshot() == []


def test_a_cycle_through_the_map_is_collected() -> None:
    value = Value()
    value.sessions = SessionMap()  # type: ignore[attr-defined]
    value.sessions.put("self", value)  # type: ignore[attr-defined]
    watch = weakref.ref(value)
    del value
    gc.collect()
    assert watch() is None


def test_a_value_may_use_the_map_while_it_dies() -> None:
    """The last reference to a replaced or removed value is dropped by the caller's frame, or inside put: both see a map
    in order."""
    sessions: SessionMap[object] = SessionMap()
    seen: list[object] = []

    class Farewell:
        def __del__(self) -> None:
            seen.append(sessions.get("a"))
            sessions.put("b", "from the dying")
            sessions.remove("c")

    sessions.put("c", "there")
    sessions.put("a", Farewell())
    sessions.put("a", "new")
    assert seen == ["new"]
    assert sorted(sessions.snapshot())[1][0] == "b"
    assert "c" not in sessions
    sessions.put("d", Farewell())
    sessions.expire(0)
    assert seen == ["new", None]
    assert [id for id, _, _ in sessions.snapshot()] == ["b"]


def test_a_snapshot_during_collections_is_whole() -> None:
    """Making the rows can start a collection, and a destructor there may change the map: what is listed is what was."""
    sessions: SessionMap[object] = SessionMap(4)
    for number in range(500):
        sessions.put(f"session-{number}", number)

    class Replacing:
        """In a cycle, so that only the collector ends it, in the middle of whatever allocates."""

        def __init__(self, number: int) -> None:
            self.number = number
            self.itself = self

        def __del__(self) -> None:
            sessions.remove(f"session-{self.number}")
            sessions.put(f"other-{self.number}", self.number + 1000)

    thresholds = gc.get_threshold()
    gc.set_threshold(20)
    try:
        for number in range(300):
            Replacing(number)
            rows = sessions.snapshot()
            assert len({id for id, _, _ in rows}) == len(rows) == 500
            for id, _, value in rows:
                kind, _, of = id.partition("-")
                assert value == int(of) + (1000 if kind == "other" else 0)
    finally:
        gc.set_threshold(*thresholds)


def test_threads_see_their_own_entries() -> None:
    sessions: SessionMap[tuple[int, int]] = SessionMap(2)
    failures: list[str] = []

    def live(thread: int) -> None:
        id = f"session-{thread}"
        last = 0
        for round_ in range(2000):
            generation = sessions.put(id, (thread, round_))
            if (
                generation <= last
                or sessions.get(id) != (thread, round_)
                or sessions.remove(id, last or -1) is not None
            ):
                failures.append(f"{thread}: round {round_}")
            last = generation
            if round_ % 50 == 0 and any(value[0] != int(key[8:]) for key, _, value in sessions.snapshot()):
                failures.append(f"{thread}: mixed values in round {round_}")

    threads = [threading.Thread(target=live, args=(number,)) for number in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []
    assert len(sessions) == 4


def test_the_longest_snapshot_is_told() -> None:
    sessions: SessionMap[int] = SessionMap()
    assert sessions.longest_snapshot_us == 0
    for number in range(1000):
        sessions.put(f"session-{number}", number)
    begin = time.perf_counter_ns()
    sessions.snapshot()
    assert 0 < sessions.longest_snapshot_us <= (time.perf_counter_ns() - begin) / 1000


@pytest.mark.parametrize("shards", [0, -1, 3, 8192])
def test_resharding_takes_powers_of_two(shards: int) -> None:
    sessions: SessionMap[int] = SessionMap(4)
    with pytest.raises(ValueError, match="power of two"):
        sessions.reshard(shards)
    assert sessions.shards == 4


def test_the_hottest_shard_is_the_one_with_the_most_calls() -> None:
    sessions: SessionMap[int] = SessionMap(8)
    for number in range(100):
        sessions.put(f"session-{number}", number)
    for _ in range(1000):
        sessions.get("session-7")
    number, shard = sessions.hottest()
    assert shard == max(sessions.stats(), key=lambda one: one.load)
    assert shard.load >= 1000
    before = sessions.stats()[number].lookups
    sessions.touch("session-7")
    assert sessions.stats()[number].lookups == before + 1, "it is that id's"


class Resource:
    """A session in small: whoever changes the state first tears it down, all others wait for that."""

    def __init__(self, sessions: "SessionMap[Resource]", id: str) -> None:
        self.sessions = sessions
        self.id = id
        self.lock = threading.Lock()
        self.closing = False
        self.torn_down = 0
        self.generation = sessions.put(id, self)

    def close(self) -> None:
        with self.lock:
            if self.closing:
                return
            self.closing = True
        self.torn_down += 1
        self.sessions.remove(self.id, self.generation)


async def test_racing_creations_and_closes_leave_nothing() -> None:
    """Two threads and a task make and close 10,000 sessions of few ids, each closed by three; another one reshards."""
    cycles, names = 10_000, 16
    sessions: SessionMap[Resource] = SessionMap(4)
    made: list[list[Resource]] = [[], [], []]
    newest: list[Resource | None] = [None] * names
    counter = iter(range(cycles))
    threads_run = True

    def cycle(own: list[Resource]) -> bool:
        number = next(counter, None)
        if number is None:
            return False
        resource = Resource(sessions, f"session-{number % names}")
        own.append(resource)
        other, newest[number % names] = newest[number % names], resource
        if other is not None:
            other.close()  # which may be another thread's, and be closed by its maker too
        resource.close()
        if number % 100 == 0:
            assert all(value.id == id for id, _, value in sessions.snapshot())
        return True

    def run(own: list[Resource]) -> None:
        while cycle(own):
            pass

    def reshard() -> None:
        for shards in itertools.cycle((1, 16, 4)):
            if not threads_run:
                return
            sessions.reshard(shards)
            time.sleep(0)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=run, args=(own,)) for own in made[:2]]
    resharding = threading.Thread(target=reshard)
    try:
        for thread in (*threads, resharding):
            thread.start()
        while cycle(made[2]):
            await asyncio.sleep(0)
    finally:
        for thread in threads:
            thread.join()
        threads_run = False
        resharding.join()
        sys.setswitchinterval(interval)
    assert sum(map(len, made)) == cycles
    assert all(made), "all three took part"
    assert {resource.torn_down for own in made for resource in own} == {1}
    assert len({resource.generation for own in made for resource in own}) == cycles, "a generation came twice"
    assert len(sessions) == 0
    assert sessions.snapshot() == []


def test_native_code_keeps_the_map() -> None:
    """The loop has the map by its capsule, also when nobody in Python has it any more."""
    sessions: SessionMap[int] = SessionMap()
    loop = _core.MediaLoop(addresses=["127.0.0.1"], sessions=sessions.capsule())
    del sessions
    gc.collect()
    loop.close()


@pytest.mark.parametrize("sessions", [1, "sessions", FrameRing(1)._capsule()])
def test_a_loop_takes_no_other_capsule(sessions: object) -> None:
    with pytest.raises(TypeError):
        _core.MediaLoop(addresses=["127.0.0.1"], sessions=sessions)
