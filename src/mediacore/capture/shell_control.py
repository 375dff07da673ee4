"""Input through the device's shell: the way back to devices that are captured without scrcpy.

Policy: ``send`` only puts into a bounded queue (moves merge there); one task carries out what waits, one line after the
other, through one shell that stays open. A line that fails is counted and forgotten: input that comes late does harm.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING

from mediacore.adb.shell import PersistentShell
from mediacore.capture.display import read_rotation
from mediacore.control.messages import Command, CommandCode
from mediacore.control.pending import PendingInput
from mediacore.control.shell_dialect import ShellDialect, rotate_lines
from mediacore.errors import AdbError, DeviceDisconnectedError, DeviceError, UnsupportedError
from mediacore.media import DropCause
from mediacore.media_loop import monotonic_us

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mediacore.adb.client import AdbClient
    from mediacore.control.mapping import PictureMapping
    from mediacore.control.messages import Message

log = logging.getLogger(__name__)

LINE_TIMEOUT_S = 10.0
"""``input`` starts a Java process on older devices, a second each; a swipe takes up to three more."""
RELEASE_TIMEOUT_S = 1.0
"""For lifting a finger that is still down when the control is closed."""


class ShellControl:
    """Carries out input messages on one device. Starts with the first message; ``close`` ends it."""

    def __init__(
        self,
        adb: AdbClient,
        serial: str,
        *,
        sdk: int,
        mapping: Callable[[], PictureMapping | None],
        capacity: int = 64,
        on_carried_out: Callable[[], None] | None = None,
    ) -> None:
        """``mapping`` gives how the display lies in the picture now, None before the first picture.

        ``on_carried_out`` is called after each message that the device has carried out.
        """
        self._serial = serial
        self._mapping = mapping
        self._on_carried_out = on_carried_out
        self._dialect = ShellDialect(sdk)
        self._shell = PersistentShell(adb, serial)
        self._pending = PendingInput(capacity)
        self._dropped: Counter[DropCause] = Counter()
        self._something = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._closed = False

    async def send(self, message: Message) -> None:
        """Let the message wait for the device; returns at once.

        Raises ``UnsupportedError`` with the reason if this device's shell cannot do it, and
        ``DeviceDisconnectedError`` after ``close``.
        """
        if self._closed:
            raise DeviceDisconnectedError(self._serial, "its capture has ended, and with it the way for input")
        try:
            cause = self._dialect.admit(message, monotonic_us())
        except UnsupportedError:
            self._dropped[DropCause.UNSUPPORTED] += 1
            raise
        if cause is not None:
            self._dropped[cause] += 1
            return
        self._pending.put(message)
        self._something.set()
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name=f"input {self._serial}")

    def drops(self) -> Mapping[DropCause, int]:
        """Messages that were not carried out, by cause; a move that a later one replaced counts as merged."""
        return dict(self._dropped + self._pending.dropped)

    async def close(self) -> None:
        """Drop what waits, lift a finger that is down, end the shell. Takes about a second at most; may be repeated."""
        if self._closed:
            return
        self._closed = True
        self._pending.clear()
        try:
            if self._worker is not None:
                self._worker.cancel()
                await asyncio.gather(self._worker, return_exceptions=True)
            for line in self._dialect.release():
                await self._shell.run(line, timeout_s=RELEASE_TIMEOUT_S)
        except (DeviceError, AdbError) as error:
            log.info("a finger may still be down on %s: %s", self._serial, error)
        finally:
            await self._shell.close()

    async def _work(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            while (message := self._pending.pop()) is not None:
                try:
                    await self._carry_out(message)
                except (DeviceError, AdbError) as error:
                    self._dropped[DropCause.DEVICE_FAILED] += 1
                    # The error quotes the line, and what people type does not belong into logs.
                    log.warning("input (%s) on %s is lost: %s", type(message).__name__, self._serial, error.code)

    async def _carry_out(self, message: Message) -> None:
        if message == Command(CommandCode.ROTATE):
            lines = rotate_lines(await read_rotation(self._shell) or 0)
            cause = None
        else:
            translation = self._dialect.translate(message, self._mapping(), monotonic_us())
            lines, cause = translation.lines, translation.dropped
        for line in lines:
            result = await self._shell.run(line, timeout_s=LINE_TIMEOUT_S)
            if result.exit_code and cause is None:
                cause = DropCause.DEVICE_FAILED
                log.warning("`%s` on %s: exit code %d", " ".join(line.split()[:2]), self._serial, result.exit_code)
        if lines and self._on_carried_out is not None:
            self._on_carried_out()
        if cause is not None:
            self._dropped[cause] += 1
