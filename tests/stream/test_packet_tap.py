"""Packets for a consumer in Python: what is promised when the consumer is slow, late or gone."""

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from mediacore.errors import DeviceDisconnectedError
from mediacore.media import DropCause
from mediacore.media_loop import MediaLoop
from mediacore.stream.packet_tap import PacketTap

KEY = b"\0\0\0\1\x65\x88\x80"
"""Begins as an IDR slice; VP8 is what the packets are said to be, for the loop looks at nothing of those."""


class Fed:
    """A rendition that the test pushes into."""

    def __init__(self, loop: MediaLoop) -> None:
        self.loop = loop
        self.wishes = asyncio.Event()
        self.rendition = loop.add_rendition(self, codec="vp8", replay_bytes=0)
        self.pushed = 0

    def described(self, *_: object) -> None:
        pass

    def key_frame_wanted(self) -> None:
        self.wishes.set()

    def tap(self, capacity: int = 8, *, replay: bool = True) -> PacketTap:
        return PacketTap(self.loop, self.rendition, "vp8", capacity=capacity, replay=replay)

    def push(self, n: int, *, key: bool = False) -> None:
        self.pushed += 1
        assert self.loop.native.push(self.rendition, bytes([not key, n]), pts_us=n * 1000, is_key=key)

    async def settled(self) -> None:
        """Waits until the loop's thread has dealt with what was pushed."""
        async with asyncio.timeout(5):
            while self.loop.native.rendition_figures(self.rendition)["units"] < self.pushed:
                await asyncio.sleep(0.001)  # it tells of no single unit


@pytest.fixture
async def fed() -> AsyncIterator[Fed]:
    loop = MediaLoop()
    await loop.start([])
    yield Fed(loop)
    await loop.close()


async def take(tap: PacketTap, count: int) -> list[int]:
    async with asyncio.timeout(5):
        return [(await anext(tap)).data[1] for _ in range(count)]


async def test_begins_with_a_key_frame(fed: Fed) -> None:
    tap = fed.tap()
    fed.push(1)
    fed.push(2, key=True)
    fed.push(3)
    assert await take(tap, 2) == [2, 3]
    assert tap.stats().dropped == {DropCause.BEFORE_KEY_FRAME: 1}


async def test_packets_are_what_was_pushed(fed: Fed) -> None:
    tap = fed.tap()
    fed.push(1, key=True)
    packet = await asyncio.wait_for(anext(tap), 5)
    assert (packet.kind, packet.codec, packet.pts_us, packet.is_key) == ("video", "vp8", 1000, True)
    assert isinstance(packet.data, memoryview)
    assert packet.data.readonly
    tap.close()
    del tap
    await fed.loop.close()
    assert bytes(packet.data) == b"\0\1", "it keeps its owner alive"


async def test_a_late_consumer_gets_what_came_since_the_key_frame(fed: Fed) -> None:
    for n in range(5):
        fed.push(n, key=n in (0, 2))
    await fed.settled()
    assert await take(fed.tap(capacity=1), 3) == [2, 3, 4]


async def test_a_consumer_without_replay_begins_with_the_next_key_frame(fed: Fed) -> None:
    fed.push(0, key=True)
    await fed.settled()
    tap = fed.tap(replay=False)
    await asyncio.wait_for(fed.wishes.wait(), 5)
    fed.push(1)
    fed.push(2, key=True)
    assert await take(tap, 1) == [2]


async def test_a_slow_consumer_goes_on_at_the_next_key_frame(fed: Fed) -> None:
    tap = fed.tap(capacity=3)
    fed.push(0, key=True)
    for n in range(1, 6):
        fed.push(n)
    await asyncio.wait_for(fed.wishes.wait(), 5)
    fed.push(6, key=True)
    fed.push(7)
    assert await take(tap, 2) == [6, 7]


async def test_the_oldest_group_of_pictures_goes_first(fed: Fed) -> None:
    tap = fed.tap(capacity=4)
    for n in range(6):
        fed.push(n, key=n % 2 == 0)
    await fed.settled()
    assert await take(tap, 4) == [2, 3, 4, 5]
    assert tap.stats().dropped == {DropCause.SLOW_CONSUMER: 2}
    assert not fed.wishes.is_set()


async def test_overflow_by_a_key_frame_begins_with_it(fed: Fed) -> None:
    tap = fed.tap(capacity=2)
    fed.push(0, key=True)
    fed.push(1)
    fed.push(2, key=True)
    await fed.settled()
    assert await take(tap, 1) == [2]
    assert not fed.wishes.is_set()


@pytest.mark.parametrize("capacity", [1, 2, 5])
async def test_every_packet_is_accounted_for(fed: Fed, capacity: int) -> None:
    tap = fed.tap(capacity)
    for n in range(100):
        fed.push(n, key=n % 7 == 0)
        if n % 3 == 0:
            await fed.settled()
            if tap.stats().queued:
                await anext(tap)
    await fed.settled()
    tap.close()
    fed.push(100)
    await fed.settled()
    stats = tap.stats()
    assert (stats.pushed, stats.queued) == (100, 0)
    assert stats.pushed == stats.delivered + sum(stats.dropped.values())


async def test_a_tap_has_room_for_one_packet_at_least(fed: Fed) -> None:
    """Without room each packet overflowed it and asked for a key frame, which restarted the source for everybody."""
    with pytest.raises(ValueError, match="capacity is 0"):
        fed.tap(0)


async def test_an_error_of_the_stream_reaches_the_consumer_after_what_is_queued(fed: Fed) -> None:
    tap = fed.tap()
    fed.push(0, key=True)
    await fed.settled()
    tap.end(DeviceDisconnectedError("serial", "unplugged"))
    tap.end(None)
    assert await take(tap, 1) == [0]
    with pytest.raises(DeviceDisconnectedError, match="unplugged"):
        await anext(tap)


async def test_a_waiting_consumer_is_woken_by_a_packet_by_the_end_and_by_the_removal(fed: Fed) -> None:
    tap, other = fed.tap(), fed.tap()
    for wake in (lambda: fed.push(5, key=True), lambda: tap.end(None)):
        waiting = asyncio.create_task(anext(tap, None))
        await asyncio.sleep(0)
        wake()
        assert (await asyncio.wait_for(waiting, 5) is None) == tap._ended
    assert await take(other, 1) == [5]
    waiting = asyncio.create_task(anext(other, None))
    await asyncio.sleep(0)
    await fed.loop.remove(fed.rendition)
    assert await asyncio.wait_for(waiting, 5) is None


async def test_a_closed_tap_gives_nothing_more(fed: Fed) -> None:
    with fed.tap() as tap:
        fed.push(0, key=True)
        await fed.settled()
    assert await anext(tap, None) is None
    assert tap.closed
    assert tap.stats().dropped == {DropCause.CLOSED: 1}
    tap.close()


async def test_a_tap_is_not_kept_alive_by_who_feeds_it(fed: Fed) -> None:
    """A consumer that breaks out of its loop and forgets the tap is not fed for ever."""
    tap = fed.tap()

    async def taps() -> int:
        return int(fed.loop.native.rendition_figures(fed.rendition)["taps"])

    async with asyncio.timeout(5):
        while await taps() != 1:
            await asyncio.sleep(0.001)  # figures tell of no change
        del tap
        gc.collect()
        while await taps() != 0:
            await asyncio.sleep(0.001)  # the same
