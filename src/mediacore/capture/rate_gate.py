"""Keeps frames to a rate without losing the last one of a movement; pure."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mediacore.media import Frame


def rows_of_both(before: tuple[int, int] | None, after: tuple[int, int] | None) -> tuple[int, int] | None:
    """The rows that differ after two changes in a row; None if that is not known."""
    if before is None or after is None:
        return None
    if before == (0, 0) or after == (0, 0):
        return max(before, after)
    return min(before[0], after[0]), max(before[1], after[1])


class RateGate:
    """Lets a frame through at once if it is time, else keeps the newest until it is."""

    def __init__(self, fps: float) -> None:
        self._interval_us = 0.0
        self._passed_us = -math.inf
        self._kept: Frame | None = None
        self._follows = True  # whether the next frame's dirty rows tell of one that was not forgotten
        self.skipped = 0
        """Frames that a newer one replaced, or that nobody wanted."""
        self.set_fps(fps)

    def set_fps(self, fps: float) -> None:
        """So many frames a second at most; 0 is none at all, and what was kept is forgotten."""
        self._interval_us = 1e6 / fps if fps > 0 else math.inf
        if fps <= 0:
            self._kept = None
            self._follows = False

    def offer(self, frame: Frame, now_us: int) -> Frame | None:
        """A new frame; gives it back if it may pass now."""
        if math.isinf(self._interval_us):  # it would pass as new when frames are wanted again
            self.skipped += 1
            return None
        if not self._follows:
            self._follows = True
            frame = dataclasses.replace(frame, dirty_rows=None)
        if self._kept is not None:
            self.skipped += 1
            frame = dataclasses.replace(frame, dirty_rows=rows_of_both(self._kept.dirty_rows, frame.dirty_rows))
        self._kept = frame
        return self.take(now_us)

    def pass_now(self, frame: Frame, now_us: int) -> Frame:
        """A frame that does not wait, and takes the place of the one that does."""
        if self._kept is not None:
            self.skipped += 1
            self._kept = None
        self._passed_us = now_us
        return frame

    def due_us(self) -> float:
        """When ``take`` gives something; infinite if nothing is kept."""
        return math.inf if self._kept is None else self._passed_us + self._interval_us

    def take(self, now_us: int) -> Frame | None:
        """The frame that was kept, if it is time for it."""
        if self._kept is None or now_us < self.due_us():
            return None
        due, frame, self._kept = self.due_us(), self._kept, None
        # On the grid of the rate, as long as frames come: else each would be a little later than the rate wants.
        self._passed_us = due if now_us - due < self._interval_us else now_us
        return frame
