"""The frame ring in Python: policies, counts, waiting, waking asyncio, and frames that outlive their ring."""

import asyncio
import gc
import itertools
import os
import random
import threading
import time
import weakref
from collections import deque

import numpy as np
import pytest

from mediacore.media import DropCause, Frame, QueueStats
from mediacore.ring import FramePool, FrameRing, Policy, PooledFrameRing

POLICIES: tuple[Policy, ...] = ("drop-oldest", "latest", "block")
LONG_S = 30.0


def balanced(stats: QueueStats) -> bool:
    return stats.pushed == stats.delivered + stats.queued + sum(stats.dropped.values())


def test_drop_oldest_gives_back_what_it_drops() -> None:
    ring: FrameRing[str] = FrameRing(2)
    assert [ring.push(frame) for frame in "abcd"] == [None, None, "a", "b"]
    assert [ring.pop(), ring.pop(), ring.pop()] == ["c", "d", None]
    assert ring.stats == QueueStats(4, 2, 0, {DropCause.OVERFLOW: 2})


def test_latest_keeps_one_whatever_the_capacity() -> None:
    ring: FrameRing[str] = FrameRing(10, "latest")
    assert [ring.push(frame) for frame in "abc"] == [None, "a", "b"]
    assert ring.stats.queued == 1
    assert [ring.pop(), ring.pop()] == ["c", None]
    assert balanced(ring.stats)


def test_block_gives_the_pushed_frame_back_when_time_is_up() -> None:
    ring: FrameRing[str] = FrameRing(1, "block")
    assert ring.push("a") is None
    began = time.monotonic()
    assert ring.push("b", timeout_s=0.02) == "b"
    assert time.monotonic() - began >= 0.02
    assert ring.push("c", timeout_s=0) == "c"
    assert ring.stats == QueueStats(3, 0, 1, {DropCause.DEADLINE: 2})


def test_block_waits_for_room() -> None:
    ring: FrameRing[int] = FrameRing(1, "block")
    given_back: list[object] = []
    producer = threading.Thread(target=lambda: given_back.extend(ring.push(n, timeout_s=LONG_S) for n in range(500)))
    producer.start()
    taken: list[int] = []
    while len(taken) < 500:
        frame = ring.pop()
        if frame is not None:
            taken.append(frame)
    producer.join()
    assert taken == list(range(500))
    assert set(given_back) == {None}
    assert balanced(ring.stats)


def test_several_threads_may_wait_for_room() -> None:
    ring: FrameRing[int] = FrameRing(1, "block")
    threads = [threading.Thread(target=ring.push, args=(n,), kwargs={"timeout_s": LONG_S}) for n in range(4)]
    for thread in threads:
        thread.start()
    taken: set[int] = set()
    while len(taken) < 4:
        frame = ring.pop()
        if frame is not None:
            taken.add(frame)
    for thread in threads:
        thread.join()
    assert taken == set(range(4))


@pytest.mark.parametrize("policy", POLICIES)
def test_a_closed_ring_delivers_what_it_has_and_takes_nothing(policy: Policy) -> None:
    ring: FrameRing[str] = FrameRing(4, policy)
    ring.push("a")
    ring.close()
    ring.close()
    assert ring.closed
    assert ring.push("b", timeout_s=LONG_S) == "b"
    assert [ring.pop(), ring.pop()] == ["a", None]
    assert ring.stats == QueueStats(2, 1, 0, {DropCause.CLOSED: 1})


def test_closing_wakes_a_push_that_waits() -> None:
    ring: FrameRing[str] = FrameRing(1, "block")
    ring.push("a")
    given_back: list[object] = []
    producer = threading.Thread(target=lambda: given_back.append(ring.push("b")))
    producer.start()
    ring.close()
    producer.join(LONG_S)
    assert given_back == ["b"]
    assert ring.stats.dropped == {DropCause.CLOSED: 1}


@pytest.mark.parametrize(("capacity", "policy"), [(0, "latest"), (-1, "block"), (1 << 17, "block"), (1, "newest")])
def test_what_no_ring_can_be(capacity: int, policy: Policy) -> None:
    with pytest.raises(ValueError, match=r"capacity is|policy is"):
        FrameRing(capacity, policy)


def test_none_is_no_frame() -> None:
    ring: FrameRing[object] = FrameRing(1)
    with pytest.raises(TypeError):
        ring.push(None)
    assert ring.stats.pushed == 0


