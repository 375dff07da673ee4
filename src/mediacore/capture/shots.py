"""Shots of a screen from one loop on the device: no process and no connection per shot on our side.

The loop waits for a line, runs ``screencap``, and writes a trailer that no picture contains; its warnings go nowhere.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Literal, TypeAlias

from mediacore.capture.captured_device import words_of
from mediacore.errors import CaptureError, DeviceDisconnectedError
from mediacore.picture_reader import PictureReader, Shots, slot_bytes
from mediacore.slots import HELD

if TYPE_CHECKING:
    from mediacore.adb.client import AdbClient
    from mediacore.capture.captured_device import CapturedDevice
    from mediacore.errors import DeviceError
    from mediacore.picture_reader import Ended

ShotFormat: TypeAlias = Literal["raw", "gzip", "png", "jpeg"]

COMMANDS: dict[ShotFormat, str] = {
    "gzip": "screencap | gzip -1",
    "raw": "screencap",
    "png": "screencap -p",
    "jpeg": "screencap -j",
}
"""What runs on the device, in the order in which it is tried: raw pixels of a large screen take long on a slow link.
``-j`` is there from Android 16 on."""
SLOTS = HELD + 2 + 2
"""Frames in memory at a time: what is held behind the source, two that wait in the reader, and its own two."""
SHOT_TIMEOUT_S = 10.0
"""PNG on a slow device takes 3 s."""


class OversizeError(CaptureError):
    """A picture did not fit into the memory of a frame."""


class SlotSize:
    """How much memory one frame of a device gets. Displays can be unfolded, and some are larger than they say."""

    def __init__(self) -> None:
        self.bytes = 0
        self._doubled = False

    def fit(self, display: tuple[int, int]) -> bool:
        """Have room for a display of this size; False if there is already."""
        needed = slot_bytes(*display)
        fits, self.bytes = needed <= self.bytes, max(needed, self.bytes)
        return not fits

    async def grow(self, device: CapturedDevice) -> bool:
        """After an ``OversizeError``: True if it is worth another try. Raises a ``DeviceError`` or ``AdbError``."""
        await device.read_display_again()
        if self.fit(device.display.natural):
            return True
        if self._doubled:
            return False
        self._doubled = True
        self.bytes *= 2
        return True


async def open_shots(
    adb: AdbClient,
    serial: str,
    shot_format: ShotFormat,
    *,
    slots: SlotSize,
    count: int = SLOTS,
    size: tuple[int, int] | None = None,
) -> PictureReader:
    """Start the loop for one format; ``size`` as ``PictureReader``. Raises a ``DeviceError`` or ``AdbError``."""
    trailer = f"mediacore-{secrets.token_hex(12)}"
    # The line end before the trailer is in the same word: one piece on its way instead of two.
    line = f"while read x; do {{ {COMMANDS[shot_format]}; }} 2>/dev/null; echo '\n{trailer}'; done"
    sock = await adb.open_socket(serial, f"exec:{line}")
    return PictureReader(sock, Shots(trailer.encode()), slots=count, slot_bytes=slots.bytes, size=size)


def ended(serial: str, item: Ended, program: str) -> DeviceError:
    """The error for a connection that has ended: with the program's words, if it said any."""
    words = words_of(item.head)
    if words:
        return CaptureError(serial, f"{program} does not run: {words}")
    why = os.strerror(item.error_number) if item.error_number else item.reason
    return DeviceDisconnectedError(serial, f"{program} has ended: {why}")
