"""Where encoded frames go: what the media loop is told of them, also when it takes nothing for a while."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from made_here import until

from mediacore.encode.encoder import EncodedFrame
from mediacore.media_loop import MediaLoop, monotonic_us
from mediacore.stream.encoding import Outlet
from mediacore.stream.packet_tap import PacketTap
from mediacore.stream.rendition import Rendition


async def nothing() -> bool:
    return False


@pytest.fixture
async def loop() -> AsyncIterator[MediaLoop]:
    loop = MediaLoop()
    await loop.start([])
    yield loop
    await loop.close()


async def test_a_frame_came_when_its_picture_did_or_now_if_its_time_is_of_another_clock(loop: MediaLoop) -> None:
    """Published packets may begin at 0: encoded again, they seemed to have come when the machine was started."""
    rendition = Rendition(
        loop,
        "vp8",
        replay_bytes=1000,
        gop_bytes=1000,
        key_frame_interval_s=1,
        on_described=lambda *_: None,
        request_key_frame=nothing,
    )
    outlet = Outlet(loop, rendition.id, first=True, describes=True, failed=lambda _: None)
    outlet.opened((64, 48), "fake")
    captured_us = monotonic_us() - 200_000
    with PacketTap(loop, rendition.id, "vp8", capacity=8) as tap:
        for pts_us in (0, captured_us, captured_us + 3_600_000_000):
            assert outlet.push(EncodedFrame(b"\0x", pts_us, True))
        packets = [await anext(tap) for _ in range(3)]
    assert [packet.pts_us for packet in packets] == [0, captured_us, captured_us + 3_600_000_000]
    now_us = monotonic_us()
    assert packets[1].received_us == captured_us
    for packet in (packets[0], packets[2]):
        assert captured_us <= packet.received_us <= now_us
    await rendition.close()
    await until(lambda: not rendition.id)


class FullAtFirst:
    """A media loop that takes so many calls not, and tells what it has taken."""

    running = True

    def __init__(self, full: int) -> None:
        self.native = self
        self.full = full
        self.told: list[Any] = []

    def _take(self, what: Any) -> None:
        if self.full:
            self.full -= 1
            raise RuntimeError("the queue is full")
        self.told.append(what)

    def new_epoch(self, rendition: int) -> None:
        self._take("epoch")

    def describe(self, rendition: int, *, width: int, height: int) -> None:
        self._take((width, height))

    def push(self, rendition: int, data: bytes, *, pts_us: int, is_key: bool, received_us: int) -> bool:
        self._take(pts_us)
        return True


@pytest.mark.parametrize("full", range(4))
async def test_what_a_full_queue_refused_is_told_before_the_next_frame(full: int) -> None:
    """The epoch and the size of another encoder were lost: its frames passed for those of the one before."""
    loop = FullAtFirst(full)
    outlet = Outlet(loop, 1, first=False, describes=True, failed=lambda _: None)  # type: ignore[arg-type]
    outlet.opened((64, 48), "fake")
    taken = [outlet.push(EncodedFrame(b"\0x", n, True)) for n in range(4)]
    lost = max(0, full - 1)
    assert taken == [False] * lost + [True] * (4 - lost)
    assert loop.told == ["epoch", (64, 48), *range(lost, 4)]
