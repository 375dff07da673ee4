"""What a demonstration adds to the server: simulated devices, and a viewer without a browser to judge them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from mediacore.errors import ViewerError
from mediacore.testing.device import SimulatedDevice
from mediacore.testing.viewer import BuiltInViewer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rich.console import Console

    from mediacore.testing.options import DeviceOptions

FIRST_PICTURE_S = 10.0
"""The built-in viewer must have its first picture by then."""
REPORT_S = 1.0
"""How often the built-in viewer tells the server what it sees."""


@contextlib.asynccontextmanager
async def simulated_devices(count: int, options: DeviceOptions | None = None) -> AsyncIterator[tuple[str, ...]]:
    """Starts ``count`` simulated devices, each in a process of its own; gives their ``HOST:PORT`` for adb."""
    async with contextlib.AsyncExitStack() as stack:
        devices = [SimulatedDevice(options) for _ in range(count)]
        for device in devices:
            stack.push_async_exit(device)
        await asyncio.gather(*(asyncio.to_thread(device.start) for device in devices))
        yield tuple(device.address for device in devices)


async def show_to_built_in_viewer(url: str, serial: str, seconds: float, console: Console) -> int:
    """Let the built-in viewer watch for ``seconds`` and say what it saw; 0 only if pictures moved, else 1."""
    try:
        async with BuiltInViewer(f"{url}/api/v1/devices/{quote(serial, safe='')}/whep") as viewer:
            console.print(f"A built-in viewer without a browser watches {serial} for {seconds:g} s.", highlight=False)
            await viewer.wait_frames(1, FIRST_PICTURE_S)
            await _watch(viewer, seconds)
    except ViewerError as error:
        console.print(f"The built-in viewer saw nothing: {error}", highlight=False)
        return 1
    console.print(_judgement(viewer), highlight=False)
    return 0 if viewer.moves > 0 else 1


async def _watch(viewer: BuiltInViewer, seconds: float) -> None:
    """Let pictures come, and report them each second as the page does, so that the live line tells their latency."""
    end = asyncio.get_running_loop().time() + seconds
    frames = viewer.frames
    while (left := end - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(min(REPORT_S, left))
        latency_ms = viewer.latency_ms(50)
        if viewer.channel_open and latency_ms is not None:
            report = {"fps": (viewer.frames - frames) / REPORT_S, "latency_ms": latency_ms}
            viewer.send(json.dumps({"v": 1, "type": "stats", **report}))
        frames = viewer.frames


def _judgement(viewer: BuiltInViewer) -> str:
    words = f"{viewer.frames} frames shown, the first after {viewer.first_frame_ms or 0:.0f} ms; "
    if viewer.moves == 0:
        return words + "the picture never changed, or has no bar code: this is not as it should be."
    p50, p95 = viewer.latency_ms(50), viewer.latency_ms(95)
    if p50 is None or p95 is None:
        return words + f"{viewer.moves} changes; the pictures do not tell when they were drawn."
    return words + f"glass to glass p50 {p50:.1f} ms, p95 {p95:.1f} ms, read from the bar code in the pictures."
