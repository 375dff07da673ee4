"""A viewer of ours against an ordinary aiortc peer: steps, ends of all kinds, and nothing left behind."""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiortc.rtp import RtcpByePacket
from left_behind import held, settled

from mediacore.errors import (
    ConnectFailedError,
    ConnectTimeoutError,
    NoCommonCodecError,
    NoLocalAddressError,
    SdpError,
)
from mediacore.media import CloseReason
from mediacore.media_loop import MediaLoop
from mediacore.rtc.channel import ControlChannel
from mediacore.rtc.port import IcePort
from mediacore.settings import RtcSettings

CHROMIUM = (Path(__file__).parent / "data" / "chromium-156-video-data.sdp").read_text()


async def test_the_ufrag_names_the_session(viewers: Any, nothing_left: None) -> None:
    viewer = viewers.new(public_id="0123456789abcdef", number=2)
    answer = await viewers.negotiate(viewer, CHROMIUM)
    assert "a=ice-ufrag:0123456789abcdef+2\r\n" in answer
    await viewer.close()


async def test_the_viewer_leaves(connect: Callable[..., Any], nothing_left: None) -> None:
    async with connect() as both:
        both.play()
        await both.client.wait_frames(1)
        await both.client.close()
        assert await asyncio.wait_for(both.viewer.wait_closed(), 1) is CloseReason.VIEWER_LEFT
        both.viewer.start_media(both.feed.rendition)
        assert not both.viewer.send_message("too late")


async def test_a_viewer_that_says_bye_has_left(connect: Callable[..., Any]) -> None:
    async with connect() as both:
        both.play()
        await both.client.wait_frames(1)
        receiver = both.client.transceiver.receiver
        await receiver.transport._send_rtp(bytes(RtcpByePacket(sources=[receiver._RTCRtpReceiver__rtcp_ssrc or 1])))
        assert await asyncio.wait_for(both.viewer.wait_closed(), 2) is CloseReason.VIEWER_LEFT


async def test_the_viewer_vanishes(connect: Callable[..., Any]) -> None:
    async with connect(RtcSettings(silence_timeout_s=1.2)) as both:
        both.play()
        await both.client.wait_frames(1)
        for protocol in both.client.gatherer._connection._protocols:
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


async def test_a_busy_process_does_not_lose_its_viewers(connect: Callable[..., Any]) -> None:
    """The media loop sees silence while nobody here asks; the viewer is asked before it is given up."""
    async with connect(RtcSettings(silence_timeout_s=1.2)) as both:
        time.sleep(1.5)  # noqa: ASYNC251  # the interpreter is busy, and the client in it
        await asyncio.sleep(0.7)
        assert both.viewer.stats().silent_us < 1_200_000
        assert both.client.channel is not None
        await asyncio.wait_for(both.client.opened.wait(), 5)
        assert both.viewer.send_message("still here")


async def test_thirty_viewers_come_and_go(connect: Callable[..., Any]) -> None:
    before = None
    for number in range(30):
        async with connect() as both:
            both.play()
            await both.client.wait_frames(2)
            if number % 2:
                await both.client.close()
                await asyncio.wait_for(both.viewer.wait_closed(), 2)
        if number == 2:
            before = held()
    assert before is not None
    assert await settled(before) == before


async def test_one_that_never_comes(new_client: Any, viewers: Any, nothing_left: None) -> None:
    viewer, client = viewers.new(RtcSettings(connect_timeout_s=0.3)), new_client()
    await viewers.negotiate(viewer, await client.offer())
    with pytest.raises(ConnectTimeoutError, match=r"0\.3 s"):
        await viewer.connect()
    assert await viewer.wait_closed() is CloseReason.CONNECT_TIMEOUT
    await client.close()


async def test_a_browser_that_hides_its_addresses_is_not_looked_up(viewers: Any, nothing_left: None) -> None:
    viewer = viewers.new(RtcSettings(connect_timeout_s=0.2))
    started = time.monotonic()
    await viewers.negotiate(viewer, CHROMIUM)
    with pytest.raises(ConnectTimeoutError):
        await viewer.connect()
    assert time.monotonic() - started < 1, "a look-up would take a second"
    assert viewer.stats().hidden_candidates == 4


