"""Screenshots for many pages at once without asking a device more than once at a time.

Policy: requests for one device share one capture; a result is served again for ``FRESH_S``; at most ``PARALLEL``
devices are captured at one time, the others wait within their deadline.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from mediacore.errors import DeviceTimeoutError

if TYPE_CHECKING:
    from mediacore.engine import Engine

FRESH_S = 1.0
"""Two pages that poll each two seconds should not cost two captures each."""
PARALLEL = 4
"""A capture costs the device and the adb connection real work."""
KEPT = 64
"""Results that are kept; one is at most a few megabytes."""


class Screenshots:
    """Takes and shares screenshots. ``close`` ends those under way."""

    def __init__(self, engine: Engine, timeout_s: float) -> None:
        self._engine = engine
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(PARALLEL)
        self._running: dict[str, asyncio.Task[tuple[bytes, str]]] = {}
        self._kept: dict[str, tuple[float, tuple[bytes, str]]] = {}

    async def take(self, serial: str) -> tuple[bytes, str]:
        """The device's screen as (bytes, content type), at most ``FRESH_S`` old when it was asked for.

        Raises what ``Engine.screenshot`` raises, and ``DeviceTimeoutError`` past the deadline. A caller that is
        cancelled leaves the capture running for the others.
        """
        kept = self._kept.get(serial)
        if kept is not None and time.monotonic() - kept[0] <= FRESH_S:
            return kept[1]
        task = self._running.get(serial)
        if task is None:
            task = asyncio.create_task(self._capture(serial), name=f"screenshot {serial}")
            self._running[serial] = task
            task.add_done_callback(lambda done: self._ended(serial, done))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End the captures under way."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _capture(self, serial: str) -> tuple[bytes, str]:
        try:
            async with asyncio.timeout(self._timeout_s), self._slots:
                picture = await self._engine.screenshot(serial)
        except TimeoutError:
            raise DeviceTimeoutError(serial, f"no screenshot within {self._timeout_s:g} s") from None
        self._kept.pop(serial, None)
        self._kept[serial] = (time.monotonic(), picture)
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return picture

    def _ended(self, serial: str, task: asyncio.Task[tuple[bytes, str]]) -> None:
        del self._running[serial]
        if not task.cancelled():
            task.exception()  # who waited has seen it; nobody may be left to
