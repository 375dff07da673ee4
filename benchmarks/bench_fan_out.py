"""What does a further viewer of one stream cost, how late is the last of many, and how soon has a new one a picture?

Beside stock aiortc in the same run, with the plainest of its idioms (stock_server.py). Servers have a core of their
own; viewers are light_viewers.py in another process, with the kernel's arrival times. CPU is the server process's own
clock, so the kernel's work of delivering on loopback is in it, for all alike. Rounds are interleaved, medians are told.

MEDIACORE_BENCH_ROUNDS (3), MEDIACORE_BENCH_SECONDS (4) make it longer or shorter.
"""

from __future__ import annotations

import asyncio
import os
import random
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

import programs
import streams

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = int(os.environ.get("MEDIACORE_BENCH_ROUNDS", "3"))
SECONDS = float(os.environ.get("MEDIACORE_BENCH_SECONDS", "4"))
WARM_UP_S = 1.5
FPS = 30
CLOCKS = 16
JOINS = 6
"""Viewers that join a running stream in one round."""
STREAM = "screen_2Mbps_idr_2s"
KEPT: dict[str, Any] = {}


@pytest.fixture(scope="module", autouse=True)
def _keep() -> Any:
    yield
    programs.save("fan_out", KEPT)


async def load(kind: str, count: int, file: Path, ports: list[int] | None = None) -> dict[str, Any]:
    """`count` viewers: of the file, or one of each device, in turns."""
    source = {"ports": ports} if ports else {"file": file}
    async with getattr(programs, kind)(**source) as server, programs.viewers() as viewers:
        streams_of = [programs.url_of(server, kind, n % len(ports)) if ports else None for n in range(count)]
        urls = [url or programs.url_of(server, kind, file=file) for url in streams_of]
        return await measured(server, viewers, urls)


async def measured(server: programs.Program, viewers: programs.Program, urls: list[str]) -> dict[str, Any]:
    """A viewer for each URL, from connect to close."""
    await viewers.order("connect", urls=urls, first=False)
    await asyncio.sleep(WARM_UP_S)
    before_s = server.cpu_s()
    figures = await viewers.order("measure", seconds=SECONDS, fps=FPS)
    cpu_ms = (server.cpu_s() - before_s) * 1000
    await viewers.order("close")
    figures["cpu_ms_per_s_and_viewer"] = cpu_ms / SECONDS / len(urls)
    return figures


def row(name: str, rounds: list[dict[str, Any]]) -> str:
    def of(*keys: str) -> float:
        values = []
        for one in rounds:
            value: Any = one
            for key in keys:
                value = value[key]
            values.append(value)
        return median(values)

    return (
        f"  {name:34}{of('cpu_ms_per_s_and_viewer'):8.2f} ms/s per viewer   lateness p50 "
        f"{of('late_shared_ms', 'p50'):6.2f} p95 {of('late_shared_ms', 'p95'):6.2f} ms   "
        f"frames {sum(one['frames'] for one in rounds)} of "
        f"{sum(one['frames_due'] for one in rounds):.0f}, packets missing {sum(one['missing'] for one in rounds)}"
    )


@pytest.mark.timeout(900)
async def test_viewers_of_one_stream(request: pytest.FixtureRequest) -> None:
    file = streams.stream_file(STREAM, request.config.cache.mkdir("streams"))
    runs: dict[str, list[dict[str, Any]]] = {}
    for _ in range(ROUNDS):
        for kind, count in (("ours", 16), ("stock", 16), ("ours", 64)):
            runs.setdefault(f"{kind}, {count} viewers", []).append(await load(kind, count, file))
    ratio = median(
        stock["cpu_ms_per_s_and_viewer"] / ours["cpu_ms_per_s_and_viewer"]
        for stock, ours in zip(runs["stock, 16 viewers"], runs["ours, 16 viewers"], strict=True)
    )
    KEPT["viewers"] = {"rounds": runs, "stock_to_ours_cpu_16": ratio}
    title = f"{STREAM}: lateness from the earliest viewer's, medians of {ROUNDS} rounds"
    programs.show(
        request, title, *(row(name, rounds) for name, rounds in runs.items()), f"  stock / ours at 16: {ratio:.1f}x"
    )


