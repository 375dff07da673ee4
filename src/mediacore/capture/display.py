"""The device's display: its size and rotation, read through a shell that stays open."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mediacore.errors import CaptureError

if TYPE_CHECKING:
    from mediacore.adb.shell import PersistentShell

QUERY_TIMEOUT_S = 5.0
"""`dumpsys` and `getprop` answer in tens of milliseconds; a device under load may need seconds."""
MAX_SIDE = 16_384
MAX_PIXELS = 64 << 20
"""What pictures are read up to; 8K is 7680 x 4320."""

_ORIENTATION = re.compile(rb"DisplayViewport\{[^}]*?orientation=([0-3])")
_SIZE = re.compile(rb"(Physical|Override) size: (\d{1,9})x(\d{1,9})\b")


@dataclass(frozen=True, slots=True)
class Display:
    """Size and rotation of a device's main display."""

    natural: tuple[int, int]
    """(width, height) in pixels when the device is held the way it was made for."""
    rotation: int
    """0, 90, 180 or 270 degrees away from that."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels as the display is now."""
        return self.turned(self.natural)

    def turned(self, size: tuple[int, int]) -> tuple[int, int]:
        """A size that was meant for the natural orientation, as it is in this rotation."""
        return size if self.rotation % 180 == 0 else (size[1], size[0])


async def read_rotation(shell: PersistentShell) -> int | None:
    """The display's rotation in degrees; None if the device does not say."""
    result = await shell.run("dumpsys display | grep DisplayViewport", timeout_s=QUERY_TIMEOUT_S)
    found = _ORIENTATION.search(result.stdout)
    return int(found[1]) * 90 if found else None


async def read_display(shell: PersistentShell, serial: str) -> Display:
    """Size and rotation of the main display; ``CaptureError`` if the device tells none that a display can have."""
    result = await shell.run("wm size", timeout_s=QUERY_TIMEOUT_S)
    # "Override size" comes second, if the user set one, and it is what is shown.
    sizes = _SIZE.findall(result.stdout)
    if not sizes:
        raise CaptureError(
            serial, f"`wm size` answered {result.stdout[:80]!r}: is this an Android device with a display?"
        )
    width, height = int(sizes[-1][1]), int(sizes[-1][2])
    if not (min(width, height) > 0 and max(width, height) <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise CaptureError(serial, f"`wm size` tells of a display of {width}x{height}, which there cannot be")
    return Display((width, height), await read_rotation(shell) or 0)


async def read_sdk(shell: PersistentShell) -> int:
    """The API level of the device's Android; 0 if it does not say."""
    result = await shell.run("getprop ro.build.version.sdk", timeout_s=QUERY_TIMEOUT_S)
    text = result.stdout.strip()
    return int(text) if text.isdigit() else 0


async def screenrecord_is_unlimited(shell: PersistentShell) -> bool:
    """True if this device's screenrecord takes ``--time-limit 0``; the Android version does not tell."""
    result = await shell.run("screenrecord --help 2>&1", timeout_s=QUERY_TIMEOUT_S)
    return b"Set to 0" in result.stdout + result.stderr
