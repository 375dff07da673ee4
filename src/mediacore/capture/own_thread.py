"""Work that blocks, in a thread of its own, awaited on the asyncio loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def in_own_thread(work: Callable[[], T], *, name: str, wake: Callable[[], None]) -> T:
    """The result of ``work``, or what it raises. For work that goes on for long: pools of threads are for short ones.

    When this is cancelled, ``wake`` is called, which must make ``work`` return soon, and its end is waited for.
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
        wake()
        await asyncio.wait((done,))
        if not done.cancelled():
            done.exception()  # what it ends with is of no interest any more
        raise
