"""An Android screen in the browser: capture, pass-through and control over WebRTC, with a native core.

The public names are loaded when they are first used, so ``import mediacore.h264`` loads neither aiortc nor PyAV.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mediacore.engine import Engine
    from mediacore.errors import MediacoreError
    from mediacore.media import CloseReason, Device, Frame, Grants, Packet, StreamDescription, Target, Wanted
    from mediacore.session import Session
    from mediacore.settings import AdbSettings, EngineSettings, RtcSettings, StreamSettings
    from mediacore.stream.stream import Stream

__version__ = "0.1.0"

_HOMES = {
    "AdbSettings": "mediacore.settings",
    "CloseReason": "mediacore.media",
    "Device": "mediacore.media",
    "Engine": "mediacore.engine",
    "EngineSettings": "mediacore.settings",
    "Frame": "mediacore.media",
    "Grants": "mediacore.media",
    "MediacoreError": "mediacore.errors",
    "Packet": "mediacore.media",
    "RtcSettings": "mediacore.settings",
    "Session": "mediacore.session",
    "Stream": "mediacore.stream.stream",
    "StreamDescription": "mediacore.media",
    "StreamSettings": "mediacore.settings",
    "Target": "mediacore.media",
    "Wanted": "mediacore.media",
}

__all__ = [
    "AdbSettings",
    "CloseReason",
    "Device",
    "Engine",
    "EngineSettings",
    "Frame",
    "Grants",
    "MediacoreError",
    "Packet",
    "RtcSettings",
    "Session",
    "Stream",
    "StreamDescription",
    "StreamSettings",
    "Target",
    "Wanted",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