@pytest.mark.timeout(900)
async def test_streams_with_clocks_of_their_own(request: pytest.FixtureRequest) -> None:
    """16 devices with one viewer each, and one device with 16."""
    file = streams.stream_file(STREAM, request.config.cache.mkdir("streams"))
    runs: dict[str, list[dict[str, Any]]] = {}
    for _ in range(ROUNDS):
        for kind in ("ours", "stock"):
            for devices in (1, CLOCKS):
                async with programs.devices(file, FPS, devices) as ports:
                    name = f"{kind}, {devices} device{'s' * (devices > 1)}"
                    runs.setdefault(name, []).append(await load(kind, CLOCKS, file, ports))
    ratios = {
        kind: median(
            many["cpu_ms_per_s_and_viewer"] / one["cpu_ms_per_s_and_viewer"]
            for many, one in zip(runs[f"{kind}, {CLOCKS} devices"], runs[f"{kind}, 1 device"], strict=True)
        )
        for kind in ("ours", "stock")
    }
    KEPT["clocks"] = {"rounds": runs, "many_to_one_cpu": ratios}
    programs.show(
        request,
        f"{CLOCKS} viewers, device sockets; lateness holds the devices' clocks where there are several",
        *(row(name, rounds) for name, rounds in runs.items()),
        "  " + ", ".join(f"{kind}: {CLOCKS} clocks cost {ratio:.2f}x of one" for kind, ratio in ratios.items()),
    )


@pytest.mark.timeout(900)
async def test_recordings_with_one_viewer_each(request: pytest.FixtureRequest) -> None:
    """16 recordings that begin at their own times, whose pictures the engine plays on common ticks; and one with 16."""
    folder = request.config.cache.mkdir("streams")
    file = streams.stream_file(STREAM, folder)
    files = [folder / f"{STREAM}.{n}.h264" for n in range(CLOCKS)]
    for link in files:
        if not link.is_symlink():
            link.symlink_to(file.name)
    arguments = [word for link in files for word in ("--file", str(link))]
    runs: dict[str, list[dict[str, Any]]] = {"1 recording": [], f"{CLOCKS} recordings": []}
    for _ in range(ROUNDS):
        runs["1 recording"].append(await load("ours", CLOCKS, file))
        async with programs.ours(None, None, *arguments) as server, programs.viewers() as viewers:
            urls = [programs.url_of(server, "ours", file=link) for link in files]
            runs[f"{CLOCKS} recordings"].append(await measured(server, viewers, urls))
    one, many = runs.values()
    ratio = median(b["cpu_ms_per_s_and_viewer"] / a["cpu_ms_per_s_and_viewer"] for a, b in zip(one, many, strict=True))
    KEPT["recordings"] = {"rounds": runs, "many_to_one_cpu": ratio}
    lines = (row(name, rounds) for name, rounds in runs.items())
    programs.show(request, f"{CLOCKS} viewers", *lines, f"  {CLOCKS} recordings cost {ratio:.2f}x of one")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("every", ["500ms", "2s"])
async def test_first_picture(request: pytest.FixtureRequest, every: str) -> None:
    """POST to the last packet of the first whole IDR; joins spread evenly over the time between two IDRs."""
    file = streams.stream_file(f"screen_2Mbps_idr_{every}", request.config.cache.mkdir("streams"))
    interval_s = {"500ms": 0.5, "2s": 2.0}[every]
    count = JOINS * ROUNDS
    places = [(n + 0.5) / count for n in range(count)]
    random.Random(1).shuffle(places)
    first: dict[str, list[float]] = {"ours": [], "stock": []}
    async with programs.ours(file) as ours, programs.stock(file) as stock, programs.viewers() as viewers:
        servers = {"ours": ours, "stock": stock}
        for kind, server in servers.items():  # the stream runs from now on; the first viewer pays for what is made once
            await viewers.order("connect", urls=[programs.url_of(server, kind, file=file)])
        loop = asyncio.get_running_loop()
        for place in places:
            for kind, server in servers.items():
                # IDRs are on absolute schedules of unknown phase: evenly spread places in the interval are enough.
                now = loop.time()
                await asyncio.sleep((place * interval_s - now) % interval_s)
                answer = await viewers.order("connect", urls=[programs.url_of(server, kind, file=file)])
                first[kind] += answer["first_ms"]
    KEPT[f"first_picture_idr_{every}"] = first
    programs.show(
        request,
        f"First whole IDR after the POST, an IDR each {every}, {count} joins",
        *(f"  {kind:6} median {median(ms):7.0f} ms   worst {max(ms):7.0f} ms" for kind, ms in first.items()),
    )
