"""When the frames are of that are given to an encoder: their own times, and new ones for what is encoded again.

Policy: times grow from frame to frame. A frame that is encoded again is as old as it was when it came, so that what
comes next is not older; a screen that has not changed is not late. Thread rule: one at a time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mediacore.media import Frame

NEAR_US = 10_000_000
"""A frame's time that is further from now than this is of another clock."""
LATE_US = 500_000
"""No frame takes longer from the screen to here; one that is older is the picture of a screen that stood still."""


class FrameTimes:
    """The times of one rendition."""

    def __init__(self) -> None:
        self._age_us = 0
        self._last_us: int | None = None

    def fresh(self, frame: Frame, now_us: int) -> Frame:
        """A frame that was not encoded yet."""
        age_us = now_us - frame.pts_us
        self._age_us = min(max(0, age_us), LATE_US) if abs(age_us) <= NEAR_US else age_us
        return self._growing(frame, frame.pts_us)

    def again(self, frame: Frame, now_us: int) -> Frame:
        """The last one once more."""
        return self._growing(frame, now_us - self._age_us)

    def _growing(self, frame: Frame, pts_us: int) -> Frame:
        # One that goes back by more than that begins anew: another recording, say.
        if self._last_us is not None and 0 <= self._last_us - pts_us <= NEAR_US:
            pts_us = self._last_us + 1
        self._last_us = pts_us
        return frame if pts_us == frame.pts_us else replace(frame, pts_us=pts_us)
