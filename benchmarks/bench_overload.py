"""How old is what is sent while pictures come twice as fast as they can be encoded, and what does a pause cost?

The stream gets 60 pictures a second, its encoder (x264, and a sleep) takes 30. For a minute (OVERLOAD_S) the ages of
the packets are measured, from the picture's time to its packet in a consumer's hands; all pictures are to be accounted
for, and memory must not grow. The peer is the obvious way: each picture waits in a queue until the encoder has time.
Then the screen stands still, and late viewers come: of the codec that is encoded already, and of another.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import queue
import threading
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mediacore.capture.frame_publication import FramePublication
from mediacore.encode.choice import open_encoder
from mediacore.encode.encoder import EncodedFrame, Encoder, EncoderSettings
from mediacore.media import Frame
from mediacore.media_loop import MediaLoop, monotonic_us
from mediacore.settings import StreamSettings
from mediacore.stream.encoding import start_encoder
from mediacore.stream.packet_tap import PacketTap
from mediacore.stream.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator


SECONDS = float(os.environ.get("OVERLOAD_S", "60"))
STATIC_S = float(os.environ.get("STATIC_S", "10"))
SIZE = (1280, 720)
SOURCE_FPS, ENCODER_FPS = 60, 30
BETTER = 4
"""So many times older than ours is what comes out of a queue after ten seconds, at least."""
MOST_GROWTH_MB = 20
WARM_UP_S = 3.0


def rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def pictures() -> Iterator[Frame]:
    """Without end, stamped with their time when they are taken."""
    rng = np.random.default_rng(1)
    text = np.kron(rng.integers(16, 235, (SIZE[1] // 8, SIZE[0] // 8), np.uint8), np.ones((8, 8), np.uint8))
    frames = []
    for n in range(16):
        block = np.full(SIZE[0] * SIZE[1] * 3 // 2, 128, np.uint8)
        block[: SIZE[0] * SIZE[1]] = np.roll(text, n * 4, 0).reshape(-1)
        frames.append(Frame.of_block(block.data, SIZE, SIZE[0], matrix="bt709"))
    while True:
        for frame in frames:
            yield dataclasses.replace(frame, pts_us=monotonic_us())


class Slow:
    """An encoder that takes as long as it would at ``ENCODER_FPS``."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.name, self.settings = encoder.name, encoder.settings
        self.set_bitrate, self.close = encoder.set_bitrate, encoder.close

    def encode(self, frame: Frame, *, key: bool = False) -> list[EncodedFrame]:
        began_s = time.monotonic()
        encoded = self._encoder.encode(frame, key=key)
        time.sleep(max(0.0, began_s + 1 / ENCODER_FPS - time.monotonic()))
        return encoded


def open_slow(settings: EncoderSettings, only: str | None = None, **options: object) -> tuple[Encoder, tuple[()]]:
    encoder, _ = open_encoder(settings, only, **options)  # type: ignore[arg-type]
    return Slow(encoder), ()


async def push_for(publication: FramePublication, source: Iterator[Frame], seconds: float) -> None:
    clock = asyncio.get_running_loop().time
    due_s = clock()
    end_s = due_s + seconds
    while due_s < end_s:
        publication.push(next(source))
        due_s += 1 / SOURCE_FPS
        await asyncio.sleep(max(0.0, due_s - clock()))


async def collect(tap: PacketTap, ages_ms: list[float]) -> None:
    async for packet in tap:
        age_ms = (monotonic_us() - packet.pts_us) / 1000
        ages_ms.append(age_ms)


async def first_packet_ms(stream: Stream, loop: MediaLoop, codec: str) -> float:
    began_us = monotonic_us()
    async with stream.take(codec) as rendition:
        with PacketTap(loop, rendition, codec, capacity=8) as tap:
            packet = await asyncio.wait_for(anext(tap), 5)
    assert packet.is_key
    return (monotonic_us() - began_us) / 1000


def obvious_ages_ms(seconds: float) -> list[float]:
    """A thread that encodes what waits in a queue without a bound."""
    waiting: queue.Queue[Frame | None] = queue.Queue()
    ages_ms: list[float] = []
    settings = EncoderSettings("h264", SIZE, 30, 4_000_000, 4_000_000)

    def encode() -> None:
        encoder, _ = open_slow(settings)
        while (frame := waiting.get()) is not None:
            encoder.encode(frame)
            ages_ms.append((monotonic_us() - frame.pts_us) / 1000)
        encoder.close()

    thread = threading.Thread(target=encode)
    thread.start()
    end_s = time.monotonic() + seconds
    for frame in pictures():
        if time.monotonic() > end_s:
            break
        waiting.put(frame)
        time.sleep(1 / SOURCE_FPS)
    while not waiting.empty():
        waiting.get()
    waiting.put(None)
    thread.join()
    return ages_ms


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def overload() -> list[float]:
    loop = MediaLoop()
    await loop.start([])
    publication = FramePublication("publish:x")
    settings = StreamSettings(bitrate_bps=4_000_000, fps=60)
    stream = Stream(
        "publish:x", publication, settings, replay_bytes=375_000, screenshot=None, start=start_encoder(None, open_slow)
    )
    await stream.open(loop)
    source = pictures()
    ages_ms: list[float] = []
    tap = stream.packets()
    collecting = asyncio.create_task(collect(tap, ages_ms))
    await push_for(publication, source, WARM_UP_S)
    ages_ms.clear()
    before_mb, cpu_s = rss_mb(), time.process_time()
    await push_for(publication, source, SECONDS)
    grown_mb, cpu_s = rss_mb() - before_mb, time.process_time() - cpu_s
    (rendition,) = stream.stats().renditions
    counts = rendition.frames
    print(
        f"\n{SECONDS:.0f} s of {SOURCE_FPS} pictures a second for an encoder of {ENCODER_FPS}: {len(ages_ms)} packets, "
        f"age p50 {median(ages_ms):.0f} p95 {quantile(ages_ms, 0.95):.0f} most {max(ages_ms):.0f} ms; "
        f"memory {grown_mb:+.1f} MB; CPU {cpu_s / SECONDS:.0%}\n{counts}"
    )
    assert counts.pushed == counts.delivered + counts.queued + sum(counts.dropped.values())
    overloaded_ms = list(ages_ms)
    assert grown_mb < MOST_GROWTH_MB
    await asyncio.sleep(STATIC_S)
    late = {codec: await first_packet_ms(stream, loop, codec) for codec in ("h264", "vp8", "vp9", "av1")}
    print(f"after {STATIC_S:.0f} s without a picture, first packet of a late viewer:", end=" ")
    print(", ".join(f"{codec} {ms:.0f} ms" for codec, ms in late.items()))
    collecting.cancel()
    tap.close()
    await stream.close()
    await loop.close()
    return overloaded_ms


def test_overload() -> None:
    ages_ms = asyncio.run(overload())
    queued_ms = obvious_ages_ms(min(SECONDS, 10))
    print(f"a queue instead, after 10 s: age p50 {median(queued_ms):.0f} most {max(queued_ms):.0f} ms")
    assert quantile(ages_ms, 0.95) * BETTER < max(queued_ms)


if __name__ == "__main__":
    pytest.main([__file__, "-s"])
