"""Streams of raw pictures, and what becomes of packets that somebody wants as pictures or in another codec."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from made_here import Encoders, FakeFrames, picture, until

from mediacore.capture.frame_source import FrameSource
from mediacore.capture.publication import Publication
from mediacore.capture.source import Source
from mediacore.decode.decoder import VideoDecoder
from mediacore.errors import (
    CaptureError,
    DecoderError,
    DeviceDisconnectedError,
    EncoderError,
    LimitError,
    UnsupportedError,
)
from mediacore.h264 import AccessUnitParser
from mediacore.media import Applied, Packet, Target, Wanted
from mediacore.media_loop import MediaLoop, monotonic_us
from mediacore.settings import StreamSettings
from mediacore.stream import frame_origin, packet_origin
from mediacore.stream.encoder_limit import EncoderLimit
from mediacore.stream.stream import Stream

SETTINGS = StreamSettings(bitrate_bps=4_000_000, fps=20, transcode_codecs=("vp8",))


async def no_screenshot() -> bytes:
    return b"of the device"


def stream_of(
    source: Source | FrameSource,
    encoders: Encoders | None = None,
    fallbacks: Sequence[Callable[[], Source | FrameSource]] = (),
    settings: StreamSettings = SETTINGS,
    limit: EncoderLimit | None = None,
) -> Stream:
    return Stream(
        "x",
        source,
        settings,
        replay_bytes=100_000,
        screenshot=no_screenshot,
        fallbacks=fallbacks,
        start=encoders or Encoders(),
        encoders=limit,
    )


def published(codec: str = "h264", *, audio: bool = False) -> Publication:
    return Publication("x", codec=codec, has_audio=audio, size=None, on_key_frame_request=None)


@pytest.fixture
async def loop() -> AsyncIterator[MediaLoop]:
    loop = MediaLoop()
    await loop.start([])
    before = asyncio.all_tasks()
    yield loop
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}, "something was left behind"
    await loop.close()


@pytest.fixture(scope="module")
def units(recordings: Callable[..., Path]) -> list[tuple[bytes, bool]]:
    """Twelve pictures, the first and the seventh are key frames."""
    parser = AccessUnitParser()
    found = parser.push(recordings(frames=12, gop=6).read_bytes())
    last = parser.flush()
    assert last is not None
    return [(bytes(unit.data), unit.is_idr) for unit in [*found, last]]


async def push(stream: Stream, unit: tuple[bytes, bool]) -> None:
    now_us = monotonic_us()
    await stream.push(Packet("video", "h264", unit[0], now_us, unit[1], 1, now_us))


# ---------------------------------------------------------------------------------------- raw pictures


async def test_a_source_rests_after_its_first_picture_until_somebody_takes_frames(loop: MediaLoop) -> None:
    source = FakeFrames()
    stream = stream_of(source)
    await stream.open(loop)
    assert source.rates == [20]
    source.give(picture(1, (64, 48)))
    description = await stream.wait_described(5)
    assert description is not None
    assert (description.codec, description.size, description.rotation) == ("h264", (64, 48), 0)
    assert source.rates == [20, 0]
    with stream.frames() as tap:
        assert source.rates == [20, 0, 20]
        assert source.repeats == 1, "what is on the screen may not change"
        assert int((await asyncio.wait_for(anext(tap), 5)).y[0, 0]) == 1
    assert source.rates == [20, 0, 20, 0]
    stats = stream.stats()
    assert (stats.source, stats.capture) == ("screencap", "by hand")
    await stream.close()
    assert source.closed


async def test_each_codec_is_encoded_once_and_only_while_it_is_taken(loop: MediaLoop) -> None:
    source, encoders = FakeFrames(), Encoders()
    stream = stream_of(source, encoders)
    await stream.open(loop)
    source.give(picture(1))
    await stream.wait_described(5)
    assert stream.codecs()[0] == "h264"
    assert encoders.started == []
    async with stream.take("vp8") as first, stream.take("vp8") as second, stream.take("h264", Wanted(fps=60)) as video:
        assert first == second
        assert video == stream.rendition
        assert [encoding.codec for encoding in encoders.started] == ["vp8", "h264"]
        assert [rendition.codec for rendition in stream.stats().renditions] == ["h264", "vp8"]
        async with stream.take("vp8", Wanted(size=(32, 32))) as small:
            assert small not in (first, video)
    await until(lambda: all(encoding.closed.is_set() for encoding in encoders.started))
    assert source.rates[-1] == 0
    assert stream.stats().viewers == 0
    await stream.close()


async def test_packets_hold_the_encoder_until_they_are_closed_or_forgotten(loop: MediaLoop) -> None:
    source, encoders = FakeFrames(), Encoders()
    stream = stream_of(source, encoders, settings=StreamSettings(fps=20, transcode_codecs=("vp8",)))
    await stream.open(loop)
    tap = stream.packets()
    source.give(picture(1))
    await until(lambda: encoders.started[0].encoded)
    other = stream.packets()
    tap.close()
    await asyncio.sleep(0.01)  # the call that must end nothing
    assert not encoders.started[0].closed.is_set()
    del other
    await until(encoders.started[0].closed.is_set)
    assert source.rates[-1] == 0
    await stream.close()
    assert [packet async for packet in stream.packets()] == []


async def test_a_new_size_or_rotation_is_described(loop: MediaLoop) -> None:
    source = FakeFrames()
    stream = stream_of(source)
    await stream.open(loop)
    with stream.frames():
        source.give(picture(1, (64, 48)))
        first = await stream.wait_described(5)
        source.rotation = 90
        source.give(picture(1, (48, 64)))
        second = await asyncio.wait_for(stream.next_description(first), 5)
        assert (second.size, second.rotation) == ((48, 64), 90)
    await stream.close()


async def test_a_rotation_that_is_known_after_the_picture_is_described(
    loop: MediaLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A screen that turned and stood still was described as before: no further picture told otherwise."""
    monkeypatch.setattr(frame_origin, "ROTATION_FOLLOWS_S", (0.01, 0.05))
    source = FakeFrames()
    stream = stream_of(source)
    await stream.open(loop)
    with stream.frames():
        source.give(picture(1, (48, 64)))
        first = await asyncio.wait_for(stream.next_description(None), 5)
        source.rotation = 90
        second = await asyncio.wait_for(stream.next_description(first), 5)
        assert (second.size, second.rotation) == ((48, 64), 90)
    await stream.close()


