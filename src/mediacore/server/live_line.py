"""One line about how things stand: devices, viewers, pictures per second, latency.

On a terminal the line is renewed in place each second; elsewhere a new line comes every few seconds.
"""

from __future__ import annotations

import asyncio
import statistics
from typing import TYPE_CHECKING

from rich.live import Live
from rich.text import Text

from mediacore.media import DeviceState

if TYPE_CHECKING:
    from rich.console import Console

    from mediacore.engine import Engine

TERMINAL_S = 1.0
LOG_S = 5.0


def summary(engine: Engine) -> str:
    """The line's words now."""
    devices = engine.devices.list()
    ready = sum(device.state is DeviceState.DEVICE for device in devices)
    stats = engine.stats()
    viewers = len(stats.sessions)
    words = [_count(len(devices), "device") + (f" ({ready} ready)" if ready != len(devices) else "")]
    words.append(_count(viewers, "viewer"))
    if stats.streams:
        words.append(f"{sum(stream.fps for stream in stats.streams):.0f} frames/s")
    latencies = [session.viewer["latency_ms"] for session in stats.sessions if "latency_ms" in session.viewer]
    if latencies:
        words.append(f"latency {statistics.median(latencies):.0f} ms")
    return " · ".join(words)


async def show(engine: Engine, console: Console) -> None:
    """Show the line until cancelled."""
    if not console.is_terminal:
        while True:
            console.print(summary(engine), highlight=False)
            await asyncio.sleep(LOG_S)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(Text(f"● {summary(engine)}", style="green"), refresh=True)
            await asyncio.sleep(TERMINAL_S)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
