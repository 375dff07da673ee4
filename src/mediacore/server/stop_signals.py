"""SIGTERM and SIGINT: the first one asks for an orderly end, the second one ends at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

log = logging.getLogger(__name__)

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
REPEAT_S: Final = 0.3
"""A signal that comes again within this time is the same one: ``timeout``(1) sends it to its child and then to its
whole process group, and so twice to the child."""
SHUTDOWN_S: Final = 10.0
"""What an orderly end may take as a whole; past it the process ends as after a second signal."""
ENDED_AT_ONCE: Final = 130
"""Exit code after a second signal: 128 + SIGINT, as shells have it."""


class _EndNow(SystemExit):
    """Leaves the event loop where it stands: asyncio lets SystemExit alone through its callbacks."""


def run_until_signalled(work: Callable[[], Coroutine[None, None, int]]) -> int:
    """Run ``work`` on a new event loop; its result is the exit code.

    The first signal cancels it, so that everything it opened closes in reverse order, and the exit code is 0. A second
    signal, or ``SHUTDOWN_S`` after the first, leaves the loop at once; child processes then end with this one (by their
    standard input's end, or the finalizers that run at exit).
    """
    runner = asyncio.Runner()
    try:
        code = runner.run(_cancelled_by_signals(work))
    except _EndNow:
        return ENDED_AT_ONCE
    runner.close()
    return code


async def _cancelled_by_signals(work: Callable[[], Coroutine[None, None, int]]) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work())
    signalled_s: float | None = None

    def end_now() -> None:
        raise _EndNow

    def received(number: signal.Signals) -> None:
        nonlocal signalled_s
        if signalled_s is not None:
            if loop.time() - signalled_s > REPEAT_S:
                end_now()
            return
        signalled_s = loop.time()
        log.info("%s: ending in order; a second signal ends at once", number.name)
        loop.call_later(SHUTDOWN_S, end_now)
        task.cancel()

    for number in SIGNALS:
        loop.add_signal_handler(number, received, number)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            return await task
        return 0
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
