"""A raw source on a simulated device, and the frames that it pushes."""

import asyncio
import contextlib
import dataclasses
import threading
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import numpy as np

from mediacore.adb.client import AdbClient
from mediacore.capture.raw_screenrecord import RawScreenRecord
from mediacore.capture.screencap import Screencap
from mediacore.media import Frame
from mediacore.settings import AdbSettings, StreamSettings
from mediacore.testing import SimulatedDevice, barcode
from mediacore.testing.scenes import DOT_COLOUR

if TYPE_CHECKING:
    from mediacore.errors import MediacoreError

SIZE = (320, 640)
SOURCES = {source.kind: source for source in (Screencap, RawScreenRecord)}


class Frames:
    """What a source pushes and how it ends."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Frame] = asyncio.Queue()
        self._pushing = threading.Lock()
        self.pushed: list[Frame] = []
        self.error: asyncio.Future[MediacoreError | None] = self._loop.create_future()

    def push(self, frame: Frame) -> None:
        assert threading.current_thread() is not threading.main_thread(), "a push may take its time"
        assert self._pushing.acquire(blocking=False), "one at a time"
        # Copied: the source's memory holds a few frames only, and these are kept.
        frame = dataclasses.replace(frame, y=frame.y.copy(), u=frame.u.copy(), v=frame.v.copy())
        self.pushed.append(frame)
        self._loop.call_soon_threadsafe(self._queue.put_nowait, frame)
        self._pushing.release()

    async def take(self) -> Frame:
        """The next one."""
        return await asyncio.wait_for(self._queue.get(), 10)

    async def several(self, count: int) -> list[Frame]:
        return [await self.take() for _ in range(count)]

    def skip(self) -> int:
        """Forget what has come; how many."""
        count = self._queue.qsize()
        for _ in range(count):
            self._queue.get_nowait()
        return count


@contextlib.asynccontextmanager
async def captured(
    kind: str, settings: StreamSettings | None = None, *, fps: float = 30.0, **options: object
) -> AsyncIterator[tuple[SimulatedDevice, Screencap | RawScreenRecord, Frames]]:
    """A device that is captured by a source of this kind."""
    async with (
        SimulatedDevice(**({"size": SIZE} | options)) as device,
        AdbClient(AdbSettings(private=True, connect=(device.address,))) as adb,
    ):
        source = SOURCES[kind](adb, device.address, settings or StreamSettings())
        sink = Frames()
        try:
            await source.open(sink.push, sink.error.set_result, fps=fps)
            yield device, source, sink
        finally:
            await source.close()


def number_of(frame: Frame) -> int:
    """The frame number that is drawn on it."""
    code = barcode.read(np.ascontiguousarray(frame.y))
    assert code is not None
    return code.frame_number


def has_dot(frame: Frame) -> bool:
    """Whether a finger has left its red dot."""
    return bool((frame.v > (DOT_COLOUR[2] + 128) // 2).sum() > 20)
