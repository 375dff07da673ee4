"""Calls that may not come back, and the thread that looks at them in time.

Policy: a call has so much time as it was allowed, and as much more as the watching thread was woken too late meanwhile:
on a machine without a processor to spare, what is late is not stuck.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LOOKS = 4
"""At a call that takes long, within the shortest deadline: each can tell of lateness."""


def now_us() -> int:
    """µs on the monotonic clock."""
    return time.monotonic_ns() // 1000


@dataclass(slots=True, eq=False)
class Call:
    """What one thread is doing at its encoder. Whoever uses it holds its owner's lock."""

    name: str = ""
    """The encoder that is at work or is tried; empty before the first one."""
    opening: bool = False
    """True while it is not open yet."""
    since_us: int | None = None
    """When it began; None: no call is going on."""
    allowed_us: int = 0
    """How long it may take."""

    def begin(self, now_us: int, allowed_us: int) -> None:
        """It begins, or its next part."""
        self.since_us, self.allowed_us = now_us, allowed_us

    def end(self) -> None:
        """It came back, or is given up."""
        self.since_us = None

    def left_us(self, now_us: int, late_us: int) -> int | None:
        """What is left to it, 0 or less if it is overdue; None if there is no call.

        ``late_us``: how much later than it wanted whoever asks was woken.
        """
        if self.since_us is None:
            return None
        self.allowed_us += max(0, min(late_us, now_us - self.since_us))
        return self.since_us + self.allowed_us - now_us


def watch(
    look: Callable[[int, int], int | None],
    deadline_us: int,
    wait: Callable[[float], bool],
    clock: Callable[[], int] = now_us,
) -> None:
    """Look again and again, in time for each call.

    Args:
        look: called with the time and with how late that is, in µs; gives what is left to the call, or None.
        deadline_us: no call is allowed less.
        wait: waits so many seconds; True ends it.
        clock: tells the time.
    """
    due_us = clock() + deadline_us
    while not wait(max(0, due_us - clock()) / 1e6):
        woken_us = clock()
        left_us = look(woken_us, max(0, woken_us - due_us))
        due_us = woken_us + (deadline_us if left_us is None else min(left_us, deadline_us // LOOKS))
