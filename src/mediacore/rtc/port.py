"""The media loop's sockets as the sockets of one viewer's ICE connection.

Policy: every address that is up is offered, loopback too, so that a viewer on this machine connects whatever the
network is like. Link-local addresses are left out: aioice cannot carry their scope. All that comes from outside is
bounded: the addresses learnt from checks, and the datagrams that wait for DTLS. aioice opens no socket; what it sends
goes through the media loop, which also answers the viewer's checks.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ifaddr
from aioice import Candidate
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol
from aioice.stun import TransactionError

from mediacore.errors import NoLocalAddressError
from mediacore.media import CandidatePair
from mediacore.rtc.contract import ice_connection, override
from mediacore.rtc.ice_servers import reflexive_address, resolve
from mediacore.rtc.port_transport import PortTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aioice.stun import Message
    from aiortc import RTCIceCandidate, RTCIceGatherer

    from mediacore.rtc.ice_servers import IceServer, Relay

log = logging.getLogger(__name__)

MAX_QUEUED_DATAGRAMS: Final = 256
"""What waits for DTLS before it starts; a handshake has a dozen."""
MAX_LEARNT_ADDRESSES: Final = 32
"""Addresses of one viewer that are learnt from its checks; a browser uses one to four."""
MAX_PREFERENCE: Final = 65_535
"""Of a candidate among those of its type (RFC 8445 section 5.1.2.1)."""
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
    """Puts the media loop's sockets under one ICE connection.

    Args:
        gatherer: a fresh one; its connection is ours from now on.
        send: sends a datagram from the socket of that index to (host, port); False if it was not taken.
        advertised: addresses outside of a NAT that forwards each port to the same port here.
        stun_server: tells our address outside of a NAT of another kind.
        max_addresses: how many remote addresses the viewer has told of at most.
    """

    def __init__(
        self,
        gatherer: RTCIceGatherer,
        send: Callable[[int, str, int, bytes], bool],
        *,
        advertised: Sequence[str] = (),
        stun_server: IceServer | None = None,
        max_addresses: int = 0,
    ) -> None:
        self._gatherer = gatherer
        self._connection = ice_connection(gatherer)
        self._send = send
        self._advertised = advertised
        self._stun_server = stun_server
        self._max_addresses = max_addresses + MAX_LEARNT_ADDRESSES
        self._sockets: Sequence[tuple[str, int]] = ()
        self._protocols: dict[int, StunProtocol] = {}
        self._relay: Relay | None = None
        self.dropped_sends = 0
        """Datagrams of ICE and DTLS that the media loop did not take."""
        self.dropped_datagrams = 0
        """Datagrams that were not read, because too many were waiting or they are malformed."""
        self.dropped_checks = 0
        """Authenticated checks that were not taken: malformed, or from too many addresses."""
        override(self._connection, "get_component_candidates", lambda _: self._gather_ours)
        override(self._connection, "check_incoming", self._watch_checks)
        override(self._connection, "data_received", self._bound_queue)

    async def gather(self, sockets: Sequence[tuple[str, int]], relay: Relay | None = None) -> list[RTCIceCandidate]:
        """The candidates that the sockets give, and those that servers tell of.

        Args:
            sockets: (address, port) of each, the preferred first.
            relay: not yet open.

        Raises:
            NoLocalAddressError: there is none. ICE must not be started then: aioice would never come to an end.
        """
        self._sockets = sockets
        self._relay = relay
        await self._gatherer.gather()
        candidates = self._gatherer.getLocalCandidates()
        if not candidates:
            raise NoLocalAddressError("the media loop has no UDP socket: no network address was up when it started")
        return candidates

    def datagram(self, index: int, host: str, port: int, data: bytes) -> None:
        """A datagram came in on the socket of that index."""
        relay, protocol = self._relay, self._protocols.get(index)
        try:
            if relay is not None and index == relay.socket:
                relay.datagram(host, port, data)
            elif protocol is not None and not protocol.transport.is_closing():
                protocol.datagram_received(data, (host, port))
        except struct.error:  # aioice expects lengths of attributes that it has not checked
            self.dropped_datagrams += 1

    async def probe(self) -> bool:
        """Ask the viewer for a sign of life by a STUN check; True if it answered within aioice's half second."""
        pair = self._connection._nominated.get(1)
        password = self._connection.remote_password
        if pair is None or password is None:
            return False
        request = self._connection.build_request(pair, nominate=False)
        try:
            await pair.protocol.request(request, pair.remote_addr, integrity_key=password.encode(), retransmissions=0)
        except TransactionError:
            return False
        return True

    def pair(self, index: int, host: str, port: int, channel: int = 0) -> CandidatePair | None:
        """The candidates of the way from the socket of that index to (host, port), or to the channel's peer."""
        protocol = self._protocols.get(index)
        if protocol is None:
            return None
        local = protocol.local_candidate
        if channel and self._relay is not None:
            host, port = self._relay.peer(channel) or (host, port)
        known = (c.type for c in self._connection.remote_candidates if (c.host, c.port) == (host, port))
        return CandidatePair(
            local=_text(local.host, local.port),
            local_type=local.type,
            remote=_text(host, port),
            remote_type=next(known, "prflx"),
        )

    def abort(self) -> None:
        """Close the transports at once, whatever aioice is doing."""
        for protocol in list(self._connection._protocols):
            if isinstance(protocol.transport, PortTransport):
                protocol.transport.abort()
        if self._relay is not None:
            self._relay.abort()

    async def _gather_ours(self, component: int, addresses: list[str], timeout: int = 5) -> list[Candidate]:
        del addresses, timeout  # aioice's own addresses leave 127.0.0.1 and ::1 out
        found = []
        for index, (host, port) in enumerate(self._sockets):
            protocol = StunProtocol(self._connection)
            protocol.connection_made(PortTransport(protocol, (host, port), self._sends_from(index)))
            protocol.local_candidate = _candidate("host", index, (host, port), component)
            self._protocols[index] = protocol
            self._connection._protocols.append(protocol)
            found.append(protocol.local_candidate)
        found += self._outside(found, component)
        told = await asyncio.gather(self._reflexive(found, component), self._relayed(component))
        return found + [candidate for candidates in told for candidate in candidates]

    def _sends_from(self, index: int) -> Callable[[str, int, bytes], None]:
        def send(host: str, port: int, data: bytes) -> None:
            self.dropped_sends += not self._send(index, host, port, data)

        return send

    def _outside(self, hosts: Sequence[Candidate], component: int) -> list[Candidate]:
        """Candidates of the advertised addresses: what a NAT in front shows the viewer; they are text only."""
        found = []
        for rank, address in enumerate(self._advertised):
            base = _base_of(address, hosts)
            if base is None:
                log.warning("%s is not advertised: no socket of its address family is open", address)
                continue
            candidate = _candidate("srflx", rank, (address, base.port), component, base=base)
            found.append(candidate)
        return found

    async def _reflexive(self, hosts: Sequence[Candidate], component: int) -> list[Candidate]:
        """Candidates of the addresses that the STUN server sees; they are text only."""
        if self._stun_server is None:
            return []
        try:
            server = await resolve(self._stun_server)
        except OSError as error:
            log.warning("the STUN server %s is not found: %s", self._stun_server, error)
            return []
        asked = [
            (protocol.local_candidate, reflexive_address(protocol, server))
            for protocol in self._protocols.values()
            if _may_reach(protocol.local_candidate.host, server[0])
        ]
        seen = await asyncio.gather(*(question for _, question in asked))
        known = {(candidate.host, candidate.port) for candidate in hosts}
        return [
            _candidate("srflx", rank, address, component, base=base)
            for rank, ((base, _), address) in enumerate(zip(asked, seen, strict=True), len(self._advertised))
            if address is not None and address not in known
        ]

    async def _relayed(self, component: int) -> list[Candidate]:
        if self._relay is None:
            return []
        protocol = StunProtocol(self._connection)
        opened = await self._relay.open(protocol)
        if opened is None:
            return []
        relayed, mapped = opened
        protocol.local_candidate = candidate = _candidate("relay", 0, relayed, component)
        candidate.related_address, candidate.related_port = mapped
        self._protocols[self._relay.socket] = protocol
        self._connection._protocols.append(protocol)
        return [candidate]

    def _watch_checks(self, stock: Callable[..., Any]) -> Callable[..., Any]:
        def check_incoming(message: Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
            known = self._connection.remote_candidates
            is_new = len(known) >= self._max_addresses and all((c.host, c.port) != addr for c in known)
            if is_new or "PRIORITY" not in message.attributes:
                self.dropped_checks += 1
                return
            stock(message, addr, protocol)

        return check_incoming

    def _bound_queue(self, stock: Callable[..., Any]) -> Callable[..., Any]:
        def data_received(data: bytes, component: int) -> None:
            if self._connection._queue.qsize() < MAX_QUEUED_DATAGRAMS:
                stock(data, component)
            else:
                self.dropped_datagrams += 1

        return data_received


def _candidate(
    kind: str, rank: int, address: tuple[str, int], component: int, *, base: Candidate | None = None
) -> Candidate:
    """``rank``: among the candidates of its kind; distinct priorities (RFC 8445 section 5.1.2)."""
    return Candidate(
        foundation=candidate_foundation(kind, "udp", base.host if base is not None else address[0]),
        component=component,
        transport="udp",
        priority=candidate_priority(component, kind, MAX_PREFERENCE - rank),
        host=address[0],
        port=address[1],
        type=kind,
        related_address=base.host if base is not None else None,
        related_port=base.port if base is not None else None,
    )


def _may_reach(own: str, server: str) -> bool:
    """Loopback reaches loopback only, and an address those of its family."""
    ours, theirs = ipaddress.ip_address(own), ipaddress.ip_address(server)
    return ours.version == theirs.version and ours.is_loopback == theirs.is_loopback


def _text(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _base_of(address: str, hosts: Sequence[Candidate]) -> Candidate | None:
    """The candidate behind an advertised address: the preferred of its family, loopback last."""
    version = ipaddress.ip_address(address).version
    same = [c for c in hosts if ipaddress.ip_address(c.host).version == version]
    same.sort(key=lambda c: ipaddress.ip_address(c.host).is_loopback)
    return same[0] if same else None
