"""A WHEP server as aiortc's users write it: `av.Packet` pass-through and MediaRelay, nothing is encoded.

    python stock_server.py [--file stream.h264]... [--device PORT]... [--fps 30]

Each file, looped on an absolute schedule, and each device (Annex B from a TCP port of this machine) is one track,
watched at ``/0/whep``, ``/1/whep`` …. Prints its URL, then carries out orders from its input as our_server.py does.
"""

from __future__ import annotations

import argparse
import asyncio
import fractions
import itertools
import time

import av
from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.contrib.media import MediaRelay
from aiortc.mediastreams import MediaStreamTrack

from mediacore.testing.gathering import gather_everywhere
from orders import Hold, obey

CLOCK = fractions.Fraction(1, 90000)


class FileTrack(MediaStreamTrack):
    """Loops over access units on an absolute schedule."""

    kind = "video"

    def __init__(self, units: list[bytes], fps: float) -> None:
        super().__init__()
        self._units, self._fps, self._count, self._start = units, fps, 0, time.monotonic()

    async def recv(self) -> av.Packet:
        await asyncio.sleep(max(0, self._start + self._count / self._fps - time.monotonic()))
        packet = av.Packet(self._units[self._count % len(self._units)])
        packet.pts, packet.time_base = round(self._count * 90000 / self._fps), CLOCK
        self._count += 1
        return packet


class DeviceTrack(MediaStreamTrack):
    """What a device writes, cut by libavcodec's parser: a unit ends where the next one begins."""

    kind = "video"

    def __init__(self, reader: asyncio.StreamReader, fps: float) -> None:
        super().__init__()
        self._fps, self._count = fps, 0
        self._units: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue(8)
        self._reading = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """A device does not wait until somebody watches."""
        codec = av.CodecContext.create("h264", "r")
        while data := await reader.read(65_536):
            for packet in codec.parse(data):
                if self._units.full():
                    self._units.get_nowait()
                self._units.put_nowait((self._count, bytes(packet)))
                self._count += 1

    async def recv(self) -> av.Packet:
        count, unit = await self._units.get()
        packet = av.Packet(unit)
        packet.pts, packet.time_base = round(count * 90000 / self._fps), CLOCK
        return packet


class Server:
    """Peer connections by name."""

    def __init__(self, tracks: list[MediaStreamTrack]) -> None:
        self._tracks, self._relay = tracks, MediaRelay()
        self._names = itertools.count(1)
        self._peers: dict[str, RTCPeerConnection] = {}
        codecs = RTCRtpSender.getCapabilities("video").codecs
        self._codecs = [c for c in codecs if c.mimeType in ("video/H264", "video/rtx")]

    async def connect(self, request: web.Request) -> web.Response:
        pc, name = RTCPeerConnection(RTCConfiguration(iceServers=[])), str(next(self._names))
        self._peers[name] = pc
        track = self._relay.subscribe(self._tracks[int(request.match_info["track"])])
        pc.addTrack(track)
        (transceiver,) = pc.getTransceivers()
        transceiver.setCodecPreferences(self._codecs)
        gather_everywhere(transceiver.sender.transport.transport.iceGatherer)
        await pc.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        await pc.setLocalDescription(await pc.createAnswer())
        headers = {"Location": f"/sessions/{name}"}
        text = pc.localDescription.sdp
        return web.Response(status=201, text=text, content_type="application/sdp", headers=headers)

    async def disconnect(self, request: web.Request) -> web.Response:
        await self._peers.pop(request.match_info["name"]).close()
        return web.Response()

    async def close(self) -> None:
        await asyncio.gather(*(pc.close() for pc in self._peers.values()))


def access_units(path: str) -> list[bytes]:
    with av.open(path, format="h264") as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--file", action="append", default=[])
    parser.add_argument("--device", action="append", type=int, default=[])
    parser.add_argument("--fps", type=float, default=30)
    options = parser.parse_args()
    tracks: list[MediaStreamTrack] = [FileTrack(access_units(path), options.fps) for path in options.file]
    writers = []
    for port in options.device:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)  # it closes when it is collected
        tracks.append(DeviceTrack(reader, options.fps))
    server, app = Server(tracks), web.Application()
    app.add_routes([web.post("/{track}/whep", server.connect), web.delete("/sessions/{name}", server.disconnect)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hold = Hold()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await obey({"hold": hold.order, "figures": lambda _: {}})
    await server.close()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