async def test_an_encoder_that_fails_ends_the_packets_and_not_the_stream(loop: MediaLoop) -> None:
    source, encoders = FakeFrames(), Encoders()
    stream = stream_of(source, encoders)
    await stream.open(loop)
    packets, frames = stream.packets(), stream.frames()
    async with stream.take("vp8") as other, stream.take("h264") as video:
        ends = [asyncio.create_task(stream.wait_ended(id)) for id in (video, other)]
        await asyncio.sleep(0)
        encoders.started[0].fail("it is stuck")
        assert isinstance(await asyncio.wait_for(ends[0], 5), EncoderError)
        with pytest.raises(EncoderError, match="it is stuck"):
            await asyncio.wait_for(anext(packets), 5)
        source.give(picture(9))
        assert int((await asyncio.wait_for(anext(frames), 5)).y[0, 0]) == 9
        with stream.packets() as newcomer:
            assert int(bytes((await asyncio.wait_for(anext(newcomer), 5)).data)[1]) == 9, "it gets another encoder"
        assert not ends[1].done()
        source.end(DeviceDisconnectedError("x", "unplugged"))
        assert isinstance(await asyncio.wait_for(ends[1], 5), DeviceDisconnectedError)
    packets.close()
    await stream.close()


async def test_a_source_that_dies_ends_all(loop: MediaLoop) -> None:
    source, encoders = FakeFrames(), Encoders()
    stream = stream_of(source, encoders, [FakeFrames])
    await stream.open(loop)
    source.give(picture(1))
    await stream.wait_described(5)
    frames = stream.frames()
    async with stream.take("vp8"):
        source.end(CaptureError("x", "it gives nothing any more"))
        with pytest.raises(CaptureError, match="any more"):
            [frame async for frame in frames]
        assert isinstance(await stream.wait_ended(), CaptureError)
        with pytest.raises(CaptureError, match="any more"):
            async with stream.take("vp8"):
                pass
        with pytest.raises(CaptureError, match="any more"):
            await anext(stream.frames())
        await stream.close()
    assert encoders.started[0].closed.is_set()


