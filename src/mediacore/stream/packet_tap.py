"""The packets of a rendition for a consumer in Python.

Policy: the media loop never waits. The queue is bounded and stands in native code; when it is full, its oldest group of
pictures goes first, all up to the next key frame, and is counted: single access units are never dropped, because those
after them could not be decoded. Thread rule: one asyncio loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from typing import TYPE_CHECKING, Literal

from mediacore.media import DropCause, Packet, QueueStats

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from mediacore.errors import MediacoreError
    from mediacore.media_loop import MediaLoop


class PacketTap:
    """Access units for one consumer: ``async for packet in tap``; it ends when the stream does.

    Raises the stream's error if it ended with one. Closing it, or dropping the last reference, ends the subscription.

    Args:
        loop: the media loop.
        rendition: whose packets; 0 is one that has ended.
        codec: of the packets.
        capacity: how many wait at most.
        replay: True: begin with the pictures since the last key frame; False: with the next key frame.
        on_closed: called on the asyncio loop, soon after it was closed or dropped.
    """

    def __init__(
        self,
        loop: MediaLoop,
        rendition: int,
        codec: str,
        *,
        capacity: int,
        replay: bool = True,
        on_closed: Callable[[], None] | None = None,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}, it must be at least 1")
        self.rendition = rendition
        """Whose packets."""
        self._loop = loop
        self._codec = codec
        self._kind: Literal["video", "audio"] = "audio" if codec == "opus" else "video"
        self._wake = asyncio.Event()
        self._ended = not rendition
        self._error: MediacoreError | None = None
        self._last: QueueStats | None = QueueStats() if not rendition else None
        self._tap = 0
        if rendition:
            self._tap = loop.add_tap(rendition, self, capacity=capacity, replay=replay)
        # A consumer that forgets its tap is not fed for ever.
        self._finalizer = weakref.finalize(
            self, _let_go, loop, self._tap, asyncio.get_running_loop() if on_closed is not None else None, on_closed
        )
        self._finalizer.atexit = False

    @property
    def closed(self) -> bool:
        """True once the consumer has closed it."""
        return self._last is not None

    def ready(self) -> None:
        """There are packets again."""
        self._wake.set()

    def finished(self) -> None:
        """Nothing more comes in."""
        self.end(None)

    def end(self, error: MediacoreError | None) -> None:
        """Nothing more comes; what is queued is still delivered, then ``error`` is raised. The first end counts."""
        if not self._ended:
            self._ended = True
            self._error = error
        self._wake.set()

    def close(self) -> None:
        """The consumer wants no more."""
        if self._last is None:
            left = self.stats()
            dropped = {**left.dropped}
            if left.queued:
                dropped[DropCause.CLOSED] = left.queued
            self._last = QueueStats(left.pushed, left.delivered, 0, dropped)
        self._finalizer()
        self.end(None)

    def stats(self) -> QueueStats:
        """Counts so far."""
        if self._last is not None:
            return self._last
        figures = self._loop.native.tap_figures(self._tap) if self._loop.running else {}
        causes = {
            DropCause.SLOW_CONSUMER: figures.get("dropped_slow", 0),
            DropCause.BEFORE_KEY_FRAME: figures.get("dropped_before_key", 0),
        }
        return QueueStats(
            figures.get("pushed", 0),
            figures.get("delivered", 0),
            figures.get("queued", 0),
            {cause: count for cause, count in causes.items() if count},
        )

    def __aiter__(self) -> PacketTap:
        return self

    async def __anext__(self) -> Packet:
        while (packet := self._take()) is None:
            if self._ended:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return packet

    def _take(self) -> Packet | None:
        """The next one: each is counted as delivered when the consumer gets it, so not several at once."""
        if self._last is not None or not self._loop.running:
            return None
        taken = self._loop.native.take_packets(self._tap, 1)
        if not taken:
            return None
        data, pts_us, is_key, epoch, received_us = taken[0]
        return Packet(self._kind, self._codec, data, pts_us, is_key, epoch, received_us)

    def __enter__(self) -> PacketTap:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _let_go(
    loop: MediaLoop, tap: int, asyncio_loop: asyncio.AbstractEventLoop | None, on_closed: Callable[[], None] | None
) -> None:
    """In any thread: the collector's."""
    loop.discard(tap)
    if asyncio_loop is not None and on_closed is not None:
        with contextlib.suppress(RuntimeError):  # it is closed
            asyncio_loop.call_soon_threadsafe(on_closed)
