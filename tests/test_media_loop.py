"""The media loop and a source that sends what it should not."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from mediacore.h264 import AccessUnit, BurstFlush
from mediacore.media_loop import MediaLoop


class Sink:
    """Keeps what the loop gives."""

    def __init__(self) -> None:
        self.units: asyncio.Queue[AccessUnit] = asyncio.Queue()
        self.damages = 0

    def unit(self, unit: AccessUnit, received_us: int) -> None:
        self.units.put_nowait(unit)

    def damaged(self) -> None:
        self.damages += 1

    def ended(self, error: OSError | None) -> None:
        pass


@pytest.mark.parametrize(
    "flood",
    [b"\0\0\0\1\x65" + bytes([0x55]) * (9 << 20), b"\0\0\1\x06\x55" * 20_000],
    ids=["a huge NAL unit", "countless NAL units"],
)
async def test_what_passes_a_limit_is_told_as_damage_and_reading_goes_on(
    recordings: Callable[..., Path], flood: bytes
) -> None:
    """The parser's error came out of the loop's callback, and nobody asked for a key frame."""
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    ours, theirs = socket.socketpair()
    loop, sink = MediaLoop(), Sink()
    theirs.setblocking(False)
    reader = loop.add_source(ours, sink, BurstFlush(idle_us=2000))
    picture = await asyncio.to_thread(recordings(frames=1).read_bytes)
    async with asyncio.timeout(10):
        await asyncio.get_running_loop().sock_sendall(theirs, flood + picture)
        while not (await sink.units.get()).is_idr:
            pass
    assert sink.damages >= 1
    assert reader.stats.oversize >= 1
    assert failures == []
    loop.close()
    theirs.close()
