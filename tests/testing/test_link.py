"""The emulated link: its model in virtual time, and the relay."""

import asyncio

import pytest

from mediacore.testing.link import EmulatedLink, Link, LinkOptions


def test_without_options_everything_passes_at_once() -> None:
    link = Link(LinkOptions())
    assert [link.offer(5.0, 1200) for _ in range(3)] == [5.0, 5.0, 5.0]


def test_the_bottleneck_sends_one_after_the_other() -> None:
    link = Link(LinkOptions(rate_bps=1_000_000, delay_ms=20))
    assert link.offer(0.0, 1250) == pytest.approx(30.0)
    assert link.offer(0.0, 1250) == pytest.approx(40.0)
    assert link.offer(100.0, 1250) == pytest.approx(130.0)


def test_a_full_queue_drops_what_comes_last() -> None:
    link = Link(LinkOptions(rate_bps=1_000_000, queue_ms=100))  # 12 500 bytes
    arrivals = [link.offer(0.0, 1250) for _ in range(12)]
    assert [at is None for at in arrivals] == [False] * 10 + [True] * 2
    assert (link.passed, link.overflowed) == (10, 2)
    assert link.offer(10.0, 1250) is not None, "one has left, so there is room for one"


def test_loss_is_as_asked_and_the_same_for_a_seed() -> None:
    def lost(seed: int) -> list[bool]:
        link = Link(LinkOptions(loss=0.05, seed=seed))
        return [link.offer(float(n), 1000) is None for n in range(10_000)]

    assert 400 < sum(lost(7)) < 600
    assert lost(7) == lost(7) != lost(8)


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data.upper(), addr)  # type: ignore[attr-defined]


class Inbox(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.received.put_nowait(data)


async def test_the_relay_carries_both_ways_and_tells_viewers_apart() -> None:
    loop = asyncio.get_running_loop()
    server, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    port = server.get_extra_info("sockname")[1]
    answer = (
        "v=0\r\n"
        f"a=candidate:1 1 udp 2130706431 127.0.0.1 {port} typ host\r\n"
        f"a=candidate:2 1 udp 2130706430 ::1 {port} typ host\r\na=end-of-candidates\r\n"
    )
    async with EmulatedLink(down=LinkOptions(delay_ms=5)) as link:
        told = link.through(answer)
        assert told.count("a=candidate") == 1
        assert f"127.0.0.1 {link.address[1]} typ host" in told
        viewers = [await loop.create_datagram_endpoint(Inbox, remote_addr=link.address) for _ in range(2)]
        async with asyncio.timeout(5):
            for n, (transport, inbox) in enumerate(viewers):
                while inbox.received.empty():  # the first ones are lost while the way back is being opened
                    transport.sendto(b"viewer %d" % n)
                    await asyncio.sleep(0.01)
                assert await inbox.received.get() == b"VIEWER %d" % n
        assert link.down.passed >= 2
        assert all(late >= 0 for late in link.late_ms)
        for transport, _ in viewers:
            transport.close()
    server.close()


async def test_an_answer_without_an_address_is_refused() -> None:
    async with EmulatedLink(down=LinkOptions()) as link:
        with pytest.raises(ValueError, match="no IPv4 host candidate"):
            link.through("v=0\r\n")
