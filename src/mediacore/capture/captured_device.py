"""What the sources that need no server on the device share: its display, kept up to date, and the way for input."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from typing import TYPE_CHECKING

from mediacore.adb.shell import PersistentShell
from mediacore.capture.display import Display, read_display, read_rotation, read_sdk
from mediacore.capture.shell_control import ShellControl
from mediacore.control.mapping import PictureMapping
from mediacore.errors import AdbError, DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.adb.client import AdbClient

log = logging.getLogger(__name__)


def words_of(head: bytes) -> str:
    """What a program wrote instead of pictures, if that is text: an error message."""
    text = " ".join(head.decode(errors="replace").split())
    return text if text.isprintable() else ""


class CapturedDevice:
    """One device while it is captured. ``open`` it first, ``close`` it last."""

    def __init__(
        self,
        adb: AdbClient,
        serial: str,
        *,
        rotation_poll_s: float,
        picture_size: Callable[[], tuple[int, int] | None],
        on_turned: Callable[[], None],
        on_input: Callable[[], None] | None = None,
    ) -> None:
        """``picture_size`` is that of the newest picture, None before the first. ``on_turned`` is called after the
        display has turned, ``on_input`` after the device has carried out some input; both on the asyncio loop.
        """
        self.adb = adb
        self.serial = serial
        self.shell = PersistentShell(adb, serial)
        """For commands whose answers are short."""
        self._rotation_poll_s = rotation_poll_s
        self._picture_size = picture_size
        self._on_turned = on_turned
        self._on_input = on_input
        self._display: Display | None = None
        self._control: ShellControl | None = None
        self._look = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def display(self) -> Display:
        """Size and rotation of the display as they were seen last; RuntimeError before ``open``."""
        if self._display is None:
            raise RuntimeError("the device is not open")
        return self._display

    @property
    def rotation(self) -> int:
        """Rotation of the display in degrees; 0 before ``open``."""
        return self._display.rotation if self._display is not None else 0

    @property
    def control(self) -> ShellControl | None:
        """Input, through ``input`` commands in a shell that stays open; None before ``open``."""
        return self._control

    async def open(self) -> None:
        """Ask what it is, and begin to watch its rotation. Raises a ``DeviceError`` or ``AdbError``."""
        self._loop = asyncio.get_running_loop()
        self._display = await read_display(self.shell, self.serial)
        sdk = await read_sdk(self.shell)
        self._control = ShellControl(
            self.adb, self.serial, sdk=sdk, mapping=self._mapping, on_carried_out=self._on_input
        )
        self._watching = asyncio.create_task(self._watch(), name=f"rotation of {self.serial}")

    def look_at_display(self) -> None:
        """Its rotation is read now, not when it is due: something tells that it has changed. For any thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._look.set)

    async def read_display_again(self) -> None:
        """Size and rotation, for displays that can be unfolded. Raises a ``DeviceError`` or ``AdbError``."""
        self._display = await read_display(self.shell, self.serial)

    async def close(self) -> None:
        """Stop watching, lift fingers, end the shells."""
        async with contextlib.AsyncExitStack() as rest:  # which is freed even if this is cancelled
            rest.push_async_callback(self.shell.close)
            if self._control is not None:
                rest.push_async_callback(self._control.close)
            if self._watching is not None:
                self._watching.cancel()
                await asyncio.gather(self._watching, return_exceptions=True)

    def _mapping(self) -> PictureMapping | None:
        if self._display is None:
            return None
        # Before the first picture the viewer sees the screenshot, and touching it may be what makes something move.
        return PictureMapping(self._picture_size() or self._display.size, self._display.size)

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._rotation_poll_s):
                    await self._look.wait()
            self._look.clear()
            rotation: int | None = None
            with contextlib.suppress(DeviceError, AdbError):  # the capture notices it too, and it decides
                rotation = await read_rotation(self.shell)
            if rotation is not None and rotation != self.rotation:
                log.info("%s turned to %d degrees", self.serial, rotation)
                self._display = dataclasses.replace(self.display, rotation=rotation)
                self._on_turned()
