"""Frames for a consumer in Python: what is promised when it is slow, gone, or the stream ends."""

import asyncio
import gc

import pytest
from made_here import picture, until

from mediacore.errors import DecoderError
from mediacore.media import DropCause
from mediacore.picture import fitted
from mediacore.slots import MOST_WAITING
from mediacore.stream.frame_fan import FrameFan
from mediacore.stream.frame_tap import FrameTap


def a_fan() -> tuple[FrameFan, list[float]]:
    rates: list[float] = []
    return FrameFan(rates.append), rates


def a_tap(fan: FrameFan | None, capacity: int = 2) -> FrameTap:
    return FrameTap(fan, size=None, capacity=capacity, fps=30)


async def lumas(tap: FrameTap) -> list[int]:
    return [int(frame.y[0, 0]) async for frame in tap]


async def test_the_newest_frames_come_and_every_one_is_accounted_for() -> None:
    fan, _ = a_fan()
    with a_tap(fan) as tap:
        for n in range(5):
            fan.push(picture(n))
        assert [int((await anext(tap)).y[0, 0]) for _ in range(2)] == [3, 4]
        fan.push(picture(5))
        stats = tap.stats()
        assert (stats.pushed, stats.delivered, stats.queued, stats.dropped) == (6, 2, 1, {DropCause.OVERFLOW: 3})
    stats = tap.stats()
    assert (stats.queued, stats.dropped) == (0, {DropCause.OVERFLOW: 3, DropCause.CLOSED: 1})
    assert await anext(tap, None) is None
    assert tap.closed
    tap.close()


@pytest.mark.parametrize("error", [None, DecoderError("no hope")])
async def test_the_end_comes_after_what_is_queued(error: DecoderError | None) -> None:
    fan, rates = a_fan()
    tap = a_tap(fan)
    fan.push(picture(1))
    tap.end(error)
    tap.end(DecoderError("another"))
    fan.push(picture(2))
    assert int((await anext(tap)).y[0, 0]) == 1
    if error is None:
        assert await lumas(tap) == []
    else:
        with pytest.raises(DecoderError, match="no hope"):
            await anext(tap)
    assert rates == [30, 0]


async def test_a_producer_that_fails_wakes_who_waits() -> None:
    fan, _ = a_fan()
    tap = a_tap(fan)
    waiting = asyncio.create_task(anext(tap))
    await asyncio.sleep(0)
    fan.fail(DecoderError("no hope"))
    with pytest.raises(DecoderError, match="no hope"):
        await asyncio.wait_for(waiting, 5)


async def test_it_can_be_closed_while_somebody_waits() -> None:
    fan, _ = a_fan()
    tap = a_tap(fan)
    waiting = asyncio.create_task(anext(tap, None))
    await asyncio.sleep(0)
    tap.close()
    assert await asyncio.wait_for(waiting, 5) is None


async def test_a_tap_that_is_forgotten_is_not_fed_for_ever() -> None:
    fan, rates = a_fan()
    tap = a_tap(fan)
    fan.push(picture())
    del tap
    gc.collect()
    await until(lambda: rates == [30, 0])
    assert fan.newest is None


async def test_of_a_stream_that_has_ended() -> None:
    tap = a_tap(None)
    assert await lumas(tap) == []
    tap = a_tap(None)
    tap.end(DecoderError("it is gone"))
    with pytest.raises(DecoderError, match="it is gone"):
        await anext(tap)


async def test_what_cannot_be() -> None:
    fan, rates = a_fan()
    with pytest.raises(ValueError, match="capacity is 0"):
        a_tap(fan, 0)
    with pytest.raises(ValueError, match=f"capacity is {MOST_WAITING + 1}, it must be 1 to"):
        a_tap(fan, MOST_WAITING + 1)
    with pytest.raises(ValueError, match="size is"):
        FrameTap(fan, size=(0, 5), capacity=1, fps=30)
    assert rates == []


async def test_frames_are_scaled_in_their_shape() -> None:
    fan, _ = a_fan()
    tap = FrameTap(fan, size=(40, 40), capacity=1, fps=30)
    fan.push(picture(90, (120, 60)))
    frame = await anext(tap)
    assert frame.size == (40, 20)
    assert abs(int(frame.y.mean()) - 90) <= 1


@pytest.mark.parametrize(
    ("size", "largest", "gives"),
    [
        ((1080, 2400), None, (1080, 2400)),
        ((1080, 2400), (1080, 2400), (1080, 2400)),
        ((1080, 2400), (2000, 2400), (1080, 2400)),
        ((1080, 2400), (540, 1200), (540, 1200)),
        ((1080, 2400), (1920, 1080), (486, 1080)),
        ((2400, 1080), (540, 1200), (540, 242)),
        ((101, 51), (200, 200), (101, 51)),
        ((101, 51), (50, 50), (50, 24)),
        ((4000, 100), (64, 64), (64, 2)),
        ((4000, 100), (4, 4), (64, 2)),
    ],
)
def test_sizes_that_fit(size: tuple[int, int], largest: tuple[int, int] | None, gives: tuple[int, int]) -> None:
    assert fitted(size, largest) == gives
