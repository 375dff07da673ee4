"""The frames of a stream for a consumer in Python.

Policy: nobody waits for the consumer; it loses its oldest frames, which are counted, and what it gets is at most
``capacity`` + 1 frames old. A picture that does not change gives no frames. Thread rule: one asyncio loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from typing import TYPE_CHECKING

from mediacore import picture
from mediacore.media import DropCause, QueueStats
from mediacore.picture import fitted
from mediacore.slots import MOST_WAITING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from mediacore.errors import MediacoreError
    from mediacore.media import Frame
    from mediacore.stream.frame_fan import FrameConsumer, FrameFan


class FrameTap:
    """Frames for one consumer: ``async for frame in tap``; it ends when the stream does.

    Raises the error that it ended with, if any: the stream's, or a ``DecoderError``. Closing it, or dropping the last
    reference, ends the subscription; capture and decoder rest when nobody takes frames any more.

    Args:
        fan: where the frames come from; None: the stream has ended.
        size: largest (width, height) in pixels; larger pictures are scaled down in their shape. None: as they come.
        capacity: how many frames wait, ``MOST_WAITING`` at most: they take the source's memory.
        fps: frames per second at most.
    """

    def __init__(self, fan: FrameFan | None, *, size: tuple[int, int] | None, capacity: int, fps: float) -> None:
        if not 1 <= capacity <= MOST_WAITING:
            raise ValueError(f"capacity is {capacity}, it must be 1 to {MOST_WAITING}")
        if size is not None and min(size) < 1:
            raise ValueError(f"size is {size}, both sides must be at least 1")
        self._size = size
        self._fan = fan
        self._consumer: FrameConsumer | None = None
        self._ended = False
        self._error: MediacoreError | None = None
        self._last: QueueStats | None = None
        if fan is None:
            self._last = QueueStats()
            return
        self._consumer = fan.add(capacity=capacity, fps=fps, failed=_weak(self.end))
        # A consumer that forgets its tap is not fed for ever. The collector may run in any thread.
        finalizer = weakref.finalize(self, _remove, asyncio.get_running_loop(), fan, self._consumer)
        finalizer.atexit = False

    @property
    def closed(self) -> bool:
        """True once the consumer has closed it, or from the start if the stream had ended."""
        return self._last is not None

    def end(self, error: MediacoreError | None) -> None:
        """Nothing more comes; what is queued is still delivered, then ``error`` is raised. The first end counts."""
        if self._ended:
            return
        self._ended = True
        self._error = error
        if self._fan is not None and self._consumer is not None:
            self._fan.remove(self._consumer)

    def close(self) -> None:
        """The consumer wants no more."""
        self.end(None)
        if self._last is not None or self._consumer is None:
            return
        left = self._consumer.ring.stats
        dropped = {**left.dropped}
        if left.queued:
            dropped[DropCause.CLOSED] = dropped.get(DropCause.CLOSED, 0) + left.queued
        self._last = QueueStats(left.pushed, left.delivered, 0, dropped)
        while self._consumer.ring.pop() is not None:
            pass  # their memory is the producer's again

    def stats(self) -> QueueStats:
        """Counts so far."""
        if self._last is not None:
            return self._last
        assert self._consumer is not None
        return self._consumer.ring.stats

    def __aiter__(self) -> FrameTap:
        return self

    async def __anext__(self) -> Frame:
        if self._last is None and self._consumer is not None:
            with contextlib.suppress(StopAsyncIteration):
                return await self._scaled(await anext(self._consumer.ring))
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    async def _scaled(self, frame: Frame) -> Frame:
        size = fitted(frame.size, self._size)
        if size == frame.size:
            return frame
        return await asyncio.to_thread(picture.reshape, frame, size=size)

    def __enter__(self) -> FrameTap:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _remove(loop: asyncio.AbstractEventLoop, fan: FrameFan, consumer: FrameConsumer) -> None:
    with contextlib.suppress(RuntimeError):  # the asyncio loop is closed, and the stream with it
        loop.call_soon_threadsafe(fan.remove, consumer)


def _weak(end: Callable[[MediacoreError | None], None]) -> Callable[[MediacoreError], None]:
    """The method, without keeping its tap alive."""
    reference = weakref.WeakMethod(end)

    def call(error: MediacoreError) -> None:
        if (method := reference()) is not None:
            method(error)

    return call