async def test_a_stream_can_be_closed_under_those_who_take_it(loop: MediaLoop) -> None:
    source, encoders = FakeFrames(), Encoders()
    stream = stream_of(source, encoders)
    await stream.open(loop)
    source.give(picture(1))
    packets, frames = stream.packets(), stream.frames()
    async with stream.take("vp8"), stream.take("h264"):
        await stream.close()
        await stream.close()
        assert all(encoding.closed.is_set() for encoding in encoders.started)
    async with asyncio.timeout(5):
        assert len([packet async for packet in packets]) <= 1
    assert [int(frame.y[0, 0]) async for frame in frames] == [1], "what was queued"
    with pytest.raises(UnsupportedError, match="has ended"):
        async with stream.take("h264"):
            pass


async def test_targets_reach_source_and_encoders(loop: MediaLoop) -> None:
    source, encoders = FakeFrames(), Encoders()
    stream = stream_of(source, encoders)
    await stream.open(loop)
    async with stream.take("h264"), stream.take("vp8"):
        applied = await stream.set_target(Target(bitrate_bps=50_000, fps=100))
        assert applied == Applied(Target(bitrate_bps=100_000, fps=60))
        assert [encoding.target.bitrate_bps for encoding in encoders.started] == [100_000, 100_000]
        await stream.set_target(Target(bitrate_bps=90_000_000, size=(32, 24)))
        assert encoders.started[0].target.bitrate_bps == encoders.started[0].ceiling_bps == 4_000_000
        assert source.targets == [Target(size=(32, 24))]
    await stream.close()


async def test_a_screenshot_is_the_newest_frame_if_there_is_one(loop: MediaLoop) -> None:
    source = FakeFrames()
    stream = stream_of(source)
    await stream.open(loop)
    assert await stream.screenshot() == b"of the device"
    with stream.frames():
        source.give(picture(1))
        assert (await stream.screenshot())[:3] == b"\xff\xd8\xff"
    assert await stream.screenshot() == b"of the device"
    await stream.close()


# ---------------------------------------------------------------------------------------- fall-back


async def test_a_source_that_gives_nothing_is_passed_over(loop: MediaLoop) -> None:
    sources = [
        FakeFrames("screenrecord-frames", on_open=CaptureError("x", "no such option")),
        FakeFrames("screencap"),
    ]
    encoders = Encoders()
    first = published()
    stream = stream_of(first, encoders, [lambda: sources[0], lambda: sources[1]])
    await stream.open(loop)
    packets = stream.packets()
    async with stream.take("h264") as video, stream.take("vp8"):
        assert first._on_end is not None
        first._on_end(CaptureError("x", "unable to configure video/avc codec"))
        await asyncio.wait_for(sources[1].opened.wait(), 5)
        sources[1].give(picture(3))
        packet = await asyncio.wait_for(anext(packets), 5)
        assert bytes(packet.data) == b"\0\3", "who watched before sees it"
        assert video == stream.rendition
        stats = stream.stats()
        assert stats.source == "screencap"
        assert stats.capture == (
            "by hand; publish failed: x: unable to configure video/avc codec; "
            "screenrecord-frames failed: x: no such option"
        )
        assert (await stream.wait_described(5)) is not None
    packets.close()
    assert not stream.ended
    sources[1].end(CaptureError("x", "it is gone"))
    assert stream.ended
    await stream.close()


async def test_who_watched_before_a_source_was_passed_over_hears_that_the_encoder_has_failed(loop: MediaLoop) -> None:
    """Their packets had come from the device until then, so they waited for the end of the stream alone."""
    raw, encoders, first = FakeFrames(), Encoders(), published()
    stream = stream_of(first, encoders, [lambda: raw])
    await stream.open(loop)
    async with stream.take("h264") as video:
        ended, stream_ended = (asyncio.create_task(stream.wait_ended(id)) for id in (video, None))
        await asyncio.sleep(0.01)  # the waiting has begun
        assert first._on_end is not None
        first._on_end(CaptureError("x", "unable to configure video/avc codec"))
        await asyncio.wait_for(raw.opened.wait(), 5)
        encoders.started[0].fail("it is stuck")
        error = await asyncio.wait_for(ended, 5)
        assert isinstance(error, EncoderError)
        assert str(error) == "it is stuck"
        assert not stream_ended.done()
    await stream.close()
    assert await asyncio.wait_for(stream_ended, 5) is None


