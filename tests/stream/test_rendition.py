"""The merging of key-frame requests, and what becomes of those that the source cannot grant."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mediacore.media_loop import MediaLoop
from mediacore.stream.packet_tap import PacketTap
from mediacore.stream.rendition import Rendition


class Source:
    """Answers requests for key frames and counts them."""

    def __init__(self, *, can: bool = True) -> None:
        self.can = can
        self.requests = 0
        self.asked = asyncio.Event()

    async def request_key_frame(self) -> bool:
        self.requests += 1
        self.asked.set()
        return self.can


@pytest.fixture
async def loop() -> AsyncIterator[MediaLoop]:
    loop = MediaLoop()
    await loop.start([])
    yield loop
    await loop.close()


def rendition_of(loop: MediaLoop, source: Source, *, key_frame_interval_s: float = 0.05) -> Rendition:
    return Rendition(
        loop,
        "vp8",
        replay_bytes=10_000,
        key_frame_interval_s=key_frame_interval_s,
        on_described=lambda *_: None,
        request_key_frame=source.request_key_frame,
    )


async def push(rendition: Rendition, loop: MediaLoop, *, key: bool) -> None:
    """Pushes a packet and waits until the loop has it."""
    before = rendition.figures()["units"]
    loop.native.push(rendition.id, bytes([not key, 0]), pts_us=int(before) * 33_333, is_key=key)
    async with asyncio.timeout(5):
        while rendition.figures()["units"] == before:
            await asyncio.sleep(0.001)  # it tells of no single unit


async def test_requests_for_key_frames_are_merged(loop: MediaLoop) -> None:
    source = Source()
    rendition = rendition_of(loop, source, key_frame_interval_s=30)
    await push(rendition, loop, key=True)
    for _ in range(50):
        rendition.key_frame_wanted()
    await asyncio.wait_for(source.asked.wait(), 5)
    for _ in range(50):
        rendition.key_frame_wanted()
    await asyncio.sleep(0.02)  # the second request waits for the interval: nothing else would show that
    assert source.requests == rendition.key_frame_requests == 1
    await rendition.close()


async def test_a_request_after_a_key_frame_is_not_answered_by_that_one(loop: MediaLoop) -> None:
    """It was merged with an older request, which the key frame had answered: a consumer waited for nothing."""
    source = Source()
    rendition = rendition_of(loop, source)
    await push(rendition, loop, key=True)
    rendition.key_frame_wanted()
    await asyncio.wait_for(source.asked.wait(), 5)
    source.asked.clear()
    rendition.key_frame_wanted()
    await asyncio.sleep(0)
    await push(rendition, loop, key=True)
    rendition.key_frame_wanted()
    await asyncio.wait_for(source.asked.wait(), 5)
    assert source.requests == 2
    await rendition.close()


async def test_a_request_that_a_key_frame_answers_meanwhile_does_not_reach_the_source(loop: MediaLoop) -> None:
    source = Source()
    rendition = rendition_of(loop, source, key_frame_interval_s=0.2)
    await push(rendition, loop, key=True)
    rendition.key_frame_wanted()
    await asyncio.wait_for(source.asked.wait(), 5)
    rendition.key_frame_wanted()
    await push(rendition, loop, key=True)
    assert rendition._request is not None
    await asyncio.wait_for(rendition._request, 5)
    assert source.requests == 1
    await rendition.close()


async def test_a_wish_of_a_consumer_reaches_the_source(loop: MediaLoop) -> None:
    source = Source()
    rendition = rendition_of(loop, source)
    await push(rendition, loop, key=True)
    with PacketTap(loop, rendition.id, "vp8", capacity=1):
        await push(rendition, loop, key=False)
        await push(rendition, loop, key=False)
        await asyncio.wait_for(source.asked.wait(), 5)
    await rendition.close()


async def test_after_the_end_nothing_is_asked_for(loop: MediaLoop) -> None:
    """A consumer of a stream that had ended left a task behind, which asked a closed source."""
    source = Source()
    rendition = rendition_of(loop, source)
    await push(rendition, loop, key=True)
    await rendition.close()
    before = asyncio.all_tasks()
    rendition.key_frame_wanted()
    assert asyncio.all_tasks() == before
    assert source.requests == 0
    assert rendition.figures()["units"] == 1, "the last figures stay"


async def test_a_source_that_cannot_is_told_to_the_loop(loop: MediaLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(can=False)
    rendition = rendition_of(loop, source)
    told: list[int] = []

    class Native:
        """All but one call go to the real one."""

        def __getattr__(self, name: str) -> object:
            return getattr(native, name)

        def key_frame_unavailable(self, id: int) -> None:
            told.append(id)

    native = loop.native
    monkeypatch.setattr(loop, "_native", Native())
    rendition.key_frame_wanted()
    assert rendition._request is not None
    await asyncio.wait_for(rendition._request, 5)
    assert told == [rendition.id]
    monkeypatch.undo()
    await rendition.close()
