"""Threads of encoders run like all others.

SVT-AV1, when root runs it, gives the thread that opens it and all of its own the highest real-time priority: on a
machine with few cores everything else stands still then, and what that thread starts later on inherits it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_REAL_TIME = (os.SCHED_FIFO, os.SCHED_RR)


@contextlib.contextmanager
def priority_kept() -> Iterator[None]:
    """Afterwards this thread, and those that were started meanwhile, are scheduled as this thread was before."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    before = set(_threads())
    try:
        yield
    finally:
        for thread in {0, *_threads()} - before:
            with contextlib.suppress(ProcessLookupError):  # it has ended
                if policy not in _REAL_TIME and os.sched_getscheduler(thread) in _REAL_TIME:
                    os.sched_setscheduler(thread, policy, parameters)


def _threads() -> list[int]:
    return [int(task.name) for task in Path("/proc/self/task").iterdir()]
