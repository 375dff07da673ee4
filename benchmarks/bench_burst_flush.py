"""How long after its last byte is an access unit of a raw stream handed on, and what do pauses of the link do to it?

A writer process sends a phone's screen at 60 frames a second over a socket pair, and then nothing, as a screen that
stands still; the reader is the media loop itself, by way of a tap, or a peer on the asyncio loop. On a quick link a
unit is one write; on the others units are cut somewhere and the rest comes after a pause.

What ends a unit is
- media loop: BurstFlush, set to 1 ms, in native code; then the tap's way to Python, which is part of the delay;
- adaptive: the same flush and parser, driven from Python;
- fixed: the same parser, but every pause of 1 ms ends a unit, whatever the link does;
- next unit: the same parser without a flush, only the beginning of the next unit ends one;
- idle only: 1 ms without bytes, and the bytes are not looked at;
- libavcodec: its parser by way of PyAV.

A unit is intact if it was handed on as it was sent. After a cut unit the parser hands on nothing up to the next key
frame (here: each second; the product asks for one), so that nothing broken is shown unnoticed; what that costs shows in
the units that are not intact.
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
import sys
from dataclasses import dataclass, field
from itertools import accumulate, compress, pairwise
from pathlib import Path
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any

import av
import pytest

import streams
from mediacore.h264 import AccessUnitParser, BurstFlush
from mediacore.media_loop import MediaLoop, monotonic_us
from mediacore.stream.packet_tap import PacketTap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FPS = 60
STILL_S = 0.4
IDLE_US = 1000
STREAM = "screen_720p_4_slices"
ROUNDS = 3
WRITER = Path(__file__).parent / "paced_writer.py"
RESULTS = Path(__file__).parent / "results" / "burst_flush.json"


class FixedFlush:
    """As BurstFlush to its reader, but learns nothing; `idle_us` None: never."""

    def __init__(self, idle_us: int | None) -> None:
        self._idle_us = idle_us

    def observe(self, now_us: int, data: object) -> int | None:
        return None if self._idle_us is None else now_us + self._idle_us

    def flushed(self, now_us: int) -> None:
        """Learns nothing."""


@dataclass
class Received:
    """What a reader handed on."""

    units: list[tuple[int, bytes]] = field(default_factory=list)
    """Time in µs of the monotonic clock, and the unit."""
    wrong_flushes: int = 0
    """Those that the reader knows of."""
    end: asyncio.Event = field(default_factory=asyncio.Event)


class LoopReader:
    """The media loop, and a tap."""

    def __init__(self, loop: MediaLoop, sock: socket.socket) -> None:
        self.received = Received()
        rendition = loop.add_rendition(self, codec="h264", replay_bytes=0)
        self._tap = PacketTap(loop, rendition, "h264", capacity=1024)
        self._source = loop.add_source(sock, rendition, self, idle_us=IDLE_US)
        self._taking = asyncio.create_task(self._take(loop))

    async def _take(self, loop: MediaLoop) -> None:
        async for packet in self._tap:
            self.received.units.append((monotonic_us(), bytes(packet.data)))
        self.received.wrong_flushes = loop.native.source_figures(self._source)["cut_units"]
        await loop.close()
        self.received.end.set()

    def described(self, *_: object) -> None:
        """Not of interest."""

    def key_frame_wanted(self) -> None:
        """Not of interest."""

    def current(self, epoch: int) -> None:
        """Not of interest."""

    def damaged(self) -> None:
        """Counted by the loop."""

    def ended(self, error_number: int, head: bytes, reason: str) -> None:
        self._tap.end(None)


class FlushReader(asyncio.Protocol):
    """The parser and a flush on the asyncio loop."""

    def __init__(self, flush: BurstFlush | FixedFlush) -> None:
        self.received = Received()
        self._parser = AccessUnitParser()
        self._flush = flush
        self._timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        deadline_us = self._flush.observe(monotonic_us(), data)
        self.received.units += [(monotonic_us(), bytes(unit.data)) for unit in self._parser.push(data)]
        self.received.wrong_flushes = self._parser.stats().cut_units
        if self._timer is not None:
            self._timer.cancel()
        if deadline_us is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline_us / 1e6, self._idle)

    def _idle(self) -> None:
        self._flush.observe(monotonic_us(), b"")
        unit = self._parser.flush()
        if unit is not None:
            self._flush.flushed(monotonic_us())
            self.received.units.append((monotonic_us(), bytes(unit.data)))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.received.end.set()


class IdleReader(asyncio.Protocol):
    """Bytes up to a pause are a unit."""

    def __init__(self) -> None:
        self.received = Received()
        self._bytes = b""
        self._timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(IDLE_US / 1e6, self._idle)

    def _idle(self) -> None:
        self.received.units.append((monotonic_us(), self._bytes))
        self._bytes = b""

    def connection_lost(self, exc: Exception | None) -> None:
        self.received.end.set()


class LibavcodecReader(asyncio.Protocol):
    """Units as libavcodec's parser gives them."""

    def __init__(self) -> None:
        self.received = Received()
        self._codec = av.CodecContext.create("h264", "r")

    def data_received(self, data: bytes) -> None:
        packets = self._codec.parse(data)
        self.received.units += [(monotonic_us(), bytes(packet)) for packet in packets]

    def connection_lost(self, exc: Exception | None) -> None:
        self.data_received(b"")  # its flush
        self.received.end.set()


