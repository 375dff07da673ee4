"""A media loop and one rendition for a source, and what comes out of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from mediacore.capture.source import Source
from mediacore.media import Packet, StreamDescription
from mediacore.media_loop import MediaLoop
from mediacore.stream.packet_tap import PacketTap

if TYPE_CHECKING:
    from mediacore.errors import MediacoreError


class Taken:
    """Takes what a source puts into its rendition, as a stream does."""

    def __init__(self, source: Source, loop: MediaLoop) -> None:
        self._source = source
        self.loop = loop
        self.described_as: list[StreamDescription] = []
        self.descriptions: asyncio.Queue[StreamDescription] = asyncio.Queue()
        self.error: asyncio.Future[MediacoreError | None] = asyncio.get_running_loop().create_future()
        self.rendition = loop.add_rendition(self, codec=source.codec, replay_bytes=0)
        self.tap = PacketTap(loop, self.rendition, source.codec, capacity=1024)

    def described(self, width: int, height: int, profile_level_id: str, epoch: int, pts_us: int) -> None:
        description = self._source.described(width, height, profile_level_id, epoch)
        self.described_as.append(description)
        self.descriptions.put_nowait(description)

    def key_frame_wanted(self) -> None:
        pass

    async def open(self) -> None:
        await self._source.open(self.loop, self.rendition, 0, self.error.set_result)

    async def take(self) -> Packet:
        return await asyncio.wait_for(anext(self.tap), 10)


@contextlib.asynccontextmanager
async def taken(source: Source) -> AsyncIterator[Taken]:
    """Opens the source and closes it, and the loop after it."""
    loop = MediaLoop()
    await loop.start([])
    try:
        sink = Taken(source, loop)
        try:
            await sink.open()
            yield sink
        finally:
            await source.close()
    finally:
        await loop.close()
