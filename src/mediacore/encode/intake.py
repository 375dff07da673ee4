"""The frames that wait for one encoder: only the newest counts, and each that is passed over has its cause."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mediacore.media import DropCause, QueueStats

if TYPE_CHECKING:
    from mediacore.encode.cadence import Hold
    from mediacore.media import Frame
    from mediacore.ring import FrameRing

CAUSES = {"rate": DropCause.RATE, "network": DropCause.NETWORK_BUSY, None: DropCause.OVERFLOW}
UNCHANGED_ROWS = (0, 0)


class Intake:
    """Takes frames out of ``ring``. For one thread at a time; ``stats`` is exact if none runs meanwhile.

    taken out = waiting + encoded + lost + passed over.
    """

    def __init__(self, ring: FrameRing[Frame]) -> None:
        self._ring = ring
        self._waiting: Frame | None = None
        self._in_work = False
        self._changed = False
        self._last_size: tuple[int, int] | None = None
        self._missed = 0
        self._encoded = 0
        self._dropped: Counter[DropCause] = Counter()

    @property
    def waiting(self) -> bool:
        """There is a frame to encode."""
        return self._waiting is not None

    def collect(self, hold: Hold | None) -> None:
        """Look at what has come; ``hold`` is why a frame that a newer one replaces now was not encoded."""
        while (frame := self._ring.pop()) is not None:
            if self._waiting is not None:
                self._dropped[CAUSES[hold]] += 1
            elif not self._differs(frame):
                self._dropped[DropCause.UNCHANGED] += 1
                continue
            self._waiting = frame

    def _differs(self, frame: Frame) -> bool:
        """From the last one that was encoded; what the ring dropped in between may have been the change."""
        missed = sum(self._ring.stats.dropped.values())
        differs = (frame.dirty_rows, frame.size, missed) != (UNCHANGED_ROWS, self._last_size, self._missed)
        self._missed = missed
        return differs

    def take(self) -> Frame:
        """The newest frame, to be encoded; it must be ``waiting``."""
        frame, self._waiting = self._waiting, None
        assert frame is not None
        self._last_size, self._in_work = frame.size, True
        return frame

    def encoded(self) -> None:
        """What was taken is encoded."""
        self._in_work = False
        self._encoded += 1

    def lost(self, cause: DropCause) -> None:
        """What was taken is not encoded, unless it is by now."""
        self._dropped[cause] += self._in_work
        self._in_work = False

    def close(self) -> None:
        """Nothing that waits or is being encoded counts any more."""
        self._ring.close()
        while self._ring.pop() is not None:
            self._dropped[DropCause.CLOSED] += 1
        if self._waiting is not None:
            self._waiting = None
            self._dropped[DropCause.CLOSED] += 1
        self.lost(DropCause.CLOSED)

    def stats(self) -> QueueStats:
        """Counts since it was made: pushed = delivered + queued + the sum of dropped."""
        ring = self._ring.stats
        dropped = self._dropped + Counter(ring.dropped)  # without zeros
        return QueueStats(
            ring.pushed, self._encoded, ring.queued + (self._waiting is not None) + self._in_work, dict(dropped)
        )