def test_a_timeout_that_is_not_a_number() -> None:
    ring: FrameRing[str] = FrameRing(1, "block")
    ring.push("a")
    with pytest.raises(ValueError, match="timeout_s"):
        ring.push("b", timeout_s=float("nan"))
    assert balanced(ring.stats)
    assert ring.push("c", timeout_s=-1) == "c"


def test_frames_are_kept_no_longer_than_needed() -> None:
    class Thing:
        pass

    ring: FrameRing[Thing] = FrameRing(2)
    things = [Thing() for _ in range(4)]
    watched = [weakref.ref(thing) for thing in things]
    for thing in things:
        ring.push(thing)
    del thing
    things.clear()
    assert [watch() is None for watch in watched] == [True, True, False, False]
    ring.pop()
    assert watched[2]() is None
    del ring
    gc.collect()
    assert watched[3]() is None


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("capacity", [1, 3])
def test_the_same_calls_on_a_deque_give_the_same_answers(policy: Policy, capacity: int) -> None:
    room = 1 if policy == "latest" else capacity
    ring: FrameRing[int] = FrameRing(capacity, policy)
    model: deque[int] = deque()
    chance = random.Random(7)
    for frame in range(1, 2000):
        if chance.random() < 0.5:
            expected: int | None = None
            if len(model) == room:
                expected = frame if policy == "block" else model.popleft()
            if expected != frame:
                model.append(frame)
            assert ring.push(frame, timeout_s=0) == expected
        else:
            assert ring.pop() == (model.popleft() if model else None)
        assert ring.stats.queued == len(model)
        assert balanced(ring.stats)


# asyncio


async def test_iteration_ends_when_the_ring_is_closed_and_empty() -> None:
    ring: FrameRing[int] = FrameRing(8)
    for frame in range(3):
        ring.push(frame)
    ring.close()
    assert [frame async for frame in ring] == [0, 1, 2]
    assert [frame async for frame in ring] == []


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_thread_wakes_the_loop(policy: Policy) -> None:
    """Every frame is delivered or dropped, in order; the pauses make the consumer sleep many times."""
    ring: FrameRing[int] = FrameRing(4, policy)
    count = 2000

    def produce() -> None:
        for frame in range(count):
            ring.push(frame, timeout_s=LONG_S)
            if frame % 7 == 0:
                time.sleep(0.0001)  # lets the consumer find it empty; without it the test holds too, but shows less
        ring.close()

    producer = threading.Thread(target=produce)
    producer.start()
    taken = [frame async for frame in ring]
    producer.join()
    stats = ring.stats
    assert taken == sorted(set(taken))
    assert taken[-1] == count - 1
    assert stats.pushed == count
    assert stats.delivered == len(taken)
    assert stats.queued == 0
    assert balanced(stats)
    if policy == "block":
        assert len(taken) == count


async def test_nobody_is_woken_who_does_not_sleep() -> None:
    """The descriptor stays silent while frames are pushed and popped without waiting."""
    ring: FrameRing[int] = FrameRing(4)
    ring.push(1)
    assert await anext(aiter(ring)) == 1
    with pytest.raises(BlockingIOError):
        os.eventfd_read(ring._descriptor)


async def test_one_task_waits_at_a_time_and_a_cancelled_one_leaves_nothing() -> None:
    ring: FrameRing[int] = FrameRing(4)
    waiting = asyncio.ensure_future(anext(aiter(ring)))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="one consumer"):
        await anext(aiter(ring))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asyncio.get_running_loop().remove_reader(ring._descriptor) is False
    ring.push(1)
    assert await anext(aiter(ring)) == 1


def test_a_loop_that_ends_meanwhile() -> None:
    """The ring goes on with another loop."""
    ring: FrameRing[int] = FrameRing(4)

    async def wait_a_little() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(aiter(ring)), 0.01)

    async def take() -> int:
        return await anext(aiter(ring))

    asyncio.run(wait_a_little())
    ring.push(1)
    assert asyncio.run(take()) == 1


async def test_a_slow_consumer_gets_frames_that_are_young_enough() -> None:
    """Three times too slow: what is delivered is at most capacity + 1 frames old, and every frame is accounted for."""
    capacity = 4
    ring: FrameRing[int] = FrameRing(capacity)
    ages: list[int] = []
    clock = itertools.count()
    for now in clock:
        ring.push(now)
        if now % 3 == 0:
            frame = ring.pop()
            assert frame is not None
            ages.append(now - frame)
        if now == 3000:
            break
    assert max(ages) <= capacity + 1
    assert ring.stats.dropped[DropCause.OVERFLOW] > 1900
    assert balanced(ring.stats)


