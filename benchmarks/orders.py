"""What the benchmarks' servers have in common: orders from the input, and a thread that does not let go of the GIL."""

from __future__ import annotations

import asyncio
import ctypes
import json
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_SLEEP = ctypes.PyDLL(None).usleep
"""A call by PyDLL keeps the GIL, as a C extension does that computes for long."""


class Hold:
    """A thread that holds the GIL in bursts: ``{"do": "hold", "burst_ms": 100, "pause_ms": 100, "seconds": 5}``."""

    def order(self, order: dict[str, Any]) -> dict[str, Any]:
        """Begins at once, and answers before it does."""
        thread = threading.Thread(
            target=self._run, args=(order["burst_ms"], order["pause_ms"], order["seconds"]), daemon=True
        )
        threading.Timer(0.05, thread.start).start()
        return {}

    @staticmethod
    def _run(burst_ms: int, pause_ms: int, seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            _SLEEP(burst_ms * 1000)  # in one call: between two, another thread would get it
            time.sleep(pause_ms / 1000)


async def obey(orders: dict[str, Callable[[dict[str, Any]], dict[str, Any]]]) -> None:
    """One line of JSON on the output for each on the input, until that ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        order = json.loads(line)
        print(json.dumps(orders[order["do"]](order)), flush=True)