async def test_who_watched_before_hears_that_there_are_too_many_encoders(loop: MediaLoop) -> None:
    raw, first, limit = FakeFrames(), published(), EncoderLimit(1)
    limit.take()
    stream = stream_of(first, Encoders(), [lambda: raw], limit=limit)
    await stream.open(loop)
    async with stream.take("h264") as video:
        ended = asyncio.create_task(stream.wait_ended(video))
        await asyncio.sleep(0.01)  # the waiting has begun
        assert first._on_end is not None
        first._on_end(CaptureError("x", "unable to configure video/avc codec"))
        assert isinstance(await asyncio.wait_for(ended, 5), LimitError)
        assert not stream.ended
        limit.give_back()
        with stream.packets() as packets:
            await asyncio.wait_for(raw.opened.wait(), 5)
            raw.give(picture(3))
            assert bytes((await asyncio.wait_for(anext(packets), 5)).data) == b"\0\3"
    await stream.close()
    assert limit.running == 0


@pytest.mark.parametrize("at_open", [True, False])
async def test_when_no_source_is_left_the_last_error_counts(loop: MediaLoop, at_open: bool) -> None:
    last = FakeFrames(on_open=CaptureError("x", "no screencap"))
    first = FakeFrames("first", on_open=CaptureError("x", "no first") if at_open else None)
    stream = stream_of(first, fallbacks=[lambda: last])
    if at_open:
        with pytest.raises(CaptureError, match="no screencap"):
            await stream.open(loop)
    else:
        await stream.open(loop)
        first.end(CaptureError("x", "no first"))
        error = await asyncio.wait_for(stream.wait_ended(), 5)
        assert "no screencap" in str(error)
    await stream.close()


async def test_a_device_that_is_gone_is_not_tried_another_way(loop: MediaLoop) -> None:
    first = FakeFrames()
    stream = stream_of(first, fallbacks=[lambda: pytest.fail("it is tried")])
    await stream.open(loop)
    first.end(DeviceDisconnectedError("x", "unplugged"))
    assert isinstance(await asyncio.wait_for(stream.wait_ended(), 5), DeviceDisconnectedError)
    await stream.close()


async def test_a_stream_can_be_closed_while_another_source_is_tried(loop: MediaLoop) -> None:
    class Slow(FakeFrames):
        async def open(self, *_: object, **__: object) -> None:
            self.opened.set()
            await asyncio.Event().wait()

    slow, first = Slow(), FakeFrames()
    stream = stream_of(first, fallbacks=[lambda: slow])
    await stream.open(loop)
    first.end(CaptureError("x", "no first"))
    await asyncio.wait_for(slow.opened.wait(), 5)
    await asyncio.wait_for(stream.close(), 5)
    assert slow.closed
    assert stream.ended


# ---------------------------------------------------------------------------------------- packets as pictures


async def test_packets_are_decoded_while_somebody_takes_frames(
    loop: MediaLoop, units: list[tuple[bytes, bool]]
) -> None:
    stream = stream_of(published())
    await stream.open(loop)
    for unit in units[:3]:
        await push(stream, unit)
    await until(lambda: stream.stats().frames == 3)
    tap = stream.frames(capacity=4)
    first = await asyncio.wait_for(anext(tap), 5)
    assert int(first.y[0, 0]) in range(16 + 14, 16 + 19), "of what was before, the last one only"
    for unit in units[3:6]:
        await push(stream, unit)
        frame = await asyncio.wait_for(anext(tap), 5)
    assert frame.size == (160, 128)
    assert 0 <= monotonic_us() - frame.pts_us < 5_000_000
    assert (await stream.screenshot())[:3] == b"\xff\xd8\xff"
    assert stream.stats().viewers == 0, "the decoder is no viewer"
    tap.close()
    await until(lambda: stream._feed.origin.own_taps == 0)
    await stream.close()


async def test_a_decoder_begins_again_for_who_comes_later(loop: MediaLoop, units: list[tuple[bytes, bool]]) -> None:
    stream = stream_of(published())
    await stream.open(loop)
    await push(stream, units[0])
    for _ in range(3):
        tap = stream.frames()
        frame = await asyncio.wait_for(anext(tap), 5)
        assert frame.size == (160, 128)
        tap.close()  # and the next comes while the decoder ends
    await stream.close()


async def test_a_passed_through_stream_is_encoded_again_for_who_cannot_take_it(
    loop: MediaLoop, units: list[tuple[bytes, bool]]
) -> None:
    encoders = Encoders()
    stream = stream_of(published(), encoders)
    await stream.open(loop)
    await push(stream, units[0])
    async with stream.take("vp8"):
        await until(lambda: encoders.started[0].encoded == 1)
        async with stream.take("h264") as video:
            assert video == stream.rendition
            assert len(encoders.started) == 1, "it passes through"
    await until(lambda: stream._feed.origin.own_taps == 0)
    await stream.close()


