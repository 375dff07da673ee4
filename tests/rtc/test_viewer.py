"""A viewer of ours against an ordinary aiortc peer: pictures, feedback, ends of all kinds, and nothing left behind."""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ifaddr
import pytest
from left_behind import held, settled

from mediacore.errors import (
    CaptureError,
    ConnectFailedError,
    ConnectTimeoutError,
    NoCommonCodecError,
    NoLocalAddressError,
    SdpError,
)
from mediacore.media import CloseReason, Packet
from mediacore.rtc.channel import ControlChannel
from mediacore.rtc.description import Offered
from mediacore.rtc.port import IcePort
from mediacore.settings import RtcSettings

CHROMIUM = (Path(__file__).parent / "data" / "chromium-156-video-data.sdp").read_text()
MEDIA = Offered("H264", "42c01f")


async def test_pictures_flow_and_are_counted(connect: Callable[..., Any], source: Any, nothing_left: None) -> None:
    async with connect() as both:
        started_us = time.monotonic_ns() // 1000
        both.viewer.start_media(source)
        await both.client.wait_frames(10)
        stats = both.viewer.stats()
        assert (both.client.frames[0].width, both.client.frames[0].height) == (320, 240)
        assert stats.frames_sent >= 10
        assert stats.packets_sent >= stats.frames_sent
        assert stats.bytes_sent > 1000
        assert started_us <= stats.first_packet_us <= time.monotonic_ns() // 1000
        assert 0 < stats.server_us < 1_000_000
        assert stats.key_frame_requests == 0
    assert await both.viewer.wait_closed() is CloseReason.REQUESTED


