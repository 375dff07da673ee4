"""The queue of access units between a stream and one of its consumers.

Policy: the producer never waits. When the queue is full, all that is queued is dropped (cause ``slow-consumer``) and
the consumer goes on at the next key frame, which is asked for: single access units are never dropped, because those
after them could not be decoded. One producer and one consumer, both on the asyncio loop.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import TYPE_CHECKING

from mediacore.media import DropCause, Packet, QueueStats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from mediacore.errors import MediacoreError


class PacketQueue:
    """Access units for one consumer: ``async for packet in queue``; it ends when the stream does.

    Raises the stream's error if it ended with one. Closing it, or dropping the last reference, ends the subscription.
    """

    def __init__(self, capacity: int, on_overflow: Callable[[], None]) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}, it must be at least 1")
        self._capacity = capacity
        self._on_overflow = on_overflow
        self._packets: deque[Packet] = deque()
        self._replay: deque[Packet] = deque()
        self._wake = asyncio.Event()
        self._waits_for_key = True
        self._closed = False
        self._error: MediacoreError | None = None
        self._pushed = 0
        self._delivered = 0
        self._dropped: Counter[DropCause] = Counter()

    @property
    def waits_for_key(self) -> bool:
        """True while nothing can be delivered before the next key frame."""
        return self._waits_for_key

    @property
    def closed(self) -> bool:
        """True once nothing more comes in."""
        return self._closed

    def push(self, packet: Packet) -> None:
        """Take one access unit; see the policy above."""
        self._pushed += 1
        if self._closed:
            self._dropped[DropCause.CLOSED] += 1
            return
        if packet.is_key:
            self._waits_for_key = False
        if self._waits_for_key:
            self._dropped[DropCause.BEFORE_KEY_FRAME] += 1
            return
        if len(self._packets) >= self._capacity:
            self._overflow(packet)
            return
        self._packets.append(packet)
        self._wake.set()

    def replay(self, packets: Iterable[Packet]) -> None:
        """Deliver these first, a key frame and all that followed it; the queue's capacity does not count here."""
        self._replay.extend(packets)
        self._pushed += len(self._replay)
        self._waits_for_key = False
        self._wake.set()

    def end(self, error: MediacoreError | None) -> None:
        """Nothing more comes; what is queued is still delivered, then ``error`` is raised."""
        self._closed = True
        self._error = error
        self._wake.set()

    def close(self) -> None:
        """The consumer wants no more."""
        self._dropped[DropCause.CLOSED] += len(self._packets) + len(self._replay)
        self._packets.clear()
        self._replay.clear()
        self.end(None)

    def __aiter__(self) -> PacketQueue:
        return self

    async def __anext__(self) -> Packet:
        while not self._replay and not self._packets:
            if self._closed:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        self._delivered += 1
        return (self._replay or self._packets).popleft()

    def stats(self) -> QueueStats:
        """Counts so far."""
        queued = len(self._packets) + len(self._replay)
        return QueueStats(self._pushed, self._delivered, queued, dict(self._dropped))

    def _overflow(self, packet: Packet) -> None:
        """Starts again at ``packet`` if it is a key frame, else at the next one."""
        self._dropped[DropCause.SLOW_CONSUMER] += len(self._packets) + len(self._replay)
        self._packets.clear()
        self._replay.clear()
        if packet.is_key:
            self._packets.append(packet)
            return
        self._dropped[DropCause.SLOW_CONSUMER] += 1
        self._waits_for_key = True
        self._on_overflow()

    def __enter__(self) -> PacketQueue:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
