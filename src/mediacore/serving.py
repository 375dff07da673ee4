"""What ``mediacore serve`` does: brings up what was asked for, opens the port last, and ends in reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mediacore.demo import show_to_built_in_viewer, simulated_devices
from mediacore.engine import Engine
from mediacore.errors import DeviceTimeoutError
from mediacore.media import DeviceState
from mediacore.server import live_line
from mediacore.server.app import Server

if TYPE_CHECKING:
    from collections.abc import Collection

    from rich.console import Console

    from mediacore.server.settings import ServerSettings
    from mediacore.settings import EngineSettings
    from mediacore.testing.options import DeviceOptions

log = logging.getLogger(__name__)

DEVICES_S = 20.0
"""Simulated devices must be listed by then."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be served."""

    engine: EngineSettings
    """Recordings, adb, capture."""
    server: ServerSettings
    """Where HTTP listens."""
    simulate: int = 0
    """How many simulated devices to bring along."""
    simulated: DeviceOptions | None = None
    """What those are like."""
    demo_seconds: float | None = None
    """End by itself after showing the first device to the built-in viewer for so long."""


async def fulfil(order: Order, console: Console) -> int:
    """Serve until cancelled; returns the exit code of a demo. Raises ``MediacoreError`` if it cannot be brought up."""
    async with contextlib.AsyncExitStack() as stack:
        settings = order.engine
        simulated: tuple[str, ...] = ()
        if order.simulate:
            console.print(f"Starting {_devices(order.simulate)}, each a process that speaks to adb like a phone.")
            simulated = await stack.enter_async_context(simulated_devices(order.simulate, order.simulated))
            settings = replace(settings, adb=replace(settings.adb, private=True, connect=simulated))
        engine = await stack.enter_async_context(Engine(settings))
        if settings.use_adb:
            await engine.devices.refresh()
        await wait_for_devices(engine, simulated, DEVICES_S)
        for device in engine.devices.list():
            if device.serial.startswith("file:"):
                await engine.screenshot(device.serial)  # a recording that cannot be read shows now, not to a viewer
        server = await stack.enter_async_context(Server(engine, order.server))
        _tell(console, order, engine, server.url)
        line = asyncio.create_task(live_line.show(engine, console), name="live line")
        stack.callback(line.cancel)
        if order.demo_seconds is None:
            await line
            return 0
        ready = [device.serial for device in engine.devices.list() if device.state is DeviceState.DEVICE]
        if not ready:
            console.print("No device is ready, so there is nothing to show.")
            return 1
        return await show_to_built_in_viewer(server.url, ready[0], order.demo_seconds, console)


async def wait_for_devices(engine: Engine, serials: Collection[str], timeout_s: float) -> None:
    """Wait until each of the devices can be streamed. Raises ``DeviceTimeoutError`` that names one that cannot."""

    def missing() -> list[str]:
        ready = {device.serial for device in engine.devices.list() if device.state is DeviceState.DEVICE}
        return [serial for serial in serials if serial not in ready]

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            changes = aiter(engine.devices)
            while missing():
                await anext(changes)
    if late := missing():
        raise DeviceTimeoutError(late[0], f"adb does not list it as ready after {timeout_s:g} s")


def _tell(console: Console, order: Order, engine: Engine, url: str) -> None:
    devices = engine.devices.list()
    console.print(f"Serving {_devices(len(devices))}. Open this page to see and control them:")
    console.print(f"\n    {url}\n", style="bold", highlight=False)
    if not devices:
        console.print("Connect an Android device by USB or with `adb connect`; it appears on the page by itself.")
    if order.demo_seconds is None:
        console.print("Ctrl-C ends it.")


def _devices(number: int) -> str:
    return "1 device" if number == 1 else f"{number} devices"
