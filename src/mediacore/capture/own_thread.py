"""Work that blocks, in a thread of its own, awaited on the asyncio loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

log = logging.getLogger(__name__)

END_TIMEOUT_S = 10.0
"""A picture that is being decoded takes a second at most; what is not back by then hangs, and others need not."""


async def in_own_thread(work: Callable[[], T], *, name: str, wake: Callable[[], None]) -> T:
    """The result of ``work``, or what it raises. For work that goes on for long: pools of threads are for short ones.

    When this is cancelled, ``wake`` is called, in another thread as it may take a while. It must make ``work`` return
    soon: its end is waited for, but not longer than ``END_TIMEOUT_S``.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(outcome: Callable[[], None]) -> None:
        if not done.done():
            outcome()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - the top frame of a thread: who awaits it gets the error
            failure = error
            outcome: Callable[[], None] = lambda: done.set_exception(failure)  # noqa: E731
        else:
            outcome = lambda: done.set_result(result)  # noqa: E731
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, name=name, daemon=True).start()
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        done.add_done_callback(_look_away)
        await _wait(name, done, loop.run_in_executor(None, wake))
        raise


async def off_the_loop(work: Callable[[], None], *, name: str) -> None:
    """Short work that blocks, as the end of a native thread, on a thread of the pool; also if this is cancelled.

    What hangs is left behind after ``END_TIMEOUT_S``.
    """
    await _wait(name, asyncio.get_running_loop().run_in_executor(None, work))


async def _wait(name: str, *futures: asyncio.Future[T] | asyncio.Future[None]) -> None:
    _, late = await asyncio.wait(futures, timeout=END_TIMEOUT_S)
    if late:
        log.warning("%s has not ended within %g s, and is left behind", name, END_TIMEOUT_S)


def _look_away(done: asyncio.Future[T]) -> None:
    if not done.cancelled():
        done.exception()  # what it ends with is of no interest any more
