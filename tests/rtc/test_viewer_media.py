"""What a viewer of ours gets: pictures and sound, repaired, replayed, stopped, and of another rendition."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import av
import pytest

from mediacore.media import CloseReason
from mediacore.media_loop import MediaLoop
from mediacore.rtc.description import Offered, VideoFormat
from mediacore.rtc.port import host_addresses


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


async def test_each_thread_of_the_loop_has_its_viewers(new_connected: Any) -> None:
    loop = MediaLoop(threads=2)
    await loop.start(host_addresses())
    async with new_connected(loop) as one, new_connected(loop) as other:
        one.play()
        other.play()
        await asyncio.gather(one.client.wait_frames(3), other.client.wait_frames(3))
        assert not set(loop.sockets(one.feed.rendition)) & set(loop.sockets(other.feed.rendition))
        assert one.viewer.stats().pair.local != other.viewer.stats().pair.local
        with pytest.raises(ValueError, match="thread"):
            one.viewer.move(other.feed.rendition)
    await loop.close()


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
    async with connect(media=Offered((VideoFormat("VP8"),)), play=play) as both:
        both.play()
        await both.client.wait_frames(5)
        assert (both.client.frames[0].width, both.client.frames[0].height) == (160, 128)


async def test_audio_beside_the_video(connect: Callable[..., Any], new_feed: Any, encoded: Any) -> None:
    async with connect(media=Offered((VideoFormat("H264", "42c01f"),), audio=True), audio=True) as both:
        sound = new_feed("opus")
        both.also(sound, encoded("libopus"), 20_000)
        both.play(sound.rendition)
        await both.client.wait_frames(5)
        await both.client.wait_for(lambda: len(both.client.sounds) >= 10)
        assert both.client.sounds[0].sample_rate == 48_000
        assert max(abs(frame.to_ndarray()).max() for frame in both.client.sounds) > 1000
