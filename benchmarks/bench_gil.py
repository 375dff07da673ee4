"""What does a thread that does not let go of the GIL do to pictures and to retransmission?

A device socket writes 30 pictures a second; one light viewer watches, drops each 50th packet on arrival and asks for it
again. Meanwhile nothing, or a thread of the server process holds the GIL half of the time in bursts of 100 ms (a call
by ctypes.PyDLL, as an extension that computes for long). Beside it stock aiortc in the same way. At last the GIL is
held for 8 s without a pause.

Of ours the stages inside come from the media loop's own figures: device's first byte to last datagram handed to the
kernel (`arrival`), complete access unit to the same (`handed`), NACK to retransmission (`nack`). From outside, for
both: lateness of frames against their schedule, and NACK to the repaired packet's arrival.

MEDIACORE_BENCH_SECONDS (9) is the length of one part; the figures' window inside is 256 pictures.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

import programs
import streams

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = float(os.environ.get("MEDIACORE_BENCH_SECONDS", "9"))
FPS = 30
WARM_UP_S = 1.0
LOSE = 50
BURST_MS = 100
HOLD_MS = 8000
STAGES = ("arrival", "handed", "nack")
STREAM = "screen_2Mbps_idr_2s"
OPTIONS: dict[str, tuple[str, ...]] = {"ours": (), "ours, no pacing": ("--no-pacing",)}
KEPT: dict[str, Any] = {}


@pytest.fixture(scope="module", autouse=True)
def _keep() -> Iterator[None]:
    yield
    programs.save("gil", KEPT)


def server_of(name: str, ports: list[int]) -> Any:
    """Ours, with or without pacing, or stock."""
    return programs.stock(ports=ports) if name == "stock" else programs.ours(None, ports, *OPTIONS[name])


async def part(server: programs.Program, viewers: programs.Program, url: str, *, held: bool) -> dict[str, Any]:
    """One viewer from connect to close, so that the figures inside are of this part alone."""
    await viewers.order("connect", urls=[url])
    await asyncio.sleep(WARM_UP_S)
    if held:
        await server.order("hold", burst_ms=BURST_MS, pause_ms=BURST_MS, seconds=SECONDS)
    figures = await viewers.order("measure", seconds=SECONDS, fps=FPS, lose=LOSE)
    inside = (await server.order("figures")).get("viewers", [{}])[0]
    figures["inside_us"] = {key: value for key, value in inside.items() if key.partition("_us_")[0] in STAGES}
    await viewers.order("close")
    return figures


def outside(name: str, free: dict[str, Any], held: dict[str, Any]) -> str:
    def both(kind: str, share: str) -> str:
        before, after = free[kind][share], held[kind][share]
        return f"{share} {before:8.2f} -> {after:8.2f} ms"

    return (
        f"  {name:16} lateness {both('late_ms', 'p50')}, {both('late_ms', 'p95')}   NACK -> repaired "
        f"{both('repaired_ms', 'p50')}, {both('repaired_ms', 'p95')}   "
        f"repaired {held['repaired']} of {held['dropped']}, longest gap {held['longest_gap_ms']:.0f} ms"
    )


def inside(stage: str, free: dict[str, Any], held: dict[str, Any]) -> str:
    shares = []
    for share in ("p50", "p95", "p99"):
        before, after = (one["inside_us"].get(f"{stage}_us_{share}", -1) / 1000 for one in (free, held))
        ratio = f"{after / before:5.2f}x" if before > 0 else "    -"
        shares.append(f"{share} {before:7.3f} -> {after:7.3f} ms {ratio}")
    return f"    {stage:8} " + "   ".join(shares)


@pytest.mark.timeout(600)
async def test_bursts_of_100_ms(request: pytest.FixtureRequest) -> None:
    file = streams.stream_file(STREAM, request.config.cache.mkdir("streams"))
    parts: dict[str, list[dict[str, Any]]] = {}
    for name in ("ours", "ours, no pacing", "stock"):
        async with (
            programs.devices(file, FPS, 1) as ports,
            server_of(name, ports) as server,
            programs.viewers() as viewers,
        ):
            url = programs.url_of(server, name.partition(",")[0])
            parts[name] = [await part(server, viewers, url, held=held) for held in (False, True)]
    KEPT["bursts"] = {kind: dict(zip(("free", "held"), both, strict=True)) for kind, both in parts.items()}
    programs.show(
        request,
        f"One viewer, GIL free -> held half of the time in bursts of {BURST_MS} ms",
        *(f"  {name:16}{inside(stage, *parts[name])}" for name in OPTIONS for stage in STAGES),
        *(outside(kind, *both) for kind, both in parts.items()),
    )


@pytest.mark.timeout(600)
async def test_held_once_for_8_s(request: pytest.FixtureRequest) -> None:
    """Pictures that come while the GIL is held; the viewer must live after it."""
    file = streams.stream_file(STREAM, request.config.cache.mkdir("streams"))
    held: dict[str, dict[str, Any]] = {}
    for kind in ("ours", "stock"):
        async with (
            programs.devices(file, FPS, 1) as ports,
            getattr(programs, kind)(ports=ports) as server,
            programs.viewers() as viewers,
        ):
            await viewers.order("connect", urls=[programs.url_of(server, kind)])
            await asyncio.sleep(WARM_UP_S)
            await server.order("hold", burst_ms=HOLD_MS, pause_ms=0, seconds=0.01)
            await asyncio.sleep(0.3)
            held[kind] = await viewers.order("measure", seconds=HOLD_MS / 1000 - 1, fps=FPS)
            await asyncio.sleep(2)
            held[kind]["after"] = await viewers.order("measure", seconds=1, fps=FPS)
            await viewers.order("close")
    KEPT["hold"] = held
    programs.show(
        request,
        f"The GIL held once for {HOLD_MS / 1000:.0f} s: pictures during {HOLD_MS / 1000 - 1:.0f} s of it",
        *(
            f"  {kind:6} {one['frames']:4} of {one['frames_due']:.0f} pictures, longest gap "
            f"{one['longest_gap_ms']:.0f} ms; in a second after it {one['after']['frames']}"
            for kind, one in held.items()
        ),
    )