async def test_a_stream_that_cannot_be_decoded_passes_through_all_the_same(
    loop: MediaLoop, units: list[tuple[bytes, bool]]
) -> None:
    stream = stream_of(published(), Encoders())
    await stream.open(loop)
    frames = stream.frames()
    async with stream.take("vp8") as id:
        ended = asyncio.create_task(stream.wait_ended(id))
        sets = units[0][0][: units[0][0].index(b"\0\0\1\x65") + 3]
        async with asyncio.timeout(5):
            while not ended.done():
                await push(stream, (sets + b"\x65\x88\x84\xff", True))
                await asyncio.sleep(0.001)  # as pictures come, one after the other
        assert isinstance(await asyncio.wait_for(ended, 5), DecoderError)
        with pytest.raises(DecoderError, match="times in a row"):
            [frame async for frame in frames]
    packets = stream.packets()
    await push(stream, units[0])
    async with asyncio.timeout(5):
        while bytes((await anext(packets)).data) != units[0][0]:
            pass
    again = stream.frames()
    assert (await asyncio.wait_for(anext(again), 5)).size == (160, 128), "who asks again gets another decoder"
    await stream.close()


async def test_a_decoder_that_meets_damage_again_and_again_asks_less_and_less(
    loop: MediaLoop, units: list[tuple[bytes, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asked as often as the source allowed, and each key frame restarted the device's encoder."""
    decoded: list[Packet] = []
    asked: list[int] = []

    def damaged(self: VideoDecoder, packet: Packet, *, show: bool = True) -> None:
        decoded.append(packet)

    monkeypatch.setattr(VideoDecoder, "decode", damaged)
    monkeypatch.setattr(packet_origin, "monotonic_us", lambda: len(decoded) * 250_000)
    stream = stream_of(published())
    await stream.open(loop)
    stream._opened.video.key_frame_wanted = lambda: asked.append(len(decoded))  # type: ignore[method-assign]
    await push(stream, units[0])
    with stream.frames():
        for n in range(1, 31):
            await until(lambda n=n: len(decoded) == n)  # type: ignore[misc]
            await push(stream, units[1])
    assert asked == [1, 5, 13, 29], "at once, and after 1, 2 and 4 seconds"
    await stream.close()


# ---------------------------------------------------------------------------------------- pushed pictures


@pytest.mark.parametrize("codec", ["h264", "vp8"])
async def test_pictures_that_are_pushed_are_encoded(loop: MediaLoop, codec: str) -> None:
    encoders = Encoders()
    stream = stream_of(published(codec, audio=True), encoders)
    await stream.open(loop)
    packets, sound, early = stream.packets(), stream.audio_packets(), stream.frames()
    await asyncio.sleep(0)
    await stream.push(picture(5))
    assert bytes((await asyncio.wait_for(anext(packets), 5)).data) == b"\0\5"
    assert int((await asyncio.wait_for(anext(early), 5)).y[0, 0]) == 5
    await until(lambda: stream.stats().viewers == 1)
    early.close()
    assert encoders.started[0].codec == codec
    await stream.push(Packet("audio", "opus", b"\xfc\xff\xfe", 20_000, True, 1, 1))
    assert bytes((await asyncio.wait_for(anext(sound), 5)).data) == b"\xfc\xff\xfe"
    with pytest.raises(UnsupportedError, match="its packets are made here"):
        await stream.push(Packet("video", codec, b"x", 0, True, 1, 0))
    description = await stream.wait_described(5)
    assert description is not None
    assert (description.codec, description.size) == (codec, (64, 48))
    packets.close()
    await until(encoders.started[0].closed.is_set)
    with stream.frames() as frames:
        assert int((await asyncio.wait_for(anext(frames), 5)).y[0, 0]) == 5, "the last one, for who comes late"
    await stream.close()
    with pytest.raises(UnsupportedError, match="not published any more"):
        await stream.push(picture(6))


async def test_a_stream_of_packets_takes_no_pictures(loop: MediaLoop, units: list[tuple[bytes, bool]]) -> None:
    stream = stream_of(published())
    await stream.open(loop)
    await push(stream, units[0])
    await stream.wait_described(5)
    with pytest.raises(UnsupportedError, match="gets packets"):
        await stream.push(picture())
    await stream.close()
