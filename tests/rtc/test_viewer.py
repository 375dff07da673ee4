"""A viewer of ours against an ordinary aiortc peer: pictures, feedback, ends of all kinds, and nothing left behind."""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
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
from mediacore.rtc.description import Offered
from mediacore.rtc.port import IcePort
from mediacore.settings import RtcSettings

CHROMIUM = (Path(__file__).parent / "data" / "chromium-156-video-data.sdp").read_text()


async def test_pictures_flow_and_are_counted(connect: Callable[..., Any], nothing_left: None) -> None:
    async with connect() as both:
        started_us = time.monotonic_ns() // 1000
        both.play()
        await both.client.wait_frames(10)
        stats = both.viewer.stats()
        assert (both.client.frames[0].width, both.client.frames[0].height) == (320, 240)
        assert stats.frames_sent >= 10
        assert stats.packets_sent >= stats.frames_sent
        assert stats.bytes_sent > 1000
        assert started_us <= stats.first_packet_us <= time.monotonic_ns() // 1000
        assert 0 < stats.server_us < 1_000_000
        assert stats.arrival_us.p50_us <= stats.arrival_us.p95_us
        assert stats.key_frame_requests == 0
        assert stats.pair.remote_type in ("host", "prflx")
        assert not stats.pair.relayed
        assert stats.silent_us < 5_000_000
    assert await both.viewer.wait_closed() is CloseReason.REQUESTED
    assert both.viewer.stats().frames_sent >= stats.frames_sent, "the last figures stay"


async def test_the_ufrag_names_the_session(viewers: Any, nothing_left: None) -> None:
    viewer = viewers.new(public_id="0123456789abcdef", number=2)
    answer = await viewers.negotiate(viewer, CHROMIUM)
    assert "a=ice-ufrag:0123456789abcdef+2\r\n" in answer
    await viewer.close()


