"""What a viewer's ICE connection gets instead of the addresses that aioice would take: ours, and watched.

Policy: every address that is up is offered, loopback too, so that a viewer on this machine connects whatever the
network is like. Link-local addresses are left out: aioice cannot carry their scope. All that comes from outside is
bounded: the addresses learnt from checks, and the datagrams that wait for DTLS.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ifaddr
from aioice.candidate import candidate_priority
from aioice.stun import TransactionError

from mediacore.errors import NoLocalAddressError
from mediacore.rtc.contract import override

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aioice import Candidate
    from aioice.ice import StunProtocol
    from aioice.stun import Message
    from aiortc import RTCIceCandidate, RTCIceGatherer

SEND_BUFFER_BYTES: Final = 1 << 20
"""A key frame leaves in one burst; the default of 208 KiB holds about 90 full packets with the kernel's overhead."""
MAX_QUEUED_DATAGRAMS: Final = 1024
"""About 1.5 MB; a DTLS handshake has a dozen."""
MAX_LEARNT_ADDRESSES: Final = 32
"""Addresses of one viewer that are learnt from its checks; a browser uses one to four."""
PROBE_S: Final = 0.5
"""How long aioice waits for the response to one check (its first retransmission time)."""
POLL_S: Final = 0.02
"""How often aioice's ``connect`` looks at its check list."""
IFF_UP: Final = 0x1
_NETWORK_INTERFACES = Path("/sys/class/net")


def host_addresses() -> list[str]:
    """Every address of this machine that is up: public and private ones first, loopback last; no link-local ones.

    Raises:
        NoLocalAddressError: there is none.
    """
    found: dict[str, tuple[bool, int]] = {}
    for adapter in ifaddr.get_adapters():
        if not _is_up(adapter.name):
            continue
        for entry in adapter.ips:
            text = entry.ip if isinstance(entry.ip, str) else entry.ip[0]
            address = ipaddress.ip_address(text.partition("%")[0])
            if not (address.is_link_local or address.is_unspecified or address.is_multicast):
                found[str(address)] = (address.is_loopback, address.version)
    if not found:
        raise NoLocalAddressError(
            "no network address is up, not even 127.0.0.1: bring up an interface (ip link set lo up)"
        )
    return sorted(found, key=lambda address: found[address])


def _is_up(interface: str) -> bool:
    """True also where the system does not tell, as for an alias."""
    try:
        return bool(int((_NETWORK_INTERFACES / interface / "flags").read_text(), 16) & IFF_UP)
    except (OSError, ValueError):
        return True


class IcePort:
    """The sockets of one ICE connection.

    Args:
        gatherer: a fresh one; its connection is ours from now on.
        addresses: what to bind to, the preferred first.
        max_addresses: how many remote addresses the viewer has told of at most.
    """

    def __init__(self, gatherer: RTCIceGatherer, addresses: Sequence[str], *, max_addresses: int = 0) -> None:
        self._gatherer = gatherer
        self._connection = gatherer._connection
        self._addresses = list(addresses)
        self._max_addresses = max_addresses + MAX_LEARNT_ADDRESSES
        self._gathering: asyncio.Task[None] | None = None
        self.writable = asyncio.Event()
        """Cleared while the socket's buffer is full."""
        self.writable.set()
        self.heard_s = asyncio.get_running_loop().time()
        """When something authenticated last came from the viewer, on the loop's clock."""
        self.dropped_datagrams = 0
        """Datagrams that were not read because too many were waiting."""
        self.dropped_checks = 0
        """Authenticated checks that were not taken: malformed, or from too many addresses."""
        override(self._connection, "get_component_candidates", self._gather_ours)
        override(self._connection, "check_incoming", self._watch_checks)
        override(self._connection, "data_received", self._bound_queue)

    async def gather(self) -> list[RTCIceCandidate]:
        """Open the sockets; the candidates they give.

        Raises:
            NoLocalAddressError: none could be opened.
        """
        # aioice forgets the sockets it has opened so far when it is cancelled: it must run to its end.
        self._gathering = asyncio.create_task(self._gatherer.gather(), name="ice gathering")
        await asyncio.shield(self._gathering)
        candidates = self._gatherer.getLocalCandidates()
        if not candidates:
            raise NoLocalAddressError(f"no UDP socket could be opened on any of {', '.join(self._addresses)}")
        return candidates

    async def gathered(self) -> None:
        """Wait until no socket is being opened."""
        if self._gathering is not None:
            await asyncio.wait({self._gathering})

    def heard(self) -> None:
        """Something authenticated came from the viewer."""
        self.heard_s = asyncio.get_running_loop().time()

    async def probe(self) -> bool:
        """Ask the viewer for a sign of life by a STUN check; True if it answered within ``PROBE_S``."""
        pair = self._connection._nominated.get(1)
        password = self._connection.remote_password
        if pair is None or password is None:
            return False
        request = self._connection.build_request(pair, nominate=False)
        try:
            await pair.protocol.request(request, pair.remote_addr, integrity_key=password.encode(), retransmissions=0)
        except TransactionError:
            return False
        self.heard()
        return True

    async def settle(self) -> None:
        """To be called after a connection was closed while its ``connect`` was running elsewhere.

        aioice looks each 20 ms whether it is done; if it is closed just after the nomination, it begins its consent
        checks all the same, and they never end.
        """
        await asyncio.sleep(2 * POLL_S)
        await self._connection.close()

    def abort(self) -> None:
        """Close the sockets at once, whatever aioice is doing."""
        for protocol in list(self._connection._protocols):
            protocol.transport.abort()

    def _gather_ours(self, stock: Callable[..., Any]) -> Callable[..., Any]:
        async def get_component_candidates(component: int, addresses: list[str], timeout: int = 5) -> list[Candidate]:
            del addresses  # what aioice found; it leaves 127.0.0.1 and ::1 out
            found: list[Candidate] = await stock(component, self._addresses, timeout)
            for rank, candidate in enumerate(found):  # distinct priorities (RFC 8445 section 5.1.2)
                candidate.priority = candidate_priority(component, candidate.type, 65_535 - rank)
            for protocol in self._connection._protocols:
                self._prepare(protocol)
            return found

        return get_component_candidates

    def _prepare(self, protocol: StunProtocol) -> None:
        protocol.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        override(protocol, "pause_writing", lambda _: self.writable.clear)
        override(protocol, "resume_writing", lambda _: self.writable.set)

    def _watch_checks(self, stock: Callable[..., Any]) -> Callable[..., Any]:
        def check_incoming(message: Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
            known = self._connection.remote_candidates
            is_new = len(known) >= self._max_addresses and all((c.host, c.port) != addr for c in known)
            if is_new or "PRIORITY" not in message.attributes:
                self.dropped_checks += 1
                return
            self.heard()
            stock(message, addr, protocol)

        return check_incoming

    def _bound_queue(self, stock: Callable[..., Any]) -> Callable[..., Any]:
        def data_received(data: bytes, component: int) -> None:
            if self._connection._queue.qsize() < MAX_QUEUED_DATAGRAMS:
                stock(data, component)
            else:
                self.dropped_datagrams += 1

        return data_received
