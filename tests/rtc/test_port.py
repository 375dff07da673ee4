"""Host addresses and the sockets on them."""

import asyncio
import ipaddress
from pathlib import Path
from typing import Any

import ifaddr
import pytest
from aioice.stun import Class, Message, Method, parse_message
from aiortc import RTCIceGatherer

from mediacore.errors import NoLocalAddressError
from mediacore.media import CandidatePair
from mediacore.rtc import port as port_module
from mediacore.rtc.port import MAX_QUEUED_DATAGRAMS, IcePort, host_addresses


def adapter(name: str, *ips: str | tuple[str, int, int]) -> ifaddr.Adapter:
    return ifaddr.Adapter(name, name, [ifaddr.IP(ip, 24, name) for ip in ips])


def test_this_machine_has_loopback_last() -> None:
    found = host_addresses()
    assert "127.0.0.1" in found
    kinds = [ipaddress.ip_address(address).is_loopback for address in found]
    assert kinds == sorted(kinds)


def test_order_and_exclusions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, flags in (("lo", "0x9"), ("up0", "0x1003"), ("down0", "0x1002"), ("odd0", "what")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "flags").write_text(flags)
    monkeypatch.setattr(port_module, "_NETWORK_INTERFACES", tmp_path)
    adapters = [
        adapter("lo", "127.0.0.1", ("::1", 0, 0)),
        adapter("up0", "169.254.1.1", ("fe80::1", 0, 4), ("2001:db8::1", 0, 0), "192.0.2.1"),
        adapter("down0", "192.0.2.2"),
        adapter("odd0", "192.0.2.3"),
        adapter("up0:1", "192.0.2.4", "0.0.0.0"),
    ]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)
    assert host_addresses() == ["192.0.2.1", "192.0.2.3", "192.0.2.4", "2001:db8::1", "127.0.0.1", "::1"]


def test_no_address_at_all_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: [adapter("up0", ("fe80::1", 0, 4))])
    with pytest.raises(NoLocalAddressError, match="ip link set lo up"):
        host_addresses()


class Opened:
    """A port on sockets that exist in name only; what is sent is kept."""

    def __init__(self, sockets: list[tuple[str, int]], **options: Any) -> None:
        self.gatherer = RTCIceGatherer(iceServers=[], local_username="0123456789abcdef+1")
        self.connection = self.gatherer._connection
        self.sent: list[tuple[int, str, int, bytes]] = []
        self.takes = True
        self.sockets = sockets
        self.port = IcePort(self.gatherer, self.send, **options)

    def send(self, *datagram: Any) -> bool:
        self.sent.append(datagram)
        return self.takes

    async def __aenter__(self) -> "Opened":
        self.candidates = await self.port.gather(self.sockets)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.wait_for(self.connection.close(), 5)


async def test_candidates_are_the_loops_sockets_with_distinct_priorities() -> None:
    async with Opened([("127.0.0.1", 4000), ("::1", 4001)]) as opened:
        assert [(c.ip, c.port, c.type) for c in opened.candidates] == [
            ("127.0.0.1", 4000, "host"),
            ("::1", 4001, "host"),
        ]
        assert opened.candidates[0].priority > opened.candidates[1].priority
        assert opened.gatherer.getLocalParameters().usernameFragment == "0123456789abcdef+1"


async def test_no_socket_is_an_error_before_ice_starts() -> None:
    with pytest.raises(NoLocalAddressError):
        async with Opened([]):
            pass


async def test_each_socket_sends_by_its_index_until_it_is_closed() -> None:
    async with Opened([("192.0.2.1", 4000), ("127.0.0.1", 4000)]) as opened:
        first, second = (protocol.transport for protocol in opened.connection._protocols)
        assert second.get_extra_info("sockname") == ("127.0.0.1", 4000)
        first.sendto(b"one", ("192.0.2.9", 5000))
        opened.takes = False
        second.sendto(bytearray(b"two"), ("192.0.2.9", 5000))
        second.close()
        second.close()
        assert second.is_closing()
        second.sendto(b"three", ("192.0.2.9", 5000))
        assert opened.sent == [(0, "192.0.2.9", 5000, b"one"), (1, "192.0.2.9", 5000, b"two")]
        assert opened.port.dropped_sends == 1
        opened.port.abort()
        assert first.is_closing()


