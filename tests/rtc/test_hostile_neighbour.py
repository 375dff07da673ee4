"""A viewer that floods us with all there is, and some who forge addresses: those beside them see every picture."""

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from aioice import stun
from aiortc.rtp import RtcpPsfbPacket, RtcpRtpfbPacket

from mediacore.media_loop import MediaLoop
from mediacore.rtc.description import Offered, VideoFormat
from mediacore.rtc.viewer import Viewer
from mediacore.settings import RtcSettings

PICTURES = 60
"""Of each good viewer, under attack: two seconds and more."""
GOOD = 3
BURST = 200
DTLS_CLOSE = bytes.fromhex("15fefd000000000000000100020100")
"""An alert that says close_notify, without a key."""
DTLS_GARBAGE = bytes([22, 0xFE, 0xFD]) + bytes(40)
FORGED_RTCP = bytes.fromhex("80c90001") + bytes(40)


def test_the_alert_is_whole() -> None:
    assert len(DTLS_CLOSE) == 13 + int.from_bytes(DTLS_CLOSE[11:13], "big")


@contextlib.asynccontextmanager
async def watching(
    loop: MediaLoop, client: Any, feed: Any, media: Offered, *, seen: bool = True
) -> AsyncIterator[Viewer]:
    viewer = Viewer(RtcSettings(), loop, on_message=lambda _: None)
    try:
        await client.accept(await viewer.negotiate(await client.offer(), media, feed.rendition))
        await viewer.connect()
        viewer.start_media(feed.rendition)
        if seen:
            await client.wait_frames(1)
        yield viewer
    finally:
        await viewer.close()
        await client.close()


def check_for(ufrag: str) -> bytes:
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    request.attributes["USERNAME"] = f"{ufrag}:x"
    request.attributes["PRIORITY"] = 1
    request.attributes["ICE-CONTROLLING"] = 7
    request.add_message_integrity(b"guessed")
    return bytes(request)


def absurd_rtcp(ssrc: int) -> Iterator[bytes]:
    """What authenticates, and is nonsense or too much."""
    yield bytes(RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=ssrc, lost=list(range(0, 65_536, 300))))
    yield bytes(RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=ssrc))
    # Transport-wide feedback of 65535 packets in one chunk, and one that ends in its middle.
    yield struct.pack("!BBHIIHHIH2x", 0x8F, 205, 5, 1, ssrc, 0, 0xFFFF, 0, 0x3FFF)
    yield struct.pack("!BBHIIHH", 0x8F, 205, 3, 1, ssrc, 0, 0xFFFF)
    yield bytes.fromhex("ffcaffff") + bytes(60)


class Attacker:
    """Floods from its own connection, from strange ports, and in the name of a neighbour."""

    def __init__(self, client: Any, victim: Any, port: int, ssrc: int) -> None:
        self._dtls = client.transceiver.receiver.transport
        self._protocols = [p.transport for p in client.gatherer._connection._protocols if p.transport is not None]
        self._victim = victim.transceiver.receiver.transport.transport._connection
        self._port = port
        self._ssrc = ssrc
        self._stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._stranger.setblocking(False)

    def stop_reading(self) -> None:
        for transport in self._protocols:
            transport._loop._remove_reader(transport.get_extra_info("socket").fileno())

    def close(self) -> None:
        self._stranger.close()

    async def flood(self) -> None:
        while True:
            for number in range(BURST):
                self._from_a_stranger(check_for(f"{number:x}"), FORGED_RTCP, DTLS_GARBAGE, b"\x00\x01", b"\xff" * 30)
                await self._dtls.transport._send(DTLS_GARBAGE)
                for packet in absurd_rtcp(self._ssrc):
                    await self._dtls._send_rtp(packet)
                if number % 20 == 0:
                    await self._as_the_neighbour()
                    await asyncio.sleep(0.001)

    def _from_a_stranger(self, *datagrams: bytes) -> None:
        for data in datagrams:
            with contextlib.suppress(BlockingIOError):
                self._stranger.sendto(data, ("127.0.0.1", self._port))

    async def _as_the_neighbour(self) -> None:
        for data in (DTLS_GARBAGE, DTLS_CLOSE, FORGED_RTCP, b"\x80\x60" + bytes(30)):
            await self._victim.send(data)


async def test_neighbours_of_a_hostile_viewer_see_every_picture(
    loop: MediaLoop,
    new_client: Any,
    new_feed: Callable[..., Any],
    units: list[tuple[bytes, bool]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, logger="mediacore.media_loop")
    feed = new_feed()
    playing = asyncio.create_task(feed.play(units, 33_333))
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(playing.cancel)
        good = [new_client(data=False) for _ in range(GOOD)]
        viewers = [
            await stack.enter_async_context(watching(loop, client, feed, Offered((VideoFormat("H264", "42c01f"),))))
            for client in good
        ]
        client = new_client(data=False)
        hostile = await stack.enter_async_context(
            watching(loop, client, feed, Offered((VideoFormat("H264", "42c01f"),)))
        )
        port = dict(loop.sockets(feed.rendition))["127.0.0.1"]
        attacker = Attacker(client, good[0], port, hostile._numbers.ssrc)
        stack.callback(attacker.close)
        attacker.stop_reading()
        flooding = asyncio.create_task(attacker.flood())
        began_s = asyncio.get_running_loop().time()
        try:
            await asyncio.gather(*(one.wait_frames(PICTURES, more=True) for one in good))
        finally:
            seconds = asyncio.get_running_loop().time() - began_s
            flooding.cancel()
            flood = (await asyncio.gather(flooding, return_exceptions=True))[0]
        assert isinstance(flood, asyncio.CancelledError), flood

        for viewer in viewers:
            assert not any(viewer.stats().dropped.values())
        figures = loop.native.loop_figures()
        for cause in ("unknown_ufrag", "unknown_address", "malformed", "rtcp_refused", "rtcp_limited", "quota_drops"):
            assert figures[cause] > 0, cause
        assert figures["faults"] == 0
        assert figures["events_queued"] < 4200
        lines = [record for record in caplog.records if "has dropped within the last second" in record.getMessage()]
        assert 1 <= len(lines) <= seconds + 1
    await asyncio.gather(playing, return_exceptions=True)
