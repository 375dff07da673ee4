"""STUN and TURN servers: the address they see us at, and the relay they are for viewers who reach us no other way.

Policy: a server that does not answer within ``SERVER_TIMEOUT_S`` costs its candidates and nothing else. A relay is used
over a socket of the media loop that belongs to one viewer: aioice's client allocates it, binds a channel to each peer
and keeps it alive, the media loop sends the media through these channels. Only UDP, both ways. Runs on one asyncio
loop.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aioice.stun import Class, Message, Method, TransactionError
from aioice.turn import TurnClientUdpProtocol, TurnTransport

from mediacore.errors import LimitError
from mediacore.media_loop import command
from mediacore.rtc.contract import override
from mediacore.rtc.port_transport import PortTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from aioice.ice import StunProtocol

    from mediacore import _core

log = logging.getLogger(__name__)

DEFAULT_PORT: Final = 3478
"""Of STUN and TURN over UDP (RFC 8489 section 18.6)."""
SERVER_TIMEOUT_S: Final = 2.0
"""For one server's answer: less than the time for our answer to the viewer."""
DELETE_TIMEOUT_S: Final = 0.5
"""For the server to hear that a relay is not needed any more; it would find out by itself."""
LIFETIME_S: Final = 600
"""Of an allocation; aioice renews it (RFC 8656 section 3.2)."""
CHANNEL_LIFETIME_S: Final = 600
"""RFC 8656 section 12."""
RENEWAL_S: Final = 240
"""How often channels are bound again: the permissions that come with them last 300 s (RFC 8656 section 9)."""

_FAILURES: Final = (ConnectionError, OSError, TimeoutError, TransactionError, LimitError)


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server."""

    host: str
    """Its name or address."""
    port: int = DEFAULT_PORT
    """Its UDP port."""
    username: str | None = None
    """Our name there; TURN only."""
    password: str | None = None
    """Our password there; TURN only."""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


async def resolve(server: IceServer) -> tuple[str, int]:
    """Address and port of a server; raises ``OSError``."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(server.host, server.port, type=socket.SOCK_DGRAM)
    address: tuple[Any, ...] = found[0][4]
    return str(address[0]), int(address[1])


async def reflexive_address(protocol: StunProtocol, server: tuple[str, int]) -> tuple[str, int] | None:
    """The address and port that a STUN server sees datagrams of this socket come from; None if it does not tell."""
    request = Message(Method.BINDING, Class.REQUEST)
    try:
        async with asyncio.timeout(SERVER_TIMEOUT_S):
            response, _ = await protocol.request(request, server)
    except _FAILURES as error:
        log.warning("the STUN server %s does not answer: %s", server[0], error or "no response in time")
        return None
    mapped: tuple[str, int] | None = response.attributes.get("XOR-MAPPED-ADDRESS")
    return mapped


class Relay:
    """One viewer's allocation at a TURN server (RFC 8656).

    Args:
        native: the media loop.
        viewer: its number of the viewer.
        server: the server.
    """

    def __init__(self, native: _core.MediaLoop, viewer: int, server: IceServer) -> None:
        self._native = native
        self._viewer = viewer
        self._server = server
        self._address = ("", 0)
        self._turn = TurnClientUdpProtocol(
            self._address,
            username=server.username,
            password=server.password,
            lifetime=LIFETIME_S,
            channel_refresh_time=CHANNEL_LIFETIME_S,
        )
        self._inner: PortTransport | None = None
        self._protocol: StunProtocol | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._peers: dict[int, tuple[str, int]] = {}
        self.socket = 0
        """The media loop's index of the socket to the server; 0 before ``open``."""

    async def open(self, protocol: StunProtocol) -> tuple[tuple[str, int], tuple[str, int]] | None:
        """Allocate it for an ICE protocol: (relay's address, our address as the server sees it); None if it fails."""
        try:
            async with asyncio.timeout(SERVER_TIMEOUT_S):
                return await self._open(protocol)
        except _FAILURES as error:
            log.warning("the TURN server %s gives no relay: %s", self._server, error or "no response in time")
            self.abort()
            return None
        except BaseException:
            self.abort()
            raise

    def datagram(self, host: str, port: int, data: bytes) -> None:
        """Something came in: from the server, or through it from a peer."""
        if self._inner is None or self._inner.is_closing():
            return
        if (host, port) == self._address:
            self._turn.datagram_received(data, self._address)
        elif self._protocol is not None:
            self._protocol.datagram_received(data, (host, port))

    def peer(self, channel: int) -> tuple[str, int] | None:
        """Whom a channel leads to."""
        return self._peers.get(channel)

    def abort(self) -> None:
        """Send nothing more; the server forgets the relay when it is not renewed."""
        if self._inner is not None:
            self._inner.abort()

    async def _open(self, protocol: StunProtocol) -> tuple[tuple[str, int], tuple[str, int]]:
        turn = self._turn
        self._address = turn.server = await resolve(self._server)
        own = _source_address(self._address)
        with command():
            self.socket, port = self._native.open_relay_socket(self._viewer, own, *self._address)
        self._inner = _ServerTransport(turn, (own, port), self._send, self._ended)
        turn.connection_made(self._inner)
        override(turn, "channel_bind", self._bind)
        override(turn, "delete", _hasten)
        transport = TurnTransport(turn)
        self._protocol = protocol
        await transport._connect(protocol)
        relayed, mapped = turn.relayed_address, turn.mapped_address
        assert relayed is not None
        assert mapped is not None
        self._renewing = asyncio.create_task(self._renew(), name="turn channels")
        return relayed, mapped

    def _send(self, host: str, port: int, data: bytes) -> None:
        self._native.send_datagram(self._viewer, self.socket, host, port, data)

    def _bind(self, stock: Callable[..., Any]) -> Callable[..., Any]:
        async def channel_bind(number: int, peer: tuple[str, int]) -> None:
            await stock(number, peer)
            self._peers[number] = peer
            with command():
                self._native.bind_channel(self._viewer, self.socket, *self._address, number, *peer)

        return channel_bind

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEWAL_S)
            for number, peer in list(self._peers.items()):
                try:
                    await self._turn.channel_bind(number, peer)
                except _FAILURES as error:
                    log.warning("the TURN server %s does not renew a channel: %s", self._server, error)

    def _ended(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()


class _ServerTransport(PortTransport):
    """The way to the server: every datagram goes there."""

    def __init__(
        self,
        protocol: TurnClientUdpProtocol,
        address: tuple[str, int],
        send: Callable[[str, int, bytes], None],
        on_close: Callable[[], None],
    ) -> None:
        super().__init__(protocol, address, send)
        self._server = protocol.server
        self._on_close = on_close

    def sendto(self, data: Any, addr: Any = None) -> None:
        super().sendto(data, self._server)

    def close(self) -> None:
        super().close()
        self._on_close()


def _hasten(stock: Callable[..., Any]) -> Callable[..., Any]:
    async def delete() -> None:
        try:
            async with asyncio.timeout(DELETE_TIMEOUT_S):
                await stock()
        except TimeoutError:
            log.info("the TURN server has not confirmed the end of a relay")

    return delete


def _source_address(server: tuple[str, int]) -> str:
    """The local address that datagrams to the server leave from; nothing is sent. Raises ``OSError``."""
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as route:
        route.connect(server)
        own: str = route.getsockname()[0]
        return own