async def test_a_wrong_fingerprint(new_client: Any, viewers: Any, nothing_left: None) -> None:
    viewer, client = viewers.new(), new_client()
    offer = re.sub(r"(?<=a=fingerprint:sha-256 )\S+", "AB:" * 31 + "CD", await client.offer())
    offer = re.sub(r"a=fingerprint:sha-(384|512) \S+\r\n", "", offer)
    await client.accept(await viewers.negotiate(viewer, offer))
    with pytest.raises(ConnectFailedError, match="DTLS"):
        await viewer.connect()
    assert await viewer.wait_closed() is CloseReason.CONNECT_FAILED
    await client.close()


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8])
async def test_cancelled_while_negotiating(turns: int, viewers: Any, nothing_left: None) -> None:
    viewer = viewers.new()
    task = asyncio.create_task(viewers.negotiate(viewer, CHROMIUM))
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
    new_client: Any, viewers: Any, way: str, delay_s: float, nothing_left: None
) -> None:
    viewer, client = viewers.new(), new_client()
    await client.accept(await viewers.negotiate(viewer, await client.offer()))
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


async def test_the_client_gives_up_while_connecting(new_client: Any, viewers: Any, nothing_left: None) -> None:
    viewer, client = viewers.new(RtcSettings(connect_timeout_s=1)), new_client()
    await client.accept(await viewers.negotiate(viewer, await client.offer()))
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
async def test_a_bad_offer_leaves_nothing(offer: str, error: type[Exception], viewers: Any, nothing_left: None) -> None:
    viewer = viewers.new()
    with pytest.raises(error):
        await viewers.negotiate(viewer, offer)
    assert await viewer.wait_closed() is CloseReason.CONNECT_FAILED


async def test_without_an_address(viewers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MediaLoop, "sockets", lambda *_: [])
    with pytest.raises(NoLocalAddressError):
        await viewers.negotiate(viewers.new(), CHROMIUM)


async def test_an_answer_that_takes_too_long(monkeypatch: pytest.MonkeyPatch, viewers: Any, nothing_left: None) -> None:
    stock = IcePort.gather

    async def slow(port: IcePort, *arguments: Any) -> Any:
        await stock(port, *arguments)
        await asyncio.Event().wait()

    monkeypatch.setattr(IcePort, "gather", slow)
    viewer = viewers.new(RtcSettings(negotiation_timeout_s=0.1))
    with pytest.raises(ConnectTimeoutError, match=r"0\.1 s"):
        await viewers.negotiate(viewer, CHROMIUM)
    assert await viewer.wait_closed() is CloseReason.CONNECT_TIMEOUT


async def test_a_part_that_does_not_stop_sends_nothing_more(
    connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    forever = asyncio.Event()

    async def stuck(_: ControlChannel) -> None:
        await forever.wait()

    monkeypatch.setattr(ControlChannel, "stop", stuck)
    async with connect(RtcSettings(close_timeout_s=0.2)) as both:
        number = both.viewer._transport.id
        started = time.monotonic()
        await both.viewer.close()
        assert time.monotonic() - started < 1
        with pytest.raises(KeyError):
            both.loop.native.viewer_figures(number)
        forever.set()


async def test_steps_in_the_wrong_order(viewers: Any, nothing_left: None) -> None:
    viewer = viewers.new()
    assert viewer.rtp_clock is None
    assert viewer.stats().packets_sent == 0
    assert not viewer.channel_open
    assert not viewer.send_message("hello")
    viewer.close_channel()
    with pytest.raises(RuntimeError, match="negotiate first"):
        await viewer.connect()
    await viewers.negotiate(viewer, CHROMIUM)
    with pytest.raises(RuntimeError, match="connect first"):
        viewer.start_media(viewers.rendition)
    with pytest.raises(RuntimeError, match="once"):
        await viewers.negotiate(viewer, CHROMIUM)
    await asyncio.gather(viewer.close(), viewer.close(CloseReason.DRAIN))
    assert await viewer.wait_closed() is CloseReason.REQUESTED
    with pytest.raises(ConnectFailedError):
        await viewer.connect()
