"""What can go wrong between a device and its adb server, on demand: for the bytes of recordings."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mediacore.testing.adb_transport import StreamClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.testing.shell import ByteSink


class MediaLink:
    """The way of access units out of the device.

    Args:
        unplug: takes the device off the cable; called in the middle of an access unit when a cut asks for it.
    """

    def __init__(self, unplug: Callable[[], None]) -> None:
        self._unplug = unplug
        self._free = asyncio.Event()
        self._free.set()
        self._release: asyncio.TimerHandle | None = None
        self._cut: str | None = None
        self._pause_s = 0.0

    def stall(self, seconds: float) -> None:
        """No access unit leaves for this long; 0 ends a stall."""
        if self._release is not None:
            self._release.cancel()
        self._free.clear()
        self._release = asyncio.get_running_loop().call_later(seconds, self._free.set)

    def cut(self, *, unplug: bool) -> None:
        """The next access unit of one recording breaks off in its middle, and the stream (or all of adb) ends there."""
        self._cut = "device" if unplug else "stream"

    def pause(self, seconds: float) -> None:
        """From now on each access unit stops in its middle for this long, as on a slow link; 0 ends it."""
        self._pause_s = seconds

    async def deliver(self, sink: ByteSink, access_unit: bytes) -> None:
        """Writes one access unit, or what the faults leave of it.

        Raises:
            StreamClosedError: the stream is over.
        """
        await self._free.wait()
        if self._cut is None and not self._pause_s:
            await sink.write(access_unit)
            return
        cut, self._cut = self._cut, None
        middle = len(access_unit) // 2
        await sink.write(access_unit[:middle])
        if cut is None:
            await asyncio.sleep(self._pause_s)
            await sink.write(access_unit[middle:])
            return
        if cut == "device":
            await asyncio.sleep(0)  # the half is in the socket
            self._unplug()
        raise StreamClosedError("cut in the middle of an access unit")
