"""Where the frames of a raw source leave it: one at a time, later than the one before, and unlike it."""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from mediacore.media import DropCause

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mediacore.media import Frame

STALE_US = 500_000
"""After a pause of capture that was longer, the newest frame may show a screen that is gone. One that was shorter, as
when a page is loaded again, need not cost the time that a new picture takes."""


def _same(one: Frame, other: Frame) -> bool:
    return one.size == other.size and all(
        np.array_equal(getattr(one, plane), getattr(other, plane)) for plane in ("y", "u", "v")
    )


class FrameOutlet:
    """Pushes frames. Any thread may call anything; whoever pushes waits for another that does.

    While capture pauses, the newest frame is kept for ``STALE_US``. After that it is neither pushed again nor what the
    next one is compared with, which so is pushed in any case.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._push: Callable[[Frame], None] | None = None
        self._last: Frame | None = None
        self._last_pts_us: int | None = None
        self._size: tuple[int, int] | None = None
        self._paused_us: int | None = None
        self._dropped: Counter[DropCause] = Counter()
        self.pictures = 0
        """How many frames were put, whether they were like the one before or not."""

    @property
    def size(self) -> tuple[int, int] | None:
        """Size of the newest frame, also after a pause; None before the first."""
        return self._size

    def open(self, push: Callable[[Frame], None]) -> None:
        """From now on frames are pushed."""
        self._push = push

    def close(self) -> None:
        """Nothing is pushed any more once this has returned."""
        with self._lock:
            self._push = None
            self._last = self._size = None

    def pause(self, now_us: int) -> None:
        """From now on the screen is not looked at; may be repeated."""
        with self._lock:
            if self._paused_us is None:
                self._paused_us = now_us

    def resume(self, now_us: int) -> None:
        """It is looked at again; may be repeated."""
        with self._lock:
            self._forget_stale(now_us)
            self._paused_us = None

    def drop(self, cause: DropCause, count: int = 1) -> None:
        """Count what was lost before it could be a frame."""
        with self._lock:
            self._dropped[cause] += count

    def drops(self) -> Mapping[DropCause, int]:
        """What was not pushed, by cause."""
        with self._lock:
            return dict(+self._dropped)

    def put(self, frame: Frame) -> bool:
        """Push a frame; False if it is like the one before, and only counted.

        ``frame.dirty_rows`` must tell of the frame that was put before; where it is None, the two are compared.
        """
        with self._lock:
            self.pictures += 1
            last = self._last
            if last is None:
                frame = dataclasses.replace(frame, dirty_rows=None)
            elif frame.dirty_rows == (0, 0) or (frame.dirty_rows is None and _same(frame, last)):
                self._dropped[DropCause.UNCHANGED] += 1
                return False
            self._pass(frame)
            return True

    def put_again(self, now_us: int) -> bool:
        """Push the newest frame once more, for somebody who has not seen it; False if there is none that is not old."""
        with self._lock:
            self._forget_stale(now_us)
            if self._last is None:
                return False
            self._pass(dataclasses.replace(self._last, pts_us=now_us, dirty_rows=None))
            return True

    def _forget_stale(self, now_us: int) -> None:
        if self._paused_us is not None and now_us - self._paused_us > STALE_US:
            self._last = None

    def _pass(self, frame: Frame) -> None:
        if self._last_pts_us is not None and frame.pts_us <= self._last_pts_us:
            frame = dataclasses.replace(frame, pts_us=self._last_pts_us + 1)
        self._last, self._last_pts_us, self._size = frame, frame.pts_us, frame.size
        if self._push is not None:
            self._push(frame)