@pytest.mark.parametrize("first_pts_us", [0, 1, 10**15 + 7, 2**32 * 100_000 // 9 - 40_000, 2**63 // 90_000 - 10**6])
async def test_the_rtp_clock_runs_with_the_pts_over_its_whole_range(
    connect: Callable[..., Any], units: list[tuple[bytes, bool]], first_pts_us: int
) -> None:
    """RTP timestamps are 32 bits of 90 kHz; a monotonic clock has passed that after 13 hours."""
    times: asyncio.Queue[int] = asyncio.Queue()
    asked_again = asyncio.Event()
    given: list[int] = []

    async def receive() -> Packet:
        if given:
            asked_again.set()
        pts_us = await times.get()
        given.append(pts_us)
        data, is_key = units[0]
        return Packet("video", "h264", data, pts_us, is_key, 0, 0)

    async with connect() as both:
        both.viewer.start_media(receive)
        pairs = []
        for step_us in (0, 33_333, 66_666, 1_000_000):
            times.put_nowait(first_pts_us + step_us)
            await asyncio.wait_for(asked_again.wait(), 5)
            asked_again.clear()
            pairs.append(both.viewer.rtp_clock)
        origin = (pairs[0][0] - first_pts_us * 9 // 100) % 2**32
        assert [pair[0] for pair in pairs] == [(origin + pts * 9 // 100) % 2**32 for _, pts in pairs]
        assert both.viewer.stats().server_us is None, "what was received before the start is a replay"


async def test_pli_and_fir_reach_the_source(connect: Callable[..., Any], source: Any) -> None:
    async with connect() as both:
        both.viewer.start_media(source)
        await both.client.wait_frames(1)
        receiver = both.client.transceiver.receiver
        (stream,) = receiver.getSynchronizationSources()
        await receiver._send_rtcp_pli(stream.source)
        await asyncio.wait_for(both.requested.wait(), 5)
        assert both.viewer.stats().key_frame_requests == 1


async def test_rtcp_that_does_not_parse_is_counted_and_harmless(connect: Callable[..., Any], source: Any) -> None:
    """A REMB that announces more SSRCs than it has raised struct.error, which ended the viewer's transport."""
    truncated = bytes.fromhex("8fce0004 00000001 00000000 52454d42 05000000".replace(" ", ""))
    async with connect() as both:
        both.viewer.start_media(source)
        await both.client.wait_frames(1)
        await both.client.transceiver.receiver.transport._send_rtp(truncated)
        await both.client.wait_frames(len(both.client.frames) + 3)
        assert both.viewer.stats().malformed_rtcp == 1


async def test_the_viewer_leaves(connect: Callable[..., Any], source: Any, nothing_left: None) -> None:
    async with connect() as both:
        both.viewer.start_media(source)
        await both.client.wait_frames(1)
        await both.client.close()
        assert await asyncio.wait_for(both.viewer.wait_closed(), 1) is CloseReason.VIEWER_LEFT


async def test_the_viewer_vanishes(connect: Callable[..., Any], source: Any) -> None:
    settings = RtcSettings(silence_timeout_s=1.2)
    async with connect(settings) as both:
        both.viewer.start_media(source)
        await both.client.wait_frames(1)
        connection = both.client.transceiver.receiver.transport.transport._connection
        for protocol in connection._protocols:
            protocol.transport.sendto = lambda data, addr: None  # what it sends gets lost
        started = time.monotonic()
        assert await asyncio.wait_for(both.viewer.wait_closed(), 4) is CloseReason.VIEWER_LOST
        assert 0.2 < time.monotonic() - started < 3


async def test_a_viewer_that_says_nothing_by_itself_is_asked_and_stays(connect: Callable[..., Any]) -> None:
    """A player may send RTCP each 7 s only; on a still picture there is nothing else."""
    async with connect(RtcSettings(silence_timeout_s=1.2)) as both:
        closed = asyncio.create_task(both.viewer.wait_closed())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(closed), 2)
        assert both.viewer.stats().silent_us < 1_200_000
    assert await closed is CloseReason.REQUESTED


@pytest.mark.parametrize(
    "error", [StopAsyncIteration(), CaptureError("emulator-5554", "gave no pictures")], ids=["end", "error"]
)
async def test_the_stream_ends(connect: Callable[..., Any], error: Exception, nothing_left: None) -> None:
    async def receive() -> Packet:
        raise error

    async with connect() as both:
        both.viewer.start_media(receive)
        assert await asyncio.wait_for(both.viewer.wait_closed(), 2) is CloseReason.STREAM_ENDED
        both.viewer.start_media(receive)
        assert not both.viewer.send_message("too late")


async def test_thirty_viewers_come_and_go(connect: Callable[..., Any], new_source: Callable[[], Any]) -> None:
    before = None
    for number in range(30):
        async with connect() as both:
            both.viewer.start_media(new_source().receive)
            await both.client.wait_frames(2)
            if number % 2:
                await both.client.close()
                await asyncio.wait_for(both.viewer.wait_closed(), 2)
        if number == 2:
            before = held()
    assert before is not None
    assert await settled(before) == before


async def test_one_that_never_comes(new_client: Any, new_viewer: Any, nothing_left: None) -> None:
    viewer, client = new_viewer(RtcSettings(connect_timeout_s=0.3)), new_client()
    await viewer.negotiate(await client.offer(), MEDIA, 1)
    with pytest.raises(ConnectTimeoutError, match=r"0\.3 s"):
        await viewer.connect()
    assert await viewer.wait_closed() is CloseReason.CONNECT_TIMEOUT
    await client.close()


async def test_a_browser_that_hides_its_addresses_is_not_looked_up(new_viewer: Any, nothing_left: None) -> None:
    viewer = new_viewer(RtcSettings(connect_timeout_s=0.2))
    started = time.monotonic()
    await viewer.negotiate(CHROMIUM, MEDIA, 1)
    with pytest.raises(ConnectTimeoutError):
        await viewer.connect()
    assert time.monotonic() - started < 1, "a look-up would take a second"
    assert viewer.stats().hidden_candidates == 4


async def test_a_wrong_fingerprint(new_client: Any, new_viewer: Any, nothing_left: None) -> None:
    viewer, client = new_viewer(), new_client()
    offer = re.sub(r"(?<=a=fingerprint:sha-256 )\S+", "AB:" * 31 + "CD", await client.offer())
    offer = re.sub(r"a=fingerprint:sha-(384|512) \S+\r\n", "", offer)
    await client.accept(await viewer.negotiate(offer, MEDIA, 1))
    with pytest.raises(ConnectFailedError, match="DTLS"):
        await viewer.connect()
    assert await viewer.wait_closed() is CloseReason.CONNECT_FAILED
    await client.close()


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8])
async def test_cancelled_while_negotiating(turns: int, new_viewer: Any, nothing_left: None) -> None:
    viewer = new_viewer()
    task = asyncio.create_task(viewer.negotiate(CHROMIUM, MEDIA, 1))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await viewer.close()
    assert await viewer.wait_closed() in (CloseReason.CONNECT_FAILED, CloseReason.REQUESTED)


@pytest.mark.parametrize("way", ["cancel", "close"])
@pytest.mark.parametrize("delay_s", [0, 0.001, 0.005, 0.015, 0.022, 0.026, 0.03, 0.035])
async def test_given_up_while_connecting(
    new_client: Any, new_viewer: Any, way: str, delay_s: float, nothing_left: None
) -> None:
    viewer, client = new_viewer(), new_client()
    await client.accept(await viewer.negotiate(await client.offer(), MEDIA, 1))
    task = asyncio.create_task(viewer.connect())
    await asyncio.sleep(delay_s)
    if way == "cancel":
        task.cancel()
    else:
        await viewer.close()
    with contextlib.suppress(asyncio.CancelledError, ConnectFailedError):
        await task
    await viewer.close()
    await client.close()


async def test_the_client_gives_up_while_connecting(new_client: Any, new_viewer: Any, nothing_left: None) -> None:
    viewer, client = new_viewer(RtcSettings(connect_timeout_s=1)), new_client()
    await client.accept(await viewer.negotiate(await client.offer(), MEDIA, 1))
    task = asyncio.create_task(viewer.connect())
    await asyncio.sleep(0.01)
    await client.close()
    with contextlib.suppress(ConnectFailedError, ConnectTimeoutError):
        await task
    await viewer.close()


@pytest.mark.parametrize(
    ("offer", "error"),
    [("nonsense", SdpError), (CHROMIUM.replace("H264", "H265"), NoCommonCodecError)],
    ids=["nonsense", "no codec"],
)
async def test_a_bad_offer_leaves_nothing(
    offer: str, error: type[Exception], new_viewer: Any, nothing_left: None
) -> None:
    viewer = new_viewer()
    with pytest.raises(error):
        await viewer.negotiate(offer, MEDIA, 1)
    assert await viewer.wait_closed() is CloseReason.CONNECT_FAILED


async def test_without_an_address(monkeypatch: pytest.MonkeyPatch, new_viewer: Any, nothing_left: None) -> None:
    monkeypatch.setattr(ifaddr, "get_adapters", list)
    with pytest.raises(NoLocalAddressError):
        await new_viewer().negotiate(CHROMIUM, MEDIA, 1)


async def test_an_answer_that_takes_too_long(
    monkeypatch: pytest.MonkeyPatch, new_viewer: Any, nothing_left: None
) -> None:
    stock = IcePort.gather

    async def slow(port: IcePort) -> Any:
        await stock(port)
        await asyncio.Event().wait()

    monkeypatch.setattr(IcePort, "gather", slow)
    viewer = new_viewer(RtcSettings(negotiation_timeout_s=0.1))
    with pytest.raises(ConnectTimeoutError, match=r"0\.1 s"):
        await viewer.negotiate(CHROMIUM, MEDIA, 1)
    assert await viewer.wait_closed() is CloseReason.CONNECT_TIMEOUT


async def test_a_part_that_does_not_stop_loses_its_sockets(
    connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    forever = asyncio.Event()

    async def stuck(_: ControlChannel) -> None:
        await forever.wait()

    monkeypatch.setattr(ControlChannel, "stop", stuck)
    async with connect(RtcSettings(close_timeout_s=0.2)) as both:
        before = held()
        started = time.monotonic()
        await both.viewer.close()
        assert time.monotonic() - started < 1
        assert held().sockets < before.sockets
        forever.set()


async def test_steps_in_the_wrong_order(new_viewer: Any, nothing_left: None) -> None:
    viewer = new_viewer()
    assert viewer.rtp_clock is None
    assert viewer.stats().packets_sent == 0
    assert not viewer.channel_open
    assert not viewer.send_message("hello")
    viewer.close_channel()
    with pytest.raises(RuntimeError, match="negotiate first"):
        await viewer.connect()
    await viewer.negotiate(CHROMIUM, MEDIA, 1)
    with pytest.raises(RuntimeError, match="connect first"):
        viewer.start_media(lambda: asyncio.sleep(1, None))
    with pytest.raises(RuntimeError, match="once"):
        await viewer.negotiate(CHROMIUM, MEDIA, 1)
    await asyncio.gather(viewer.close(), viewer.close(CloseReason.DRAIN))
    assert await viewer.wait_closed() is CloseReason.REQUESTED
    with pytest.raises(ConnectFailedError):
        await viewer.connect()