async def read_by_loop(sock: socket.socket) -> Received:
    loop = MediaLoop()
    await loop.start([])
    return LoopReader(loop, sock).received


async def read_by_protocol(sock: socket.socket, protocol: Callable[[], Any]) -> Received:
    _, reader = await asyncio.get_running_loop().create_connection(protocol, sock=sock)
    received: Received = reader.received
    return received


READERS: dict[str, Callable[[socket.socket], Any]] = {
    "media loop": read_by_loop,
    "adaptive": lambda sock: read_by_protocol(sock, lambda: FlushReader(BurstFlush(idle_us=IDLE_US))),
    "fixed": lambda sock: read_by_protocol(sock, lambda: FlushReader(FixedFlush(IDLE_US))),
    "next unit": lambda sock: read_by_protocol(sock, lambda: FlushReader(FixedFlush(None))),
    "idle only": lambda sock: read_by_protocol(sock, IdleReader),
    "libavcodec": lambda sock: read_by_protocol(sock, LibavcodecReader),
}


@dataclass
class Sums:
    """One reader's rounds on one link."""

    sent: int = 0
    intact: int = 0
    broken: int = 0
    """Handed on, but not as it was sent."""
    wrong_flushes: int = 0
    delays_ms: list[float] = field(default_factory=list)
    """From the last byte's write to the unit, of intact ones."""
    last_ms: list[float] = field(default_factory=list)
    """The same, of the unit before the screen stood still; infinite if it was not handed on, or not intact."""

    def add(self, units: list[bytes], written_ns: list[int], received: Received) -> None:
        numbers = {unit: number for number, unit in enumerate(units)}
        assert len(numbers) == len(units)
        delays_ms = {
            numbers[unit]: at_us / 1e3 - written_ns[numbers[unit]] / 1e6
            for at_us, unit in received.units
            if unit in numbers
        }
        self.sent += len(units)
        self.intact += len(delays_ms)
        self.broken += len(received.units) - len(delays_ms)
        self.wrong_flushes += received.wrong_flushes
        self.delays_ms += delays_ms.values()
        self.last_ms.append(delays_ms.get(len(units) - 1, math.inf))

    def figures(self) -> dict[str, float]:
        delays = sorted(self.delays_ms) or [math.inf]
        return {
            "sent": self.sent,
            "intact": self.intact,
            "broken": self.broken,
            "wrong_flushes": self.wrong_flushes,
            "median_ms": median(delays),
            "p95_ms": delays[int(len(delays) * 0.95)],
            "last_median_ms": median(self.last_ms),
            "last_max_ms": max(self.last_ms),
        }


