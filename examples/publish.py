"""Publish pictures of your own: the page shows them beside the devices, and so does any WHEP player.

python examples/publish.py [PORT]
"""

import asyncio
import sys
import time
from fractions import Fraction

import av
import numpy as np
from av.video.frame import PictureType

from mediacore import Engine, EngineSettings, Packet
from mediacore.server.app import Server
from mediacore.server.settings import ServerSettings

SIZE, FPS = (640, 360), 30


def encoder() -> av.VideoCodecContext:
    context = av.VideoCodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = *SIZE, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 1_000_000), Fraction(FPS)
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "keyint=infinite"}
    return context


def picture(n: int) -> av.VideoFrame:
    width, height = SIZE
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = (np.add.outer(np.arange(height), np.arange(width)) + n * 4) % 220 + 16
    return av.VideoFrame.from_ndarray(planes, "yuv420p")


async def main(port: int) -> None:
    wanted = asyncio.Event()  # a viewer needs a key frame
    context = encoder()
    async with (
        Engine(EngineSettings(use_adb=False)) as engine,
        engine.publish("colours", on_key_frame_request=wanted.set) as stream,
        Server(engine, ServerSettings(port=port)) as server,
    ):
        print(f"{server.url}/#publish:colours", flush=True)
        for n in range(sys.maxsize):
            frame = picture(n)
            frame.pts = time.monotonic_ns() // 1000
            frame.time_base = context.time_base
            if wanted.is_set():
                wanted.clear()
                frame.pict_type = PictureType.I
            for encoded in context.encode(frame):
                data, now = bytes(encoded), frame.pts
                await stream.push(Packet("video", "h264", data, now, encoded.is_keyframe, epoch=1, received_us=now))
            await asyncio.sleep(1 / FPS)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8082))
