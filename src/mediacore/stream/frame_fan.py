"""One producer's frames for any number of consumers in this process.

Policy: each consumer has a ring of its own, and a slow one loses its oldest frames: the producer never waits, and
nobody waits for another. A consumer begins with the newest frame, so that a screen that stands still shows at once. How
many frames a second are wanted is the most that any consumer asks for; 0 while there is none, and then nothing is kept:
an old frame would show a screen that is gone. Thread rule: ``push`` belongs to the producer's thread, the rest to the
asyncio loop.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mediacore.ring import FrameRing

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.errors import MediacoreError
    from mediacore.media import Frame


@dataclass(slots=True, eq=False)
class FrameConsumer:
    """One who takes frames."""

    ring: FrameRing[Frame]
    """Where its frames wait."""
    fps: float
    """Frames per second that it takes at most."""
    wake: Callable[[], None] | None
    """Called by the producer's thread after each frame; must not wait."""
    failed: Callable[[MediacoreError], None]
    """Called on the asyncio loop when no more frames can be had."""


class FrameFan:
    """Made with its stream.

    Args:
        on_demand: told on the asyncio loop how many frames a second are wanted now, whenever that changes.
    """

    def __init__(self, on_demand: Callable[[float], None]) -> None:
        self._on_demand = on_demand
        self._lock = threading.Lock()  # a frame that comes while a consumer joins must not be lost on either way
        self._consumers: tuple[FrameConsumer, ...] = ()
        self._newest: Frame | None = None
        self.fps = 0.0
        """Frames per second that are wanted now; 0: none."""
        self.pushed = 0
        """Frames that came in while somebody took them."""

    @property
    def newest(self) -> Frame | None:
        """The picture as it is now; None while nobody takes frames."""
        return self._newest

    def push(self, frame: Frame) -> None:
        """A frame of the producer; never waits."""
        with self._lock:
            consumers = self._consumers
            if not consumers:
                return
            self._newest = frame
            self.pushed += 1
            for consumer in consumers:
                consumer.ring.push(frame)
        for consumer in consumers:
            if consumer.wake is not None:
                consumer.wake()

    def add(
        self,
        *,
        capacity: int,
        fps: float,
        failed: Callable[[MediacoreError], None],
        wake: Callable[[], None] | None = None,
    ) -> FrameConsumer:
        """A new consumer; its ring holds the newest frame already, if there is one, without a call of ``wake``."""
        consumer = FrameConsumer(FrameRing(capacity, "drop-oldest"), fps, wake, failed)
        with self._lock:
            if self._newest is not None:
                consumer.ring.push(self._newest)
            self._consumers = (*self._consumers, consumer)
        self._tell()
        return consumer

    def remove(self, consumer: FrameConsumer) -> None:
        """It takes no more, and its ring is closed; may be repeated."""
        with self._lock:
            self._consumers = tuple(other for other in self._consumers if other is not consumer)
            if not self._consumers:
                self._newest = None
        consumer.ring.close()
        self._tell()

    def set_fps(self, consumer: FrameConsumer, fps: float) -> None:
        """A consumer takes fewer or more from now on."""
        consumer.fps = fps
        self._tell()

    def fail(self, error: MediacoreError) -> None:
        """The producer gives no more: all consumers are told, and are none any more."""
        with self._lock:
            consumers, self._consumers = self._consumers, ()
            self._newest = None
        for consumer in consumers:
            consumer.failed(error)
            consumer.ring.close()
        self._tell()

    def _tell(self) -> None:
        fps = max((consumer.fps for consumer in self._consumers), default=0.0)
        if fps != self.fps:
            self.fps = fps
            self._on_demand(fps)
