"""Shots of a screen from one loop on the device: no process and no connection per shot on our side.

The loop waits for a line, runs ``screencap``, and writes a trailer that no picture contains; its warnings go nowhere.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Literal, TypeAlias

from mediacore.capture.captured_device import words_of
from mediacore.errors import CaptureError, DeviceDisconnectedError
from mediacore.media import DropCause
from mediacore.picture_reader import PictureReader, Shots, slot_bytes

if TYPE_CHECKING:
    from mediacore.adb.client import AdbClient
    from mediacore.errors import DeviceError
    from mediacore.picture_reader import Damaged, Ended

ShotFormat: TypeAlias = Literal["raw", "gzip", "png", "jpeg"]

COMMANDS: dict[ShotFormat, str] = {
    "gzip": "screencap | gzip -1",
    "raw": "screencap",
    "png": "screencap -p",
    "jpeg": "screencap -j",
}
"""What runs on the device, in the order in which it is tried: raw pixels of a large screen take long on a slow link.
``-j`` is there from Android 16 on."""
SLOTS = 12
"""Frames in memory at a time: being decoded, on their way, the newest one, and those that encoders and others hold."""
MAX_SLOT_BYTES = slot_bytes(8192, 8192)
"""The largest screen that is captured."""
SHOT_TIMEOUT_S = 10.0
"""PNG on a slow device takes 3 s."""


class SlotSize:
    """How much memory one frame of a device gets. Displays can be unfolded, and some are larger than they say."""

    def __init__(self, display: tuple[int, int]) -> None:
        self.bytes = slot_bytes(*display)

    def grown_for(self, item: Damaged) -> bool:
        """True if the picture was too large and the next reader, with more memory, may take it."""
        if item.cause != DropCause.OVERSIZE or self.bytes >= MAX_SLOT_BYTES:
            return False
        self.bytes = min(self.bytes * 2, MAX_SLOT_BYTES)
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
    line = f"while read x; do {{ {COMMANDS[shot_format]}; }} 2>/dev/null; echo; echo {trailer}; done"
    sock = await adb.open_socket(serial, f"exec:{line}")
    return PictureReader(sock, Shots(trailer.encode()), slots=count, slot_bytes=slots.bytes, size=size)


def ended(serial: str, item: Ended, program: str) -> DeviceError:
    """The error for a connection that has ended: with the program's words, if it said any."""
    words = words_of(item.head)
    if words:
        return CaptureError(serial, f"{program} does not run: {words}")
    why = os.strerror(item.error_number) if item.error_number else item.reason
    return DeviceDisconnectedError(serial, f"{program} has ended: {why}")
