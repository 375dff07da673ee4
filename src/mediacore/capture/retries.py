"""How often a program on the device is started again after it failed."""

from __future__ import annotations

import asyncio

from mediacore.media_loop import monotonic_us

RETRY_S = (0.1, 0.3, 0.6, 1.0, 1.0)
"""Pauses before a run that failed is started again. Together they cover an adb server that is killed and restarted;
when they are used up, the source ends with the last error."""
STEADY_RUN_US = 2_000_000
"""A run that ends sooner is a failure, whatever it gave; one that lasted so long starts their count anew."""


def lasted(started_us: int) -> bool:
    """True if a run that began then is no failure, should it end now."""
    return monotonic_us() - started_us > STEADY_RUN_US


class Retries:
    """Counts the failures in a row of one source."""

    def __init__(self) -> None:
        self._failures = 0

    @property
    def used_up(self) -> bool:
        """True if it is not to be tried again."""
        return self._failures > len(RETRY_S)

    def failed(self, started_us: int | None = None) -> None:
        """A run that began at ``started_us`` has ended unasked; None: it did not even begin."""
        self._failures = 0 if started_us is not None and lasted(started_us) else self._failures + 1

    def reset(self) -> None:
        """All is well, or what is tried next is something else."""
        self._failures = 0

    async def pause(self) -> None:
        """Wait as long as it takes after so many failures."""
        if self._failures:
            await asyncio.sleep(RETRY_S[self._failures - 1])
