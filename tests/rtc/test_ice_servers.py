"""Addresses that a STUN server tells of, and media through a TURN server: the real coturn, on loopback."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aioice.stun import Class, Message, Method, TransactionError, parse_message
from aiortc import RTCIceGatherer
from left_behind import fill_thread_pool

from mediacore.media import CloseReason
from mediacore.rtc import ice_servers
from mediacore.rtc.ice_servers import IceServer
from mediacore.rtc.port import IcePort
from mediacore.settings import RtcSettings

NAME, PASSWORD = "viewer", "secret"
START_TRIES = 100


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Asker(asyncio.DatagramProtocol):
    """Waits for any datagram."""

    def __init__(self) -> None:
        self.answered = asyncio.Event()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.answered.set()


async def answers(port: int) -> None:
    """Ask until the server answers; nothing else tells when it listens."""
    loop = asyncio.get_running_loop()
    transport, asker = await loop.create_datagram_endpoint(Asker, remote_addr=("127.0.0.1", port))
    try:
        for _ in range(START_TRIES):
            transport.sendto(bytes(Message(Method.BINDING, Class.REQUEST)))
            try:
                await asyncio.wait_for(asker.answered.wait(), 0.1)
            except TimeoutError:
                continue
            return
        raise TimeoutError("the TURN server does not answer")
    finally:
        transport.close()


@pytest.fixture
async def turn_server(tmp_path: Path) -> AsyncIterator[str]:
    """HOST:PORT of a TURN server of our own."""
    if shutil.which("turnserver") is None:
        pytest.skip("coturn is not installed (scripts/apt-deps test)")
    await fill_thread_pool()  # names are looked up there
    port = free_udp_port()
    server = await asyncio.create_subprocess_exec(
        *("turnserver", "-n", "--no-cli", "--no-tls", "--no-dtls", "--no-tcp", "--lt-cred-mech", "--realm", "test"),
        *("--listening-ip", "127.0.0.1", "--listening-port", str(port), "--relay-ip", "127.0.0.1"),
        *("--user", f"{NAME}:{PASSWORD}", "--allow-loopback-peers", "--log-file", "stdout"),
        *("--pidfile", str(tmp_path / "pid"), "--userdb", str(tmp_path / "users")),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await answers(port)
        yield f"127.0.0.1:{port}"
    finally:
        server.kill()
        await server.wait()


def settings(turn_server: str, **options: Any) -> RtcSettings:
    return RtcSettings(turn_server=turn_server, turn_username=NAME, turn_password=PASSWORD, **options)


def only_relayed(client: Any, answer: str) -> str:
    """The answer with our relay alone, for a client that hears nobody else."""
    lines = answer.split("\r\n")
    relays = [line for line in lines if line.startswith("a=candidate:") and " typ relay " in line]
    places = {(bits[4], int(bits[5])) for bits in (line.split() for line in relays)}
    for protocol in client.gatherer._connection._protocols:
        protocol.datagram_received = hearing(places, protocol.datagram_received)
    assert relays
    return "\r\n".join(line for line in lines if not line.startswith("a=candidate:") or line in relays)


def hearing(places: set[tuple[str, int]], stock: Callable[..., None]) -> Callable[..., None]:
    def datagram_received(data: bytes, addr: Any) -> None:
        if tuple(addr[:2]) in places:
            stock(data, addr)

    return datagram_received


async def test_media_and_messages_through_a_relay(
    connect: Callable[..., Any], turn_server: str, nothing_left: None
) -> None:
    async with connect(settings(turn_server), through=only_relayed) as both:
        both.play()
        await both.client.wait_frames(20)
        pair = both.viewer.stats().pair
        assert (pair.local_type, pair.relayed) == ("relay", True)
        assert pair.local.startswith("127.0.0.1:")
        (used,) = both.client.gatherer._connection._nominated.values()
        assert pair.local == f"{used.remote_addr[0]}:{used.remote_addr[1]}"
        assert pair.remote == f"{used.local_addr[0]}:{used.local_addr[1]}"
        await asyncio.wait_for(both.client.opened.wait(), 5)
        both.client.channel.send("hello")
        assert await asyncio.wait_for(both.messages.get(), 5) == "hello"
        await both.client.close()
        assert await asyncio.wait_for(both.viewer.wait_closed(), 5) is CloseReason.VIEWER_LEFT


async def test_channels_are_renewed(
    connect: Callable[..., Any], turn_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ice_servers, "RENEWAL_S", 0.05)
    renewed = asyncio.Event()
    async with connect(settings(turn_server), through=only_relayed) as both:
        both.play()
        await both.client.wait_frames(1)
        turn = both.viewer._transport._port._relay._turn
        stock = turn.channel_bind

        async def channel_bind(number: int, peer: tuple[str, int]) -> None:
            await stock(number, peer)
            renewed.set()

        turn.channel_bind = channel_bind
        await asyncio.wait_for(renewed.wait(), 5)
        await both.client.wait_frames(5, more=True)


@pytest.mark.parametrize("wrong", ["password", "nobody there", "no such name"])
async def test_a_server_that_gives_no_relay_costs_the_relay_alone(
    connect: Callable[..., Any], turn_server: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ice_servers, "SERVER_TIMEOUT_S", 0.3)
    options = {
        "password": RtcSettings(turn_server=turn_server, turn_username=NAME, turn_password="wrong"),
        "nobody there": settings(f"127.0.0.1:{free_udp_port()}"),
        "no such name": settings("no-such-host.invalid"),
    }
    async with connect(options[wrong]) as both:
        assert " typ relay " not in both.answer
        both.play()
        await both.client.wait_frames(2)


class Asked:
    """A port whose datagrams are answered as a STUN server would."""

    def __init__(self, mapped: tuple[str, int] | None) -> None:
        self.gatherer = RTCIceGatherer(iceServers=[])
        self.port = IcePort(self.gatherer, self.send, stun_server=IceServer("192.0.2.200"), advertised=["203.0.113.9"])
        self.mapped = mapped
        self.asked: list[tuple[int, str, int]] = []

    def send(self, index: int, host: str, port: int, data: bytes) -> bool:
        self.asked.append((index, host, port))
        request = parse_message(data)
        response = Message(Method.BINDING, Class.RESPONSE, transaction_id=request.transaction_id)
        if self.mapped is not None:
            response.attributes["XOR-MAPPED-ADDRESS"] = self.mapped
        asyncio.get_running_loop().call_soon(self.port.datagram, index, host, port, bytes(response))
        return True


@pytest.mark.parametrize(
    ("mapped", "candidates"),
    [(("203.0.113.7", 4711), [("203.0.113.7", 4711)]), (("192.0.2.1", 4000), []), (None, [])],
    ids=["outside", "the same", "not told"],
)
async def test_the_address_that_a_stun_server_sees_is_told(
    mapped: tuple[str, int] | None, candidates: list[tuple[str, int]]
) -> None:
    asked = Asked(mapped)
    found = await asked.port.gather([("192.0.2.1", 4000), ("127.0.0.1", 4000), ("2001:db8::1", 4000)])
    assert asked.asked == [(0, "192.0.2.200", 3478)], "loopback and IPv6 do not reach it"
    told = [c for c in found if c.type == "srflx"]
    assert [(c.ip, c.port) for c in told] == [("203.0.113.9", 4000), *candidates]
    assert len({c.priority for c in found}) == len(found)
    await asked.gatherer._connection.close()


async def test_a_stun_server_that_is_silent_costs_its_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice_servers, "SERVER_TIMEOUT_S", 0.05)
    gatherer = RTCIceGatherer(iceServers=[])
    port = IcePort(gatherer, lambda *_: True, stun_server=IceServer("192.0.2.200"))
    found = await port.gather([("192.0.2.1", 4000)])
    assert [c.type for c in found] == ["host"]
    await gatherer._connection.close()


async def test_a_relay_ends_even_if_its_server_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice_servers, "DELETE_TIMEOUT_S", 0.05)

    async def stock() -> None:
        await asyncio.Event().wait()

    await asyncio.wait_for(ice_servers._hasten(stock)(), 5)

    async def refused() -> None:
        raise TransactionError

    with pytest.raises(TransactionError):
        await ice_servers._hasten(refused)()
