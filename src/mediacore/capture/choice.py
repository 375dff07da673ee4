"""What a device can be captured by, the best first."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mediacore.capture.raw_screenrecord import RawScreenRecord
from mediacore.capture.screencap import Screencap
from mediacore.capture.screenrecord import ScreenRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mediacore.adb.client import AdbClient
    from mediacore.capture.frame_source import FrameSource
    from mediacore.capture.source import Source
    from mediacore.settings import StreamSettings

SOURCES: Mapping[str, Callable[[AdbClient, str, StreamSettings], Source | FrameSource]] = {
    "screenrecord": ScreenRecord,
    "screenrecord-frames": RawScreenRecord,
    "screencap": Screencap,
}
"""By name: the device's own encoder costs us nothing, raw frames come when something changes, shots always work."""


def device_sources(adb: AdbClient, serial: str, settings: StreamSettings) -> list[Callable[[], Source | FrameSource]]:
    """Make the source that is asked for, or with ``auto`` each of them, in the order in which they are to be tried."""
    names = tuple(SOURCES) if settings.source == "auto" else (settings.source,)
    return [partial(SOURCES[name], adb, serial, settings) for name in names]
