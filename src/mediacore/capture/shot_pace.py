"""When the next shot of a screen is taken: pure, times come in and deadlines go out.

Policy. While the screen changes, shots are as far apart as the frame rate wants. A screen that has not changed for
``QUIET_US`` is looked at less and less often, down to two shots a second (and so that the device is busy half of the
time at most). Input, a change, and somebody new end that at once. Two shots are under way at a time only where that
has been measured to give more of them: the device takes the next while the one before is on its way.
"""

from __future__ import annotations

import math
from statistics import median

QUIET_US = 1_000_000
"""What an app shows after an input, or between two steps of what it does, mostly comes within a second."""
BACK_OFF = 1.5
"""From shot to shot of a screen that stays as it is."""
IDLE_US = 500_000
"""A change that nobody asked for is seen within half a second."""
TRIAL_SHOTS = 8
"""Shots without a pause between them, from whose intervals it is decided how many are under way at a time."""
TRIAL_AGAIN_US = 60_000_000
WORTH = 0.95
"""Two at a time are kept if shots come in less than this share of the time: the second costs the device a capture."""


class ShotDepth:
    """How many shots are under way at a time, 1 or 2, by trying both."""

    def __init__(self) -> None:
        self.limit = 1
        """How many now."""
        self._came_us: int | None = None
        self._intervals: list[int] = []
        self._with_one: float | None = None
        self._decided_us: int | None = None

    def came(self, now_us: int, *, busy: bool) -> None:
        """A shot came; ``busy``: another is due already, so that shots limit the rate and not the frame rate."""
        before, self._came_us = self._came_us, now_us if busy else None
        if before is None or (self._decided_us is not None and now_us - self._decided_us < TRIAL_AGAIN_US):
            return
        self._intervals.append(now_us - before)
        if len(self._intervals) < TRIAL_SHOTS:
            return
        # The first interval is half of the old way still.
        typical = median(self._intervals[1:])
        self._intervals.clear()
        if self._with_one is None:
            # Beginning with one, also where two were better a minute ago.
            if self.limit == 2:
                self.limit = 1
                return
            self._with_one = typical
            self.limit = 2
            return
        self.limit = 2 if typical < WORTH * self._with_one else 1
        self._with_one = None
        self._decided_us = now_us


class ShotPace:
    """The pace of one screen's shots. ``fps`` 0 is no shots at all."""

    def __init__(self, fps: float) -> None:
        self._interval_us = 0.0
        self._idle_us = 0.0
        self._asked_us = -math.inf
        self._changed_us = -math.inf
        self._awake_until_us = -math.inf
        self._look = True
        self._depth = ShotDepth()
        self.set_fps(fps)

    @property
    def paused(self) -> bool:
        """True if nobody takes frames."""
        return self._interval_us == 0

    @property
    def depth(self) -> int:
        """Shots that may be under way at a time."""
        return self._depth.limit

    def set_fps(self, fps: float) -> None:
        """So many shots a second at most; 0: none. After none, one is taken at once."""
        if self.paused:
            self._look = True
        self._interval_us = 1e6 / fps if fps > 0 else 0.0

    def look(self, now_us: int) -> None:
        """Something may have changed (input), or somebody wants to know: a shot now, and no idling for a while."""
        self._look = True
        self._idle_us = 0.0
        self._awake_until_us = now_us + QUIET_US

    def due_us(self, under_way: int) -> float:
        """When the next shot is to be asked for, with so many under way; infinite if not before one of them came."""
        if self.paused or under_way >= self._depth.limit:
            return math.inf
        if self._look:
            return -math.inf
        return self._asked_us + max(self._interval_us, self._idle_us)

    def asked(self, now_us: int) -> None:
        """A shot was asked for."""
        due = self._asked_us + self._interval_us
        # A shot that is asked for a little late does not put off all that follow.
        self._asked_us = due if 0 <= now_us - due < self._interval_us / 2 and not self._idle_us else now_us
        self._look = False

    def came(self, now_us: int, *, changed: bool, took_us: int) -> None:
        """A shot came, like the one before it or not, ``took_us`` after it was asked for."""
        self._depth.came(now_us, busy=now_us >= self._asked_us + max(self._interval_us, self._idle_us))
        if changed:
            self._changed_us = now_us
            self._idle_us = 0.0
        elif now_us >= max(self._changed_us + QUIET_US, self._awake_until_us):
            slower = max(self._interval_us, self._idle_us) * BACK_OFF
            self._idle_us = max(min(slower, IDLE_US), 2.0 * took_us)

    def start_over(self, now_us: int) -> None:
        """The connection or the format is another: what was measured does not hold, and what is shown may be old."""
        self._depth = ShotDepth()
        self.look(now_us)
