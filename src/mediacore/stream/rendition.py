"""One encoding of a stream and everybody who takes it.

Policy: the source is never held back; a consumer that cannot follow loses pictures (``packet_queue``). Requests for key
frames are merged: at most one per ``key_frame_interval_s`` reaches the source.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections import deque
from typing import TYPE_CHECKING

from mediacore.media import MICROSECONDS, Packet
from mediacore.media_loop import monotonic_us
from mediacore.stream.gop_cache import GopCache
from mediacore.stream.packet_queue import PacketQueue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mediacore.errors import MediacoreError

log = logging.getLogger(__name__)

RATE_WINDOW_US = 2_000_000


class Rendition:
    """The pass-through encoding of one stream."""

    def __init__(self, request_key_frame: Callable[[], Awaitable[bool]], *, key_frame_interval_s: float) -> None:
        self._request_key_frame = request_key_frame
        self._interval_s = key_frame_interval_s
        self._gop = GopCache()
        # The consumer owns its queue: one that is dropped without being closed is not fed any more.
        self._queues: weakref.WeakSet[PacketQueue] = weakref.WeakSet()
        self._late: weakref.WeakSet[PacketQueue] = weakref.WeakSet()
        self._window: deque[tuple[int, int]] = deque()
        self._request: asyncio.Task[None] | None = None
        self._last_request_s = -1e9
        self._wanted_after = 0  # key frames that had come when one was last wanted
        self._ended = False
        self.frames = 0
        """Access units so far."""
        self.bytes = 0
        """Their sizes, summed."""
        self.key_frames = 0
        """Key frames so far."""
        self.key_frame_requests = 0
        """Requests that reached the source."""

    @property
    def consumers(self) -> int:
        """Queues that are being fed."""
        return sum(not queue.closed for queue in self._queues)

    def rates(self) -> tuple[float, float]:
        """(frames per second, bit/s) over the last two seconds."""
        self._forget(monotonic_us())
        seconds = RATE_WINDOW_US / MICROSECONDS
        return len(self._window) / seconds, sum(size for _, size in self._window) * 8 / seconds

    def push(self, packet: Packet) -> None:
        """One access unit from the source, to everybody."""
        self.frames += 1
        self.bytes += len(packet.data)
        self.key_frames += packet.is_key
        now_us = monotonic_us()
        self._window.append((now_us, len(packet.data)))
        self._forget(now_us)
        self._gop.add(packet)
        if packet.is_key:
            self._late.clear()
        for queue in list(self._queues):
            if queue.closed:
                self._queues.discard(queue)
            else:
                queue.push(packet)

    def subscribe(self, capacity: int, *, replay_bytes: int, at_once: bool) -> PacketQueue:
        """A queue for a new consumer, which begins with a key frame.

        The cached pictures are given first if they are no more than ``replay_bytes``; otherwise a key frame is asked
        for, and if the source cannot give one, the cached pictures come all the same. ``at_once`` gives them times that
        make a player catch up.
        """
        queue = PacketQueue(capacity, self.want_key_frame)
        self._queues.add(queue)
        if 0 < self._gop.bytes <= replay_bytes:
            self._replay(queue, at_once=at_once)
        elif self.frames:
            if at_once:
                self._late.add(queue)
            self.want_key_frame()
        return queue

    def unsubscribe(self, queue: PacketQueue) -> None:
        """End a consumer's queue."""
        self._queues.discard(queue)
        self._late.discard(queue)
        queue.close()

    def want_key_frame(self) -> None:
        """Ask the source for a key frame; merged with other requests. Nothing is asked of a source that has ended."""
        self._wanted_after = self.key_frames
        if not self._ended and (self._request is None or self._request.done()):
            self._request = asyncio.create_task(self._ask())

    def end(self, error: MediacoreError | None) -> None:
        """The source is at its end: so are all consumers."""
        self._ended = True
        for queue in list(self._queues):
            queue.end(error)
        self._queues.clear()

    async def close(self) -> None:
        """End all consumers and forget pending requests."""
        self.end(None)
        if self._request is not None:
            self._request.cancel()
            await asyncio.gather(self._request, return_exceptions=True)

    async def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._last_request_s + self._interval_s - loop.time()))
        if self.key_frames != self._wanted_after:
            return  # one came while we waited, after the last of those who wanted it
        self._last_request_s = loop.time()
        self.key_frame_requests += 1
        if await self._request_key_frame():
            return
        for queue in list(self._late):
            if queue.waits_for_key and not queue.closed:
                self._replay(queue, at_once=True)
        self._late.clear()

    def _replay(self, queue: PacketQueue, *, at_once: bool) -> None:
        if self._gop.bytes:
            queue.replay(self._gop.at_once() if at_once else self._gop.packets())

    def _forget(self, now_us: int) -> None:
        while self._window and self._window[0][0] < now_us - RATE_WINDOW_US:
            self._window.popleft()
