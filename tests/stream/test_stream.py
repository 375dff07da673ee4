"""One stream: what is known of it, its consumers, and its end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mediacore.capture.publication import Publication
from mediacore.errors import LimitError, RecordingError, UnsupportedError
from mediacore.h264 import AccessUnitParser
from mediacore.media import DropCause, Packet, Target, Unsupported
from mediacore.media_loop import MediaLoop
from mediacore.settings import StreamSettings
from mediacore.stream.stream import Stream


async def no_screenshot() -> bytes:
    return b""


def stream_of(source: Publication) -> Stream:
    return Stream("publish:x", source, StreamSettings(), replay_bytes=0, screenshot=no_screenshot)


def publication(**changes: object) -> Publication:
    options = {"codec": "h264", "has_audio": True, "size": None, "on_key_frame_request": None}
    return Publication("publish:x", **{**options, **changes})  # type: ignore[arg-type]


@pytest.fixture
async def loop() -> AsyncIterator[MediaLoop]:
    loop = MediaLoop()
    await loop.start([])
    yield loop
    await loop.close()


@pytest.fixture(scope="module")
def units(recordings: Callable[..., Path]) -> list[Packet]:
    """Four pictures, the first and the third are key frames."""
    parser = AccessUnitParser()
    found = parser.push(recordings(frames=4, gop=2).read_bytes())
    last = parser.flush()
    assert last is not None
    return [
        Packet("video", "h264", bytes(unit.data), n * 33_333, unit.is_idr, 1, n * 33_333)
        for n, unit in enumerate([*found, last], 1)
    ]


async def test_what_is_pushed_comes_out_with_its_description(loop: MediaLoop, units: list[Packet]) -> None:
    stream = stream_of(publication())
    with pytest.raises(UnsupportedError, match="not been opened"):
        stream.packets()
    await stream.open(loop)
    tap = stream.packets()
    assert await stream.wait_described(0.01) is None
    for packet in units:
        await stream.push(packet)
    taken = [await asyncio.wait_for(anext(tap), 5) for _ in units]
    assert [bytes(packet.data) for packet in taken] == [packet.data for packet in units]
    assert [(packet.pts_us, packet.is_key, packet.received_us) for packet in taken] == [
        (packet.pts_us, packet.is_key, packet.received_us) for packet in units
    ]
    description = await stream.wait_described(5)
    assert description is not None
    assert (description.size, description.rotation, description.epoch) == ((160, 128), 0, 1)
    stats = stream.stats()
    assert (stats.source, stats.frames, stats.key_frames, stats.viewers) == ("publish", 4, 2, 1)
    assert stats.bytes == sum(len(packet.data) for packet in units)
    await stream.close()
    assert [packet async for packet in tap] == []
    assert stream.stats().frames == 4, "the last figures stay"
    assert [packet async for packet in stream.packets()] == [], "there is nothing more, and no error either"


async def test_a_new_epoch_of_the_publisher_is_one_of_the_stream(loop: MediaLoop, units: list[Packet]) -> None:
    stream = stream_of(publication())
    await stream.open(loop)
    tap = stream.packets()
    for epoch in (7, 9):
        for packet in units[:2]:
            await stream.push(
                Packet("video", "h264", packet.data, epoch * 10**6 + packet.pts_us, packet.is_key, epoch, 0)
            )
    taken = [await asyncio.wait_for(anext(tap), 5) for _ in range(4)]
    assert [packet.epoch for packet in taken] == [1, 1, 2, 2]
    async with asyncio.timeout(5):
        first = await stream.next_description(None)
        assert first.epoch == 2 or (await stream.next_description(first)).epoch == 2
    assert stream.stats().restarts == 1
    await stream.close()


async def test_sound_has_a_rendition_of_its_own(loop: MediaLoop) -> None:
    stream = stream_of(publication())
    await stream.open(loop)
    assert stream.audio_rendition not in (0, stream.rendition)
    tap = stream.audio_packets()
    await stream.push(Packet("audio", "opus", b"\xfc\xff\xfe", 20_000, True, 1, 1))
    packet = await asyncio.wait_for(anext(tap), 5)
    assert (packet.kind, packet.codec, bytes(packet.data)) == ("audio", "opus", b"\xfc\xff\xfe")
    await stream.close()


async def test_what_a_published_stream_does_not_take(loop: MediaLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = stream_of(publication(has_audio=False))
    await stream.open(loop)
    with pytest.raises(UnsupportedError, match="carries h264, not vp8"):
        await stream.push(Packet("video", "vp8", b"x", 0, True, 1, 0))
    with pytest.raises(UnsupportedError, match="without audio"):
        await stream.push(Packet("audio", "opus", b"x", 0, True, 1, 0))
    with pytest.raises(UnsupportedError, match="a bytes cannot be sent"):
        await stream.push(b"x")  # type: ignore[arg-type]
    assert isinstance(await stream.set_target(Target(fps=10)), Unsupported)
    assert await stream.request_key_frame() is False
    assert [packet async for packet in stream.audio_packets()] == []
    with pytest.raises(UnsupportedError, match="theora cannot be published"):
        publication(codec="theora")

    class Full:
        """A loop that takes no more."""

        def push(self, *_: object, **__: object) -> bool:
            return False

    with monkeypatch.context() as patch:
        patch.setattr(MediaLoop, "native", Full())
        with pytest.raises(LimitError, match="dropped"):
            await stream.push(Packet("video", "h264", b"x", 0, True, 1, 0))
    assert stream.stats().dropped == {DropCause.SLOW_CONSUMER: 1}
    await stream.close()
    with pytest.raises(UnsupportedError, match="not published any more"):
        await stream.push(Packet("video", "h264", b"x", 0, True, 1, 0))


async def test_the_size_of_packets_that_do_not_tell_it_is_what_the_publisher_said(loop: MediaLoop) -> None:
    stream = stream_of(publication(codec="vp8", size=(320, 200)))
    await stream.open(loop)
    await stream.push(Packet("video", "vp8", b"\x10\x02\x00\x9d\x01\x2a\x40\x01\xc8\x00", 0, True, 1, 0))
    description = await stream.wait_described(5)
    assert description is not None
    assert (description.codec, description.size, description.profile_level_id) == ("vp8", (320, 200), "")
    await stream.close()


async def test_a_wish_for_a_key_frame_reaches_the_publisher(loop: MediaLoop, units: list[Packet]) -> None:
    asked = asyncio.Event()
    stream = stream_of(publication(on_key_frame_request=asked.set))
    await stream.open(loop)
    await stream.push(units[0])
    await stream.wait_described(5)
    with stream.packets(replay=False):
        await asyncio.wait_for(asked.wait(), 5)
    assert stream.stats().key_frame_requests == 1
    await stream.close()


@pytest.mark.parametrize(("ask", "limited"), [(None, False), (lambda: None, True)])
async def test_without_key_frames_on_request_late_viewers_get_the_cache_whatever_its_size(
    loop: MediaLoop, monkeypatch: pytest.MonkeyPatch, ask: Callable[[], None] | None, limited: bool
) -> None:
    """Each late viewer of a recording waited for the merging of requests that nobody could grant."""
    given: list[int] = []
    add = loop.add_rendition
    monkeypatch.setattr(loop, "add_rendition", lambda *a, **k: given.append(k["replay_bytes"]) or add(*a, **k))
    stream = Stream(
        "publish:x",
        publication(has_audio=False, on_key_frame_request=ask),
        StreamSettings(),
        replay_bytes=1000,
        screenshot=no_screenshot,
    )
    await stream.open(loop)
    assert (given == [1000]) is limited
    assert given[0] >= 1000
    await stream.close()


async def test_an_error_of_the_source_reaches_consumers_old_and_new(loop: MediaLoop) -> None:
    stream = stream_of(publication())
    await stream.open(loop)
    before = stream.packets()
    stream._end(RecordingError("it is gone"))
    stream._end(None)
    assert isinstance(await asyncio.wait_for(stream.wait_ended(), 5), RecordingError)
    for tap in (before, stream.packets()):
        with pytest.raises(RecordingError, match="it is gone"):
            await asyncio.wait_for(anext(tap), 5)
    await stream.close()
