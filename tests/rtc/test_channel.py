"""The control channel: both kinds of messages, limits, refusals, a lost datagram, and hostile SCTP."""

import asyncio
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest

from mediacore.rtc.channel import MAX_MALFORMED, MAX_REFUSED, SEND_BUFFER_BYTES
from mediacore.rtc.description import MAX_MESSAGE_BYTES


async def test_messages_go_both_ways_as_they_are(connect: Callable[..., Any], nothing_left: None) -> None:
    async with connect() as both:
        for message in (b"\x01\x02", b"", "händel", "", b"x" * MAX_MESSAGE_BYTES):
            await asyncio.wait_for(both.client.opened.wait(), 5)
            both.client.channel.send(message)
            assert await asyncio.wait_for(both.messages.get(), 5) == message
            assert both.viewer.send_message(message)
            assert await asyncio.wait_for(both.client.received.get(), 5) == message
        stats = both.viewer.stats().channel
        assert (stats.messages_received, stats.messages_sent, stats.send_drops) == (5, 5, 0)
        assert both.viewer.channel_open


async def test_no_channel_no_message(connect: Callable[..., Any]) -> None:
    async with connect(data=False) as both:
        assert not both.viewer.channel_open
        assert not both.viewer.send_message("hello")


@pytest.mark.parametrize("options", [{"label": "other"}, {"protocol": "mediacore.control.2"}])
async def test_other_channels_are_closed_and_counted(connect: Callable[..., Any], options: dict[str, str]) -> None:
    async with connect(**options) as both:
        closed = asyncio.Event()
        both.client.channel.on("close", closed.set)
        await asyncio.wait_for(closed.wait(), 5)
        assert both.viewer.stats().channel.refused == 1
        assert not both.viewer.channel_open


@pytest.mark.parametrize("options", [{"ordered": False}, {"maxRetransmits": 1}, {"maxPacketLifeTime": 10}, {}])
async def test_a_second_or_unreliable_one_is_closed(connect: Callable[..., Any], options: dict[str, Any]) -> None:
    async with connect() as both:
        await asyncio.wait_for(both.client.opened.wait(), 5)
        closed = asyncio.Event()
        another = both.client.pc.createDataChannel("control", protocol="mediacore.control.1", **options)
        another.on("close", closed.set)
        await asyncio.wait_for(closed.wait(), 5)
        assert both.viewer.channel_open


async def test_the_server_closes_the_channel_and_the_viewer_opens_another(connect: Callable[..., Any]) -> None:
    async with connect() as both:
        await asyncio.wait_for(both.client.opened.wait(), 5)
        closed, opened = asyncio.Event(), asyncio.Event()
        both.client.channel.on("close", closed.set)
        assert both.viewer.send_message("farewell")
        both.viewer.close_channel()
        assert await asyncio.wait_for(both.client.received.get(), 5) == "farewell"
        await asyncio.wait_for(closed.wait(), 5)
        assert not both.viewer.send_message("too late")
        again = both.client.pc.createDataChannel("control", protocol="mediacore.control.1")
        again.on("open", opened.set)
        await asyncio.wait_for(opened.wait(), 5)
        again.send("back")
        assert await asyncio.wait_for(both.messages.get(), 5) == "back"


async def test_too_long_a_message_is_dropped_and_counted(connect: Callable[..., Any]) -> None:
    async with connect() as both:
        await asyncio.wait_for(both.client.opened.wait(), 5)
        both.client.pc.sctp._remote_max_message_size = 0  # a client that ignores our limit
        both.client.channel.send(b"x" * (MAX_MESSAGE_BYTES + 1))
        both.client.channel.send("next")
        assert await asyncio.wait_for(both.messages.get(), 5) == "next"
        assert both.viewer.stats().channel.oversize == 1


async def test_what_waits_to_be_sent_is_bounded(connect: Callable[..., Any]) -> None:
    async with connect() as both:
        await asyncio.wait_for(both.client.opened.wait(), 5)
        message = b"x" * MAX_MESSAGE_BYTES
        taken = sum(both.viewer.send_message(message) for _ in range(20))
        assert taken == SEND_BUFFER_BYTES // MAX_MESSAGE_BYTES
        assert both.viewer.stats().channel.send_drops == 20 - taken
        for _ in range(taken):
            assert await asyncio.wait_for(both.client.received.get(), 5) == message
        assert both.viewer.send_message("room again")


async def test_a_longer_message_than_the_viewer_takes_is_dropped(connect: Callable[..., Any]) -> None:
    async with connect() as both:
        await asyncio.wait_for(both.client.opened.wait(), 5)
        both.viewer._channel._max_send_bytes = 10
        assert not both.viewer.send_message("x" * 11)
        both.viewer._channel._max_send_bytes = 0
        assert both.viewer.send_message("x" * 11)


def lose_next_data(sctp: Any) -> list[bytes]:
    """The next packet of an association that carries user data gets lost on the way out."""
    lost: list[bytes] = []
    dtls, stock = sctp.transport, sctp.transport._send_data

    async def send_data(data: bytes) -> None:
        if not lost and data[12] == 0:
            lost.append(data)
        else:
            await stock(data)

    dtls._send_data = send_data
    return lost


