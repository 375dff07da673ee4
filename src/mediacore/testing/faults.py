"""What can go wrong on the way of pictures from a device to its adb server, on demand."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Literal

from mediacore.testing.adb_transport import StreamClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.testing.shell import ByteSink

Spoil = Literal["half", "words", "resized", "cut"]
MAX_SPOILS = 1000
"""Faults that can wait for their picture."""


class Spoils:
    """What shall happen to the next pictures of one program, one fault each.

    ``half``: it ends in its middle. ``words``: a warning stands before it. ``resized``: its header tells of twice the
    height that it has. ``cut``: the stream is closed in its middle.
    """

    def __init__(self) -> None:
        self._waiting: deque[Spoil] = deque(maxlen=MAX_SPOILS)

    def add(self, spoil: Spoil, count: int) -> None:
        """The next ``count`` pictures that have none yet."""
        self._waiting.extend([spoil] * count)

    def take(self) -> Spoil | None:
        """The fault of a picture that is made now."""
        return self._waiting.popleft() if self._waiting else None


class MediaLink:
    """The way of a recording's access units and frames out of the device.

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
