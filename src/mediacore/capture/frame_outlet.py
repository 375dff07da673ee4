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


def _same(one: Frame, other: Frame) -> bool:
    return one.size == other.size and all(
        np.array_equal(getattr(one, plane), getattr(other, plane)) for plane in ("y", "u", "v")
    )


class FrameOutlet:
    """Pushes frames. Any thread may call anything; whoever pushes waits for another that does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._push: Callable[[Frame], None] | None = None
        self._last: Frame | None = None
        self._dropped: Counter[DropCause] = Counter()
        self.pictures = 0
        """How many frames were put, whether they were like the one before or not."""

    @property
    def size(self) -> tuple[int, int] | None:
        """Size of the newest frame; None before the first."""
        last = self._last
        return last.size if last is not None else None

    def open(self, push: Callable[[Frame], None]) -> None:
        """From now on frames are pushed."""
        self._push = push

    def close(self) -> None:
        """Nothing is pushed any more once this has returned."""
        with self._lock:
            self._push = None
            self._last = None

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
            if last is not None and (frame.dirty_rows == (0, 0) or (frame.dirty_rows is None and _same(frame, last))):
                self._dropped[DropCause.UNCHANGED] += 1
                return False
            if last is not None and frame.pts_us <= last.pts_us:
                frame = dataclasses.replace(frame, pts_us=last.pts_us + 1)
            self._last = frame
            if self._push is not None:
                self._push(frame)
            return True

    def put_again(self, now_us: int) -> bool:
        """Push the newest frame once more, for somebody who has not seen it; False if there is none yet."""
        with self._lock:
            if self._last is None:
                return False
            pts_us = max(now_us, self._last.pts_us + 1)
            self._last = dataclasses.replace(self._last, pts_us=pts_us, dirty_rows=None)
            if self._push is not None:
                self._push(self._last)
            return True