# Pooled frames

SIZE = (64, 48)
SLOT_BYTES = 64 * 48 * 3 // 2


def push_picture(ring: PooledFrameRing, pool: FramePool, value: int) -> bool:
    block = pool.acquire(*SIZE, pts_us=value)
    if block is None:
        ring.count_exhausted()
        return False
    with memoryview(block) as view:
        view[:] = bytes([value]) * SLOT_BYTES
    return ring.push(block)


def test_pictures_come_out_as_frames_and_slots_go_back() -> None:
    pool = FramePool(4, SLOT_BYTES)
    ring = PooledFrameRing(2, "drop-oldest", pool)
    assert [push_picture(ring, pool, value) for value in (1, 2, 3)] == [True, True, True]
    assert pool.in_use == 2
    frame = ring.pop()
    assert isinstance(frame, Frame)
    assert (frame.size, frame.pts_us, frame.matrix) == (SIZE, 2, "bt709")
    assert frame.y.shape == (48, 64)
    assert frame.u.shape == frame.v.shape == (24, 32)
    assert {int(plane.min()) for plane in (frame.y, frame.u, frame.v)} == {2}
    with pytest.raises(ValueError, match="read-only"):
        frame.y[0, 0] = 1
    one_plane = frame.u
    del frame
    assert pool.in_use == 2, "one plane is still there"
    del one_plane
    assert pool.in_use == 1
    assert balanced(ring.stats)


def test_a_frame_that_is_read_is_never_written() -> None:
    pool = FramePool(5, SLOT_BYTES)
    ring = PooledFrameRing(1, "latest", pool)
    push_picture(ring, pool, 1)
    kept = ring.pop()
    assert kept is not None
    for value in range(2, 50):
        push_picture(ring, pool, value)
    assert np.all(kept.y == 1)
    assert np.all(kept.v == 1)


def test_a_frame_outlives_its_ring_and_its_pool() -> None:
    pool = FramePool(4, SLOT_BYTES)
    ring = PooledFrameRing(2, "block", pool)
    push_picture(ring, pool, 5)
    push_picture(ring, pool, 6)
    frame = ring.pop()
    ring.close()
    del ring
    gc.collect()
    assert pool.in_use == 1, "what was queued went back"
    del pool
    gc.collect()
    assert frame is not None
    assert np.all(frame.y == 5)


def test_a_pool_that_is_empty_says_so() -> None:
    pool = FramePool(1, SLOT_BYTES)
    ring = PooledFrameRing(4, "drop-oldest", pool)
    assert push_picture(ring, pool, 1)
    assert not push_picture(ring, pool, 2)
    assert ring.stats.dropped == {DropCause.POOL_EXHAUSTED: 1}
    assert pool.exhausted == 1
    assert balanced(ring.stats)


def test_a_block_is_handed_over_whole() -> None:
    pool, other = FramePool(3, SLOT_BYTES), FramePool(1, SLOT_BYTES)
    ring = PooledFrameRing(1, "block", pool)
    block = pool.acquire(*SIZE)
    assert block is not None
    view = np.frombuffer(block, np.uint8)
    with pytest.raises(BufferError):
        ring.push(block)
    del view
    foreign = other.acquire(*SIZE)
    assert foreign is not None
    with pytest.raises(ValueError, match="another pool"):
        ring.push(foreign)
    assert ring.push(block)
    with pytest.raises(ValueError, match="was pushed"):
        ring.push(block)
    with pytest.raises(ValueError, match="was pushed"):
        memoryview(block)
    second = pool.acquire(*SIZE)
    assert second is not None
    assert not ring.push(second, timeout_s=0)
    assert second.width == 64, "what was not taken can be used again"
    del second
    assert pool.in_use == 1


@pytest.mark.parametrize(("slots", "slot_bytes"), [(0, 1), (1, 0), (-1, 1), (5000, 1), (2, 4 << 30)])
def test_what_no_pool_can_be(slots: int, slot_bytes: int) -> None:
    with pytest.raises(ValueError, match="slots of"):
        FramePool(slots, slot_bytes)


@pytest.mark.parametrize(("width", "height"), [(0, 1), (1, 0), (65, 48), (70_000, 1)])
def test_pictures_that_do_not_fit(width: int, height: int) -> None:
    with pytest.raises(ValueError, match=f"{width}x{height}"):
        FramePool(1, SLOT_BYTES).acquire(width, height)
