"""Host addresses and the sockets on them."""

import asyncio
import ipaddress
from pathlib import Path

import ifaddr
import pytest
from aioice.stun import Class, Message, Method
from aiortc import RTCIceGatherer

from mediacore.errors import NoLocalAddressError
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


async def test_candidates_are_ours_with_distinct_priorities() -> None:
    gatherer = RTCIceGatherer(iceServers=[])
    port = IcePort(gatherer, ["127.0.0.1", "::1"])
    candidates = await port.gather()
    assert [c.ip for c in candidates] == ["127.0.0.1", "::1"]
    assert candidates[0].priority > candidates[1].priority
    await gatherer._connection.close()


async def test_no_socket_is_an_error_before_ice_starts() -> None:
    gatherer = RTCIceGatherer(iceServers=[])
    port = IcePort(gatherer, ["203.0.113.77"])  # no address of this machine (RFC 5737)
    with pytest.raises(NoLocalAddressError, match=r"203\.0\.113\.77"):
        await port.gather()


async def test_a_full_socket_holds_the_sender_back() -> None:
    gatherer = RTCIceGatherer(iceServers=[])
    port = IcePort(gatherer, ["127.0.0.1"])
    await port.gather()
    (protocol,) = gatherer._connection._protocols
    protocol.pause_writing()
    assert not port.writable.is_set()
    protocol.resume_writing()
    assert port.writable.is_set()
    await gatherer._connection.close()


async def test_what_waits_for_dtls_is_bounded() -> None:
    gatherer = RTCIceGatherer(iceServers=[])
    port = IcePort(gatherer, ["127.0.0.1"])
    for _ in range(MAX_QUEUED_DATAGRAMS + 5):
        gatherer._connection.data_received(b"\x16", 1)
    assert gatherer._connection._queue.qsize() == MAX_QUEUED_DATAGRAMS
    assert port.dropped_datagrams == 5


async def test_addresses_learnt_from_checks_are_bounded_and_a_check_without_priority_is_not_taken() -> None:
    gatherer = RTCIceGatherer(iceServers=[])
    connection = gatherer._connection
    port = IcePort(gatherer, ["127.0.0.1"], max_addresses=0)
    await port.gather()
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
    await connection.close()
