"""The engine and its bundled server, with devices that a socket stands for.

    python our_server.py [--file stream.h264]... [--device PORT]... [--start-rate BPS] [--no-pacing] [--encode]

A device is a TCP port of this machine that writes Annex B, as screenrecord's socket does; it is watched at
``/api/v1/devices/socket%3AN/whep``. ``--encode`` publishes a stream whose encoder answers wishes for key frames. Prints
its URL, then carries out orders from its input, one line of JSON each: ``hold`` (orders.py) and ``figures``: the media
loop's and each viewer's.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
from typing import TYPE_CHECKING, Any

from encoded_publication import publish
from mediacore import Engine, EngineSettings, RtcSettings, StreamSettings
from mediacore.capture.source import SourceStats
from mediacore.engine import _Running
from mediacore.media import Device, DeviceState, StreamDescription
from mediacore.server.app import Server
from mediacore.server.settings import ServerSettings
from orders import Hold, obey

if TYPE_CHECKING:
    from mediacore.media_loop import MediaLoop


class SocketDevice:
    """A source that is a socket and nothing else."""

    kind = "socket"
    codec = "h264"
    has_audio = False
    key_frames_on_request = False
    push = None
    control = None

    def __init__(self, port: int) -> None:
        self._port = port
        self.description: StreamDescription | None = None

    async def open(self, loop: MediaLoop, rendition: int, audio: int, on_end: Any) -> None:
        del audio
        self._on_end = on_end
        sock = await asyncio.to_thread(socket.create_connection, ("127.0.0.1", self._port))
        sock.setblocking(False)
        loop.add_source(sock, rendition, self, idle_us=1000)

    def described(self, width: int, height: int, profile_level_id: str, epoch: int) -> StreamDescription:
        self.description = StreamDescription(self.codec, width, height, profile_level_id, 0, epoch)
        return self.description

    async def request_key_frame(self) -> bool:
        return False

    def current(self, epoch: int) -> None:
        """Not of interest."""

    def damaged(self) -> None:
        """Its next key frame heals that."""

    def ended(self, error_number: int, head: bytes, reason: str) -> None:
        del error_number, head, reason
        self._on_end(None)

    async def close(self) -> None:
        """The loop closes the socket with the rendition."""

    def stats(self) -> SourceStats:
        return SourceStats()


async def add_device(engine: Engine, number: int, port: int) -> None:
    """Make it one of the engine's streams, as `publish` does."""
    serial = f"socket:{number}"
    settings = StreamSettings(grace_s=3600)
    stream = await engine._open_stream(serial, SocketDevice(port), settings)  # type: ignore[arg-type]
    engine._streams[serial] = _Running(stream, grace_s=3600, holders=1)
    engine.devices.add(Device(serial, serial, "published", DeviceState.DEVICE))


def figures(engine: Engine) -> dict[str, Any]:
    """Those of the media loop, and of each viewer the native ones."""
    assert engine._loop is not None
    sessions = [session for _, _, session in engine._sessions.snapshot()]
    return {
        "loop": dict(engine._loop.native.loop_figures()),
        "viewers": [dict(one._viewer._transport.figures()) for one in sessions if one._viewer._transport is not None],
    }


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--file", action="append", default=[])
    parser.add_argument("--device", action="append", type=int, default=[])
    parser.add_argument("--start-rate", type=int, default=10_000_000)
    parser.add_argument("--no-pacing", action="store_true")
    parser.add_argument("--encode", action="store_true")
    options = parser.parse_args()
    settings = EngineSettings(
        recordings=tuple(options.file),
        use_adb=False,
        rtc=RtcSettings(start_rate_bps=options.start_rate, pacing=not options.no_pacing),
    )
    async with Engine(settings) as engine, Server(engine, ServerSettings(port=0)) as server:
        for number, port in enumerate(options.device):
            await add_device(engine, number, port)
        encoding = asyncio.create_task(publish(engine)) if options.encode else None
        hold = Hold()
        print(server.url, flush=True)
        await obey({"hold": hold.order, "figures": lambda _: figures(engine)})
        if encoding is not None:
            encoding.cancel()
            await asyncio.gather(encoding, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