@pytest.mark.parametrize("first_pts_us", [0, 1, 10**15 + 7, 2**32 * 100_000 // 9 - 40_000, 2**63 // 90_000 - 10**6])
async def test_the_rtp_clock_runs_with_the_pts_over_its_whole_range(
    connect: Callable[..., Any], units: list[tuple[bytes, bool]], first_pts_us: int
) -> None:
    """RTP timestamps are 32 bits of 90 kHz; a monotonic clock has passed that after 13 hours."""
    async with connect() as both:
        seen = timestamps(both.client)
        both.viewer.start_media(both.feed.rendition)
        timestamp, zero_us = both.viewer.rtp_clock
        assert zero_us == 0
        expected = []
        for step_us in (0, 33_333, 66_666, 1_000_000):
            both.feed.push(units[0][0], is_key=True, pts_us=first_pts_us + step_us)
            expected.append((timestamp + (first_pts_us + step_us) * 9 // 100) % 2**32)
        async with asyncio.timeout(5):
            while len(set(seen)) < len(expected):
                await asyncio.sleep(0.005)  # a packet that is not a picture's last wakes nobody
        assert list(dict.fromkeys(seen)) == expected
        assert both.viewer.rtp_clock == (timestamp, 0)


def timestamps(client: Any) -> list[int]:
    """Those of the RTP packets that a client gets from now on."""
    receiver, seen = client.transceiver.receiver, []
    stock = receiver._handle_rtp_packet

    async def handle_rtp_packet(packet: Any, arrival_time_ms: int) -> None:
        seen.append(packet.timestamp)
        await stock(packet, arrival_time_ms=arrival_time_ms)

    receiver._handle_rtp_packet = handle_rtp_packet
    return seen


async def test_a_late_viewer_begins_with_the_cached_pictures(
    connect: Callable[..., Any], units: list[tuple[bytes, bool]]
) -> None:
    async with connect() as both:
        for data, is_key in units[:10]:
            both.feed.push(data, is_key=is_key)
        both.viewer.start_media(both.feed.rendition)
        await both.client.wait_frames(9)
        stats = both.viewer.stats()
        assert (stats.frames_sent, stats.replays) == (10, 1)
        assert not both.feed.wanted.is_set()
        assert stats.server_us is None, "what was received before the start is a replay"


async def test_pli_reaches_the_source(connect: Callable[..., Any]) -> None:
    async with connect(replay_bytes=0) as both:
        both.play()
        await both.client.wait_frames(30)  # past the time in which a second wish would be merged with the first
        both.feed.wanted.clear()
        receiver = both.client.transceiver.receiver
        (stream,) = receiver.getSynchronizationSources()
        await receiver._send_rtcp_pli(stream.source)
        await asyncio.wait_for(both.feed.wanted.wait(), 5)
        assert both.viewer.stats().key_frame_requests == 1


async def test_a_lost_packet_is_sent_again(connect: Callable[..., Any]) -> None:
    async with connect() as both:
        both.play()
        await both.client.wait_frames(3)
        lost = lose_next_rtp(both.client)
        async with asyncio.timeout(10):
            while both.viewer.stats().retransmitted == 0:
                await both.client.wait_frames(1, more=True)
        assert lost
        stats = both.viewer.stats()
        assert stats.nack_us.p95_us < 1_000_000
        await both.client.wait_frames(10, more=True)


def lose_next_rtp(client: Any) -> list[bytes]:
    """The next packet of video gets lost on the way to the client."""
    lost: list[bytes] = []

    def losing(stock: Callable[..., None]) -> Callable[..., None]:
        def datagram_received(data: bytes, addr: Any) -> None:
            if not lost and 128 <= data[0] < 192 and not 192 <= data[1] <= 223:
                lost.append(data)
            else:
                stock(data, addr)

        return datagram_received

    for protocol in client.gatherer._connection._protocols:
        protocol.datagram_received = losing(protocol.datagram_received)
    return lost


async def test_rtcp_that_does_not_parse_is_counted_and_harmless(connect: Callable[..., Any]) -> None:
    truncated = bytes.fromhex("8fce0004 00000001 00000000 52454d42 05000000".replace(" ", ""))
    async with connect() as both:
        both.play()
        await both.client.wait_frames(1)
        await both.client.transceiver.receiver.transport._send_rtp(truncated)
        await both.client.wait_frames(3, more=True)
        assert both.viewer.stats().malformed_rtcp == 1


async def test_another_rendition_follows_in_the_same_rtp_stream(
    connect: Callable[..., Any], new_feed: Any, recordings: Any
) -> None:
    with av.open(str(recordings("small.h264", size=(160, 128), frames=30, gop=15))) as container:
        small = [(bytes(packet), packet.is_keyframe) for packet in container.demux(video=0) if packet.size]
    async with connect() as both:
        both.play()
        await both.client.wait_frames(3)
        other = new_feed()
        both.also(other, small)
        both.viewer.move(other.rendition)
        await both.client.wait_for(lambda: both.client.frames[-1].width == 160)
        count = len(both.client.frames)
        await both.client.wait_frames(count + 5)
        assert {frame.width for frame in both.client.frames[count:]} == {160}
        (stream,) = both.client.transceiver.receiver.getSynchronizationSources()
        assert f"a=ssrc:{stream.source} " in both.answer
        times = [frame.pts for frame in both.client.frames]
        assert times == sorted(times)


async def test_media_stops_and_starts_again(connect: Callable[..., Any]) -> None:
    async with connect() as both:
        both.play()
        await both.client.wait_frames(3)
        both.viewer.stop_media()
        await both.loop.remove(0)  # the loop has carried out what came before
        sent = both.viewer.stats().frames_sent
        await asyncio.sleep(0.1)  # that nothing comes has no event
        assert both.viewer.stats().frames_sent == sent
        both.viewer.start_media(both.feed.rendition)
        await both.client.wait_frames(5, more=True)


@pytest.mark.parametrize("encoder", ["libvpx"])
async def test_vp8(connect: Callable[..., Any], encoded: Any, encoder: str) -> None:
    play = encoded(encoder, deadline="realtime")
    async with connect(media=Offered("VP8"), play=play) as both:
        both.play()
        await both.client.wait_frames(5)
        assert (both.client.frames[0].width, both.client.frames[0].height) == (160, 128)


async def test_audio_beside_the_video(connect: Callable[..., Any], new_feed: Any, encoded: Any) -> None:
    async with connect(media=Offered("H264", "42c01f", audio=True), audio=True) as both:
        sound = new_feed("opus")
        both.also(sound, encoded("libopus"), 20_000)
        both.play(sound.rendition)
        await both.client.wait_frames(5)
        await both.client.wait_for(lambda: len(both.client.sounds) >= 10)
        assert both.client.sounds[0].sample_rate == 48_000
        assert max(abs(frame.to_ndarray()).max() for frame in both.client.sounds) > 1000


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