LINKS: dict[str, Callable[[int, Random], int]] = {
    "no pauses": lambda number, random: 0,
    "pauses of 0 to 5 ms": lambda number, random: random.randrange(5000),
    "pauses of 0 to 20 ms": lambda number, random: random.randrange(20_000),
    "pauses of 0 to 5 ms, after 1 s without": lambda number, random: random.randrange(5000) if number >= FPS else 0,
}
"""The pause in µs inside a unit, by its number."""

Piece = tuple[int, int, int, int]


def schedule(units: list[bytes], pause_us: Callable[[int, Random], int], random: Random) -> list[Piece]:
    """Pieces for the writer: a unit in one, or in two with a pause between them."""
    pieces: list[Piece] = []
    for number, (begin, end) in enumerate(pairwise(accumulate(map(len, units), initial=0))):
        at_us = number * 1_000_000 // FPS
        cut, pause = random.randrange(begin + 6, end), pause_us(number, random)
        pieces += [(at_us, 0, begin, cut), (at_us, pause, cut, end)] if pause else [(at_us, 0, begin, end)]
    return pieces


async def run(reader: str, file: Path, pieces: list[Piece]) -> tuple[list[int], Received]:
    """One round of one reader: when each unit had been written, and what was handed on."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs:
        writer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", WRITER, str(theirs.fileno())),
            pass_fds=[theirs.fileno()],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
    received = await READERS[reader](ours)
    order = {"file": str(file), "pieces": pieces, "still_s": STILL_S}
    output, _ = await asyncio.wait_for(writer.communicate(json.dumps(order).encode()), timeout=60)
    await asyncio.wait_for(received.end.wait(), timeout=5)
    # A unit ends where the next piece begins at another time, and with the last piece.
    last = [here[0] != following[0] for here, following in pairwise(pieces)] + [True]
    return list(compress(json.loads(output), last)), received


def table(link: str, figures: dict[str, dict[str, float]]) -> Iterator[str]:
    yield f"{link}: delay from the last byte's write in ms; units; wrong flushes"
    yield f"  {'':12}{'median':>9}{'p95':>9}{'last':>9}{'last max':>10}{'intact':>14}{'broken':>8}{'wrong':>7}"
    for reader, row in figures.items():
        yield (
            f"  {reader:12}{row['median_ms']:9.2f}{row['p95_ms']:9.2f}{row['last_median_ms']:9.2f}"
            f"{row['last_max_ms']:10.2f}{row['intact']:8} of {row['sent']:3}{row['broken']:6}{row['wrong_flushes']:7}"
        )


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, dict[str, dict[str, float]]]]:
    """By link and reader; written as JSON at the end."""
    collected: dict[str, dict[str, dict[str, float]]] = {}
    yield collected
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(collected, indent=2))


@pytest.mark.parametrize("link", LINKS)
async def test_delay(
    request: pytest.FixtureRequest, results: dict[str, dict[str, dict[str, float]]], link: str
) -> None:
    """The readers in turns, with the same pauses for all."""
    cache = request.config.cache.mkdir("streams")
    units, file = streams.access_units(STREAM, cache), streams.stream_file(STREAM, cache)
    readers = list(READERS) if link == "no pauses" else ["media loop", "adaptive", "fixed", "next unit"]
    sums = {reader: Sums() for reader in readers}
    for number in range(ROUNDS):
        pieces = schedule(units, LINKS[link], Random(number))
        for reader in readers:
            sums[reader].add(units, *await run(reader, file, pieces))
    assert sums["next unit"].broken == 0
    for reader in ("media loop", "adaptive"):
        assert sums[reader].broken == sums[reader].wrong_flushes, "each broken unit is noticed"
    figures = {reader: total.figures() for reader, total in sums.items()}
    results[link] = figures
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("", *table(link, figures), sep="\n")
