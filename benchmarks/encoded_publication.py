"""A published stream with an encoder that answers wishes for a key frame: a moving bar, H.264 by libx264."""

from __future__ import annotations

import asyncio
import time
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.frame import PictureType

from mediacore.media import Packet

if TYPE_CHECKING:
    from mediacore import Engine

WIDTH, HEIGHT, FPS, BIT_RATE = 360, 640, 30, 1_000_000
NAME = "encoded"


async def publish(engine: Engine) -> None:
    """Publishes until it is cancelled. Only the first picture and those that are wished for are key frames."""
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    codec.time_base, codec.framerate, codec.bit_rate = Fraction(1, FPS), Fraction(FPS, 1), BIT_RATE
    codec.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "profile": "baseline",
        "forced-idr": "1",
        "x264-params": "keyint=infinite:scenecut=0:threads=1:sliced-threads=0:repeat-headers=1:annexb=1:log-level=none",
    }
    wished = True

    def wish() -> None:
        nonlocal wished
        wished = True

    picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    async with engine.publish(NAME, on_key_frame_request=wish) as stream:
        begin_s, count = time.monotonic(), 0
        while True:
            await asyncio.sleep(max(0.0, begin_s + count / FPS - time.monotonic()))
            picture[:HEIGHT] = 60
            picture[count * 8 % (HEIGHT - 40) :][:40] = 200
            frame = av.VideoFrame.from_ndarray(picture, "yuv420p")
            frame.pts = count
            frame.pict_type, wished = (PictureType.I if wished else PictureType.NONE), False
            count += 1
            now_us = time.monotonic_ns() // 1000
            for packet in codec.encode(frame):
                await stream.push(
                    Packet(
                        "video", "h264", bytes(packet), now_us, bool(packet.is_keyframe), epoch=1, received_us=now_us
                    )
                )