@pytest.mark.parametrize("warm", [False, True], ids=["first message", "later message"])
async def test_a_lost_datagram_costs_less_than_a_tenth_of_a_second(connect: Callable[..., Any], warm: bool) -> None:
    """RFC 9260's least timeout of 1 s made a lost control message 1003 ms late."""
    async with connect() as both:
        await asyncio.wait_for(both.client.opened.wait(), 5)
        for _ in range(3 if warm else 0):
            both.viewer.send_message("warm")
            await asyncio.wait_for(both.client.received.get(), 5)
        times = []
        for _ in range(3):
            lost = lose_next_data(both.viewer._channel._sctp)
            started = time.monotonic()
            assert both.viewer.send_message("hello")
            assert await asyncio.wait_for(both.client.received.get(), 5) == "hello"
            times.append(time.monotonic() - started)
            assert lost
        assert min(times) > 0.02
        assert min(times) < 0.1, "the machine may be busy once, not three times"


async def test_the_timeout_doubles_while_nothing_is_acknowledged(connect: Callable[..., Any]) -> None:
    async with connect() as both:
        await asyncio.wait_for(both.client.opened.wait(), 5)
        sctp = both.viewer._channel._sctp
        sctp._rto = 0.08
        sctp._t3_expired()
        assert sctp._rto == pytest.approx(0.16)


async def test_an_error_of_the_receiver_of_messages_ends_nothing(
    connect: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with connect() as both:
        await asyncio.wait_for(both.client.opened.wait(), 5)
        stock = both.viewer._channel._on_message

        def fail(message: Any) -> None:
            both.viewer._channel._on_message = stock
            raise ZeroDivisionError

        both.viewer._channel._on_message = fail
        both.client.channel.send("one")
        both.client.channel.send("two")
        assert await asyncio.wait_for(both.messages.get(), 5) == "two"
        assert "ZeroDivisionError" in caplog.text


def packet(client: Any, *chunks: bytes) -> bytes:
    """An SCTP packet of the client's association, with a right checksum."""
    from aiortc.rtcsctptransport import crc32c

    header = struct.pack("!HHL", 5000, 5000, client.pc.sctp._remote_verification_tag)
    body = b"".join(chunks)
    return header + struct.pack("<L", crc32c(header + bytes(4) + body)) + body


async def test_a_parameter_of_length_zero_does_not_hang_the_loop(connect: Callable[..., Any]) -> None:
    """aiortc's parser loops forever on it; one viewer would have stopped the whole service."""
    async with connect() as both:
        await asyncio.wait_for(both.client.opened.wait(), 5)
        hostile = packet(both.client, struct.pack("!BBH", 4, 0, 8) + struct.pack("!HH", 1, 0))
        dtls = both.client.pc.sctp.transport
        for _ in range(3):
            await dtls._send_data(hostile)
        both.client.channel.send("still there")
        assert await asyncio.wait_for(both.messages.get(), 5) == "still there"
        assert both.viewer.stats().channel.malformed == 3
        both.play()
        for _ in range(MAX_MALFORMED):
            await dtls._send_data(hostile)
        await both.client.wait_frames(3)
        assert not both.viewer.channel_open, "ten of them end the association, not the video"


async def test_text_that_is_not_utf8_is_counted(connect: Callable[..., Any]) -> None:
    async with connect() as both:
        await asyncio.wait_for(both.client.opened.wait(), 5)
        await both.client.pc.sctp._send(both.client.channel.id, 51, b"\xff\xfe")
        both.client.channel.send("next")
        assert await asyncio.wait_for(both.messages.get(), 5) == "next"
        assert both.viewer.stats().channel.malformed == 1


async def test_a_message_without_end_is_not_collected(connect: Callable[..., Any]) -> None:
    async with connect() as both:
        await asyncio.wait_for(both.client.opened.wait(), 5)
        closed = asyncio.Event()
        both.viewer._channel._channel.on("close", closed.set)
        sctp, ours = both.client.pc.sctp, both.viewer._channel._sctp
        ours._advertised_rwnd = 3000  # as if 1 MiB were waiting for its end
        for _ in range(5):
            body = struct.pack("!LHHL", sctp._local_tsn, 0, 9, 53) + b"x" * 1000
            sctp._local_tsn = (sctp._local_tsn + 1) % 2**32
            flags = 2 if _ == 0 else 0
            await sctp.transport._send_data(packet(both.client, struct.pack("!BBH", 0, flags, 1016) + body))
        await asyncio.wait_for(closed.wait(), 5)
        assert not both.viewer.channel_open


async def test_channels_without_number_end_the_association(connect: Callable[..., Any]) -> None:
    async with connect() as both:
        await asyncio.wait_for(both.client.opened.wait(), 5)
        closed = asyncio.Event()
        both.viewer._channel._channel.on("close", closed.set)
        for number in range(MAX_REFUSED + 2):
            both.client.pc.createDataChannel(f"other {number}")
        await asyncio.wait_for(closed.wait(), 5)
        assert not both.viewer.channel_open
        assert both.viewer.stats().channel.refused > MAX_REFUSED