async def test_addresses_outside_of_a_nat_are_told_with_our_port() -> None:
    advertised = ["203.0.113.5", "2001:db8::5"]
    async with Opened([("127.0.0.1", 4001), ("192.0.2.1", 4000)], advertised=advertised) as opened:
        outside = opened.candidates[2:]
        assert [(c.ip, c.port, c.type) for c in outside] == [("203.0.113.5", 4000, "srflx")], "no IPv6 socket"
        assert (outside[0].relatedAddress, outside[0].relatedPort) == ("192.0.2.1", 4000)
        assert outside[0].priority < min(c.priority for c in opened.candidates[:2])
        assert len(opened.connection._protocols) == 2


async def test_a_check_is_answered_on_the_socket_that_it_came_to() -> None:
    async with Opened([("127.0.0.1", 4000), ("::1", 4001)]) as opened:
        check = Message(Method.BINDING, Class.REQUEST, attributes={"PRIORITY": 1})
        check.attributes["USERNAME"] = "0123456789abcdef+1:them"
        check.add_message_integrity(opened.connection.local_password.encode())
        opened.port.datagram(1, "::1", 5000, bytes(check))
        opened.port.datagram(7, "::1", 5000, bytes(check))  # no such socket
        ((index, host, port, data),) = opened.sent
        assert (index, host, port) == (1, "::1", 5000)
        assert parse_message(data).message_class == Class.RESPONSE
        assert opened.port.pair(1, "::1", 5000) == CandidatePair("[::1]:4001", "host", "[::1]:5000", "prflx")
        assert opened.port.pair(2, "::1", 5000) is None
        opened.port.abort()
        opened.port.datagram(1, "::1", 5000, bytes(check))
        assert len(opened.sent) == 1


async def test_stun_with_an_attribute_of_a_wrong_length_is_counted() -> None:
    """aioice raises struct.error for it, which would have reached the media loop's events."""
    async with Opened([("127.0.0.1", 4000)]) as opened:
        broken = bytes.fromhex("00010008 2112a442 000102030405060708090a0b 00240003 00000000".replace(" ", ""))
        opened.port.datagram(0, "127.0.0.1", 5000, broken)
        assert opened.port.dropped_datagrams == 1


async def test_what_waits_for_dtls_is_bounded() -> None:
    async with Opened([("127.0.0.1", 4000)]) as opened:
        for _ in range(MAX_QUEUED_DATAGRAMS + 5):
            opened.port.datagram(0, "127.0.0.1", 5000, b"\x16")
        assert opened.connection._queue.qsize() == MAX_QUEUED_DATAGRAMS
        assert opened.port.dropped_datagrams == 5


async def test_addresses_learnt_from_checks_are_bounded_and_a_check_without_priority_is_not_taken() -> None:
    async with Opened([("127.0.0.1", 4000)]) as opened:
        connection, port = opened.connection, opened.port
        connection.remote_username, connection.remote_password = "user", "p" * 22
        (protocol,) = connection._protocols
        for number in range(40):
            check = Message(Method.BINDING, Class.REQUEST, attributes={"PRIORITY": 1})
            connection.check_incoming(check, ("127.0.0.1", 1000 + number), protocol)
        assert len(connection.remote_candidates) == 32
        assert port.dropped_checks == 8
        connection.check_incoming(Message(Method.BINDING, Class.REQUEST), ("127.0.0.1", 1000), protocol)
        assert port.dropped_checks == 9
        assert not await asyncio.wait_for(port.probe(), 5), "nothing is nominated"
