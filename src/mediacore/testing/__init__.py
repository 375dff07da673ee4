"""For tests of services built on mediacore: simulated devices that the real adb server talks to, and a viewer.

The names are loaded when they are first used; numpy and PyAV are needed from then on.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mediacore.testing.device import SimulatedDevice, SimulatedFleet
    from mediacore.testing.input_command import InputEvent
    from mediacore.testing.link import EmulatedLink, LinkOptions
    from mediacore.testing.options import DeviceOptions
    from mediacore.testing.viewer import BuiltInViewer

_HOMES = {
    "BuiltInViewer": "mediacore.testing.viewer",
    "DeviceOptions": "mediacore.testing.options",
    "EmulatedLink": "mediacore.testing.link",
    "InputEvent": "mediacore.testing.input_command",
    "LinkOptions": "mediacore.testing.link",
    "SimulatedDevice": "mediacore.testing.device",
    "SimulatedFleet": "mediacore.testing.device",
}

__all__ = [
    "BuiltInViewer",
    "DeviceOptions",
    "EmulatedLink",
    "InputEvent",
    "LinkOptions",
    "SimulatedDevice",
    "SimulatedFleet",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
