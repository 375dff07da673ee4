"""A WHEP server as the service did it that mediacore replaces: a process per PNG, and VP8 encoded in step with it.

    python old_way_server.py --adb PROGRAM --adb-port PORT --serial SERIAL

Per frame: ``adb exec-out screencap -p`` as a new process, the PNG decoded by Pillow, colours converted by PyAV, and
aiortc's VP8 encoder fed when all of that is done. Prints its URL, then carries out orders from its input.
"""

from __future__ import annotations

import argparse
import asyncio
import fractions
import io
import time

import av
import numpy as np
from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from PIL import Image

from mediacore.testing.gathering import gather_everywhere
from orders import obey

MICROSECOND = fractions.Fraction(1, 1_000_000)


class ScreencapTrack(MediaStreamTrack):
    """One screenshot after the other."""

    kind = "video"

    def __init__(self, command: list[str]) -> None:
        super().__init__()
        self._command = command
        self.frames = 0

    async def recv(self) -> av.VideoFrame:
        process = await asyncio.create_subprocess_exec(*self._command, stdout=asyncio.subprocess.PIPE)
        png, _ = await process.communicate()
        frame = av.VideoFrame.from_ndarray(np.asarray(Image.open(io.BytesIO(png)).convert("RGB")), format="rgb24")
        frame = frame.reformat(format="yuv420p")
        frame.pts, frame.time_base = time.monotonic_ns() // 1000, MICROSECOND
        self.frames += 1
        return frame


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--adb", required=True)
    parser.add_argument("--adb-port", required=True)
    parser.add_argument("--serial", required=True)
    options = parser.parse_args()
    track = ScreencapTrack([options.adb, "-P", options.adb_port, "-s", options.serial, "exec-out", "screencap", "-p"])
    peers: list[RTCPeerConnection] = []

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><body>", content_type="text/html")

    async def connect(request: web.Request) -> web.Response:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peers.append(peer)
        peer.addTrack(track)
        (transceiver,) = peer.getTransceivers()
        codecs = RTCRtpSender.getCapabilities("video").codecs
        transceiver.setCodecPreferences([c for c in codecs if c.mimeType in ("video/VP8", "video/rtx")])
        gather_everywhere(transceiver.sender.transport.transport.iceGatherer)
        await peer.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        return web.Response(status=201, text=peer.localDescription.sdp, content_type="application/sdp")

    app = web.Application()
    app.add_routes([web.get("/livez", page), web.post("/whep", connect)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await obey({"figures": lambda _: {"frames": track.frames}})
    await asyncio.gather(*(peer.close() for peer in peers))
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
