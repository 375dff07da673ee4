"""A network link between a viewer and a server: rate, queue, delay and loss, in front of one UDP address.

``Link`` is the model, in virtual time: a drop-tail queue of bytes before a bottleneck of a given rate, then a delay;
what is lost by chance is lost behind the bottleneck, so it still uses capacity. ``EmulatedLink`` is the UDP relay that
puts two of them, one each way, between the two ends: the viewer is told the relay's address instead of the server's
(``through`` rewrites the candidates of an SDP answer). No privileges are needed.

Honesty: the relay notes how late it hands on what is due. On a busy machine that is what is measured, not the link:
look at ``late_ms`` before believing a figure.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

MAX_LATENESSES: Final = 100_000
MAX_VIEWERS: Final = 256
"""Addresses on the viewers' side of one relay; each has a socket towards the server."""
_CANDIDATE: Final = re.compile(r"^(a=candidate:\S+ \d+ udp \d+ )(\S+) (\d+)( typ host.*)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """One direction of a link."""

    rate_bps: float = 0.0
    """Bits per second through the bottleneck; 0 is no bottleneck."""
    queue_ms: float = 300.0
    """What the queue before the bottleneck holds, in ms at its rate; more is dropped."""
    delay_ms: float = 0.0
    """One-way delay behind the bottleneck."""
    loss: float = 0.0
    """Share of datagrams lost by chance, 0 to 1."""
    seed: int = 1
    """Of the chance."""

    @property
    def queue_bytes(self) -> float:
        """What the queue holds."""
        return self.rate_bps * self.queue_ms / 8000


class Link:
    """The model of one direction; times are in ms of any clock that does not run backwards."""

    def __init__(self, options: LinkOptions) -> None:
        self._options = options
        self._random = random.Random(options.seed)
        self._free_ms = 0.0  # when the bottleneck has sent what it has
        self.passed = 0
        """Datagrams that come out at the other end."""
        self.lost = 0
        """Datagrams lost by chance."""
        self.overflowed = 0
        """Datagrams that found the queue full."""

    def offer(self, now_ms: float, size: int) -> float | None:
        """A datagram of ``size`` bytes comes; when it arrives at the other end, in ms, or None if it never does."""
        leaves_ms = now_ms
        if self._options.rate_bps:
            waits_ms = max(0.0, self._free_ms - now_ms)
            if waits_ms * self._options.rate_bps / 8000 + size > self._options.queue_bytes:
                self.overflowed += 1
                return None
            leaves_ms = now_ms + waits_ms + size * 8000 / self._options.rate_bps
            self._free_ms = leaves_ms
        if self._options.loss and self._random.random() < self._options.loss:
            self.lost += 1
            return None
        self.passed += 1
        return leaves_ms + self._options.delay_ms


class _Direction:
    """A link and what is on its way through it."""

    def __init__(self, options: LinkOptions, late_ms: deque[float]) -> None:
        self.link = Link(options)
        self._loop = asyncio.get_running_loop()
        self._late_ms = late_ms
        self._due: deque[tuple[float, bytes, asyncio.DatagramTransport, tuple[str, int] | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def take(self, data: bytes, transport: asyncio.DatagramTransport, to: tuple[str, int] | None) -> None:
        at_ms = self.link.offer(self._loop.time() * 1000, len(data))
        if at_ms is None:
            return
        self._due.append((at_ms, data, transport, to))  # the model never lets one overtake another
        self._send()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due.clear()

    def _send(self) -> None:
        now_ms = self._loop.time() * 1000
        while self._due and self._due[0][0] <= now_ms:
            at_ms, data, transport, to = self._due.popleft()
            self._late_ms.append(now_ms - at_ms)
            if not transport.is_closing():
                transport.sendto(data, to)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due:
            self._timer = self._loop.call_at(self._due[0][0] / 1000, self._send)


class _ViewerSide(asyncio.DatagramProtocol):
    def __init__(self, relay: EmulatedLink) -> None:
        self._relay = relay

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._relay.from_viewer(data, addr)


class _ServerSide(asyncio.DatagramProtocol):
    def __init__(self, relay: EmulatedLink, viewer: tuple[str, int]) -> None:
        self._relay = relay
        self._viewer = viewer

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._relay.from_server(data, self._viewer)


class EmulatedLink:
    """A UDP relay on 127.0.0.1 with a link in each direction: ``async with EmulatedLink(down=LinkOptions(...))``.

    Args:
        down: from the server to the viewer.
        up: from the viewer to the server.
    """

    def __init__(self, *, down: LinkOptions, up: LinkOptions | None = None) -> None:
        self._options = (down, up or LinkOptions())
        self._server: tuple[str, int] | None = None
        self._front: asyncio.DatagramTransport | None = None
        self._backs: dict[tuple[str, int], asyncio.Future[asyncio.DatagramTransport]] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._late_ms: deque[float] = deque(maxlen=MAX_LATENESSES)
        self._down: _Direction | None = None
        self._up: _Direction | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._down, self._up = (_Direction(options, self._late_ms) for options in self._options)
        self._front, _ = await loop.create_datagram_endpoint(lambda: _ViewerSide(self), local_addr=("127.0.0.1", 0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for direction in (self._down, self._up):
            if direction is not None:
                direction.close()
        for back in self._backs.values():
            if back.done() and not back.cancelled():
                back.result().close()
        if self._front is not None:
            self._front.close()
        await asyncio.sleep(0)  # the transports close their sockets

    @property
    def down(self) -> Link:
        """The link to the viewer, with its counts."""
        assert self._down is not None
        return self._down.link

    @property
    def up(self) -> Link:
        """The link to the server, with its counts."""
        assert self._up is not None
        return self._up.link

    @property
    def late_ms(self) -> list[float]:
        """How late each datagram was handed on, in ms: what the relay itself added."""
        return list(self._late_ms)

    @property
    def address(self) -> tuple[str, int]:
        """Where viewers send to."""
        assert self._front is not None
        host, port = self._front.get_extra_info("sockname")[:2]
        return str(host), int(port)

    def through(self, answer_sdp: str) -> str:
        """The server's answer with its host candidates replaced by this relay; the server is then known to it."""
        lines: list[str] = []
        found = False
        for line in answer_sdp.splitlines():
            match = _CANDIDATE.match(line)
            if match is None:
                lines.append(line)
            elif not found and ":" not in match[2]:
                found = True
                self._server = (match[2], int(match[3]))
                host, port = self.address
                lines.append(f"{match[1]}{host} {port}{match[4]}")
        if not found:
            raise ValueError("the answer has no IPv4 host candidate by UDP")
        return "\r\n".join(lines) + "\r\n"

    def from_viewer(self, data: bytes, viewer: tuple[str, int]) -> None:
        """A datagram of a viewer."""
        back = self._backs.get(viewer)
        if back is None:
            if len(self._backs) >= MAX_VIEWERS:
                return
            back = self._backs[viewer] = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(self._open(viewer, back))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        if back.done() and self._up is not None:  # what comes before is lost, as on a link that is just coming up
            self._up.take(data, back.result(), None)

    def from_server(self, data: bytes, viewer: tuple[str, int]) -> None:
        """A datagram for a viewer."""
        if self._down is not None and self._front is not None:
            self._down.take(data, self._front, viewer)

    async def _open(self, viewer: tuple[str, int], back: asyncio.Future[asyncio.DatagramTransport]) -> None:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _ServerSide(self, viewer), remote_addr=self._server
        )
        back.set_result(transport)
