"""A key frame of 200 kB: how fast does it leave without a pacer, how is it spread with one, what does a slow link drop?

Beside stock aiortc, which has no pacer, in the same run; one light viewer with the kernel's arrival times of all
packets.

MEDIACORE_BENCH_SECONDS (5) is the length of one part.
"""

from __future__ import annotations

import asyncio
import os
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

import programs
import streams

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = float(os.environ.get("MEDIACORE_BENCH_SECONDS", "5"))
WARM_UP_S = 2.0
FPS = 30
LARGE_BYTES = 100_000
STREAM = "screen_1080p_large_idr"
LINK_BPS = 3_000_000
QUEUE_MS = 300
START_BPS = 10_000_000
UDP_BYTES = 28
"""IPv4 and UDP headers, which the link's rate does not count here."""
KEPT: dict[str, Any] = {}


@pytest.fixture(scope="module", autouse=True)
def _keep() -> Iterator[None]:
    yield
    programs.save("burst", KEPT)


async def arrivals(kind: str, file: Any, *more: str) -> list[tuple[int, int, int]]:
    """(arrival in ns, RTP timestamp, bytes) of all packets."""
    server = programs.ours(file, None, *more) if kind == "ours" else programs.stock(file)
    async with server as running, programs.viewers() as viewers:
        await viewers.order("connect", urls=[programs.url_of(running, kind, file=file)])
        await asyncio.sleep(WARM_UP_S)
        figures = await viewers.order("measure", seconds=SECONDS, fps=FPS, packets=True)
        await viewers.order("close")
    return [(at_ns, timestamp, size) for at_ns, timestamp, size in figures["all"][0]]


def large_frames_ms(packets: list[tuple[int, int, int]]) -> list[float]:
    """First to last packet of each large frame."""
    frames = [list(frame) for _, frame in groupby(packets, key=lambda packet: packet[1])]
    large = [frame for frame in frames if sum(size for _, _, size in frame) >= LARGE_BYTES]
    return [(frame[-1][0] - frame[0][0]) / 1e6 for frame in large]


def most_in(packets: list[tuple[int, int, int]], window_ms: float) -> int:
    """The most bytes that came within any window of that length."""
    most = total = begin = 0
    for end_ns, _, size in packets:
        total += size
        while end_ns - packets[begin][0] > window_ms * 1e6:
            total -= packets[begin][2]
            begin += 1
        most = max(most, total)
    return most


@pytest.mark.timeout(300)
async def test_pacer_off_and_on(request: pytest.FixtureRequest) -> None:
    file = streams.stream_file(STREAM, request.config.cache.mkdir("streams"))
    packets = {
        "ours, pacer off": await arrivals("ours", file, "--no-pacing"),
        "ours, default pacing": await arrivals("ours", file),
        "ours, pacing, start rate 3 Mb/s": await arrivals("ours", file, "--start-rate", str(LINK_BPS)),
        "stock": await arrivals("stock", file),
    }
    windows = (1, 5, 20, 100)
    lines = []
    for name, got in packets.items():
        times, bursts = large_frames_ms(got), {window: most_in(got, window) for window in windows}
        KEPT[name] = {"large_frame_ms": times, "most_bytes_in_ms": bursts}
        most = ", ".join(f"{size / 1000:.0f} kB in {window} ms" for window, size in bursts.items())
        lines.append(f"  {name:32} key frame first to last packet {median(times):7.2f} ms   at most {most}")
    ratio = median(KEPT["stock"]["large_frame_ms"]) / median(KEPT["ours, pacer off"]["large_frame_ms"])
    programs.show(request, f"{STREAM}: on the wire", *lines, f"  stock / ours with the pacer off: {ratio:.1f}x")


@pytest.mark.timeout(300)
async def test_slow_link(request: pytest.FixtureRequest) -> None:
    """3 Mb/s with a queue of 300 ms: what overflows it is lost."""
    file = streams.stream_file(STREAM, request.config.cache.mkdir("streams"))
    lines = []
    for kind in ("ours", "stock"):
        server = programs.ours(file, None, "--start-rate", str(LINK_BPS)) if kind == "ours" else programs.stock(file)
        async with server as running, programs.viewers() as viewers:
            link = {"rate_bps": LINK_BPS, "queue_ms": QUEUE_MS}
            await viewers.order("connect", urls=[programs.url_of(running, kind, file=file)], first=False, link=link)
            await asyncio.sleep(WARM_UP_S)
            figures = await viewers.order("measure", seconds=2 * SECONDS, fps=FPS)
            await viewers.order("close")
        KEPT[f"link, {kind}"] = figures
        down = figures["link"]
        lines.append(
            f"  {kind:6} lost at the queue {down['overflowed']:5} of {down['passed'] + down['overflowed']:5}   "
            f"frames {figures['frames']} of {figures['frames_due']:.0f}   link late by p99 {down['late_ms_p99']:.2f} ms"
        )
    programs.show(request, f"{STREAM} over {LINK_BPS / 1e6:.0f} Mb/s with {QUEUE_MS} ms of queue", *lines)
