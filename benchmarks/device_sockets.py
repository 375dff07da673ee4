"""Devices that write a stream to whoever connects: `python device_sockets.py FILE FPS COUNT`.

Opens COUNT TCP ports and prints them as JSON. Each port's reader gets the file, looped, a unit as one write at its
time. The clocks are spread evenly over a frame's time, and each is 50 ppm quicker than the one before it, as phones'
are. The times of the units are absolute: a late write is followed by one on time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time

import av

DRIFT = 50e-6


async def device(units: list[bytes], fps: float, phase_s: float, writer: asyncio.StreamWriter) -> None:
    begin_s = (time.monotonic() // 1 + 1) + phase_s
    count = 0
    with contextlib.suppress(ConnectionError):
        while True:
            await asyncio.sleep(max(0.0, begin_s + count / fps - time.monotonic()))
            writer.write(units[count % len(units)])
            await writer.drain()
            count += 1


async def main() -> None:
    path, fps, count = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    with av.open(path, format="h264") as container:
        units = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    ports = []
    for number in range(count):
        own_fps, phase_s = fps * (1 + number * DRIFT), number / count / fps

        async def serve(
            _: asyncio.StreamReader, writer: asyncio.StreamWriter, own_fps: float = own_fps, phase_s: float = phase_s
        ) -> None:
            await device(units, own_fps, phase_s, writer)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
    print(json.dumps(ports), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
