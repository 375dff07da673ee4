"""The engine and its bundled server for devices of an adb server that runs already.

    python device_server.py --adb-port PORT --source screencap [--fps 30] [--size 540x960]

Prints its URL, then carries out orders from its input: ``figures`` gives those of all streams, ``threads`` the CPU
seconds of each thread by name.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import os
import threading
from pathlib import Path
from typing import Any

from mediacore import AdbSettings, Engine, EngineSettings, StreamSettings
from mediacore.server.app import Server
from mediacore.server.settings import ServerSettings
from orders import obey

TICKS = os.sysconf("SC_CLK_TCK")


def thread_seconds() -> dict[str, float]:
    """CPU seconds of this process's threads, summed by name: Python's, or what the kernel has for native ones."""
    seconds: dict[str, float] = {}
    names = {str(thread.native_id): thread.name for thread in threading.enumerate()}
    for task in Path("/proc/self/task").iterdir():
        try:
            name, _, rest = task.joinpath("stat").read_text().partition("(")[2].rpartition(")")
        except FileNotFoundError:  # it has just ended
            continue
        user, system = rest.split()[11:13]
        name = names.get(task.name, name)
        seconds[name] = seconds.get(name, 0.0) + (int(user) + int(system)) / TICKS
    return seconds


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--adb-port", type=int, required=True)
    parser.add_argument("--source", default="auto")
    parser.add_argument("--fps", type=float, default=30)
    parser.add_argument("--size", type=lambda text: tuple(int(side) for side in text.split("x")))
    options = parser.parse_args()
    settings = EngineSettings(
        adb=AdbSettings(port=options.adb_port, start=False),
        stream=StreamSettings(source=options.source, fps=options.fps, size=options.size),
    )
    async with Engine(settings) as engine, Server(engine, ServerSettings(port=0)) as server:

        def figures(_: dict[str, Any]) -> dict[str, Any]:
            return {"streams": [dataclasses.asdict(stream) for stream in engine.stats().streams]}

        print(server.url, flush=True)
        await obey({"figures": figures, "threads": lambda _: thread_seconds()})


if __name__ == "__main__":
    asyncio.run(main())
