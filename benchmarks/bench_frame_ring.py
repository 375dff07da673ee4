"""What does a frame cost in Python, from a native thread, and how soon does asyncio hear of it?

Peers: queues of the standard library; ``av.VideoFrame.from_ndarray``, which copies; ``call_soon_threadsafe``.
The ring itself, in C++, next to a mutex with a deque: native/bench_frame_ring.cpp.
"""

from __future__ import annotations

import asyncio
import json
import queue
import subprocess
import time
from collections import deque
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

import native_module
from bench_native_rtp import RESULTS, build
from mediacore.ring import FramePool, FrameRing, PooledFrameRing

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from conftest import Race

SOURCES = ["core/memory/frame_pool.cpp", "io/clock.cpp", "io/doorbell.cpp", "io/frame_channel.cpp"]
WIDTH, HEIGHT = 1920, 1080
SLOT_BYTES = WIDTH * HEIGHT * 3 // 2


@pytest.fixture
def native(request: pytest.FixtureRequest) -> ModuleType:
    return native_module.load("frame_producer", SOURCES, Path(request.config.cache.mkdir("native_modules")))


def test_push_and_pop(race: Race) -> None:
    frame = object()
    rings: dict[str, FrameRing[object]] = {name: FrameRing(8, name) for name in ("drop-oldest", "latest", "block")}
    simple: queue.SimpleQueue[object] = queue.SimpleQueue()
    locked: queue.Queue[object] = queue.Queue()
    plain: deque[object] = deque(maxlen=8)

    def pairs(push: Callable[[object], object], pop: Callable[[], object]) -> Callable[[], None]:
        push(frame)
        assert pop() is frame

        def run() -> None:
            for _ in range(1000):
                push(frame)
                pop()

        return run

    race(
        {
            "SimpleQueue": pairs(simple.put, simple.get),
            "deque(maxlen), counts nothing": pairs(plain.append, plain.popleft),
            "queue.Queue": pairs(locked.put, locked.get),
            **{f"FrameRing {name}": pairs(ring.push, ring.pop) for name, ring in rings.items()},
        },
        reference="SimpleQueue",
        unit=(1000, "push and pop"),
    )


def test_view_of_a_frame(race: Race) -> None:
    """A 1080p picture of a native slot, as a Frame and as an av.VideoFrame, without a copy."""
    pool = FramePool(4, SLOT_BYTES)
    ring = PooledFrameRing(1, "latest", pool)
    array = np.full((HEIGHT * 3 // 2, WIDTH), 7, np.uint8)

    def push() -> None:
        block = pool.acquire(WIDTH, HEIGHT)
        assert block is not None
        assert ring.push(block)

    def view() -> None:
        push()
        frame = ring.pop()
        assert frame is not None

    def view_av() -> None:
        push()
        frame = ring.pop()
        assert frame is not None
        frame.to_av()

    race(
        {
            "av.VideoFrame.from_ndarray": lambda: av.VideoFrame.from_ndarray(array, "yuv420p"),
            "acquire, push, pop: Frame": view,
            "acquire, push, pop: Frame, to_av": view_av,
        },
        reference="av.VideoFrame.from_ndarray",
        unit=(1, "frame"),
    )
    assert pool.in_use == 0


async def _ring_delays(native: ModuleType, count: int, pause_us: int) -> list[float]:
    pool = FramePool(12, 64)
    ring = PooledFrameRing(8, "drop-oldest", pool)
    producer = native.push(ring._capsule(), count, pause_us)
    delays = [(time.monotonic_ns() - frame.pts_us) / 1e3 async for frame in ring]
    producer.join()
    assert ring.stats.pushed == count
    return delays


async def _call_delays(native: ModuleType, count: int, pause_us: int) -> list[float]:
    """As one does without the ring: an asyncio.Queue that is filled by call_soon_threadsafe."""
    frames: asyncio.Queue[int | None] = asyncio.Queue()
    producer = native.call(asyncio.get_running_loop().call_soon_threadsafe, frames.put_nowait, count, pause_us)
    delays = []
    while (pushed_ns := await frames.get()) is not None:
        delays.append((time.monotonic_ns() - pushed_ns) / 1e3)
    producer.join()
    return delays


def test_waking_asyncio(request: pytest.FixtureRequest, native: ModuleType) -> None:
    """A native thread pushes every 0.5 ms; how long until the coroutine that waits has the frame."""
    ring: list[list[float]] = []
    calls: list[list[float]] = []
    for _ in range(7):
        ring.append(sorted(asyncio.run(_ring_delays(native, 400, 500))))
        calls.append(sorted(asyncio.run(_call_delays(native, 400, 500))))
    assert all(len(delays) > 300 for delays in ring)
    ratios = [median(ours) / median(theirs) for ours, theirs in zip(ring, calls, strict=True)]
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\nnative thread -> coroutine, us")
        for name, rounds in (("FrameRing", ring), ("call_soon_threadsafe + asyncio.Queue", calls)):
            p50 = median(median(delays) for delays in rounds)
            best = min(median(delays) for delays in rounds)
            p90 = median(delays[len(delays) * 9 // 10] for delays in rounds)
            print(f"  {name:38} p50 {p50:8.1f} (best {best:6.1f})  p90 {p90:8.1f}")
        print(f"  ratio of p50: {median(ratios):.2f} (median of {len(ratios)} rounds), best {min(ratios):.2f}")


@pytest.mark.timeout(900)
def test_native_ring(request: pytest.FixtureRequest) -> None:
    """In C++, one thread: a token, and a picture with its lease."""
    run = subprocess.run(
        [build("bench_frame_ring"), "--json"], check=True, stdout=subprocess.PIPE, text=True, timeout=300
    )
    reports = json.loads(run.stdout)
    RESULTS.mkdir(exist_ok=True)
    RESULTS.joinpath("native_frame_ring.json").write_text(json.dumps(reports, indent=2))
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        for report in reports:
            print(f"\n{report['title']}: CPU time per {report['unit']}")
            for name, figures in report["contestants"].items():
                print(f"  {name:36} {figures['cpu_ns']:8.1f} ns {figures['ratio_cpu']:6.2f}x")
