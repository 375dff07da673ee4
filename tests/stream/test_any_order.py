"""Whatever begins, ends or fails in whatever order: nothing is left, and nobody waits for ever."""

import asyncio
import contextlib
import random
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from made_here import Encoders, FakeFrames, picture, until

from mediacore.capture.publication import Publication
from mediacore.decode import worker as worker_module
from mediacore.decode.decoder import VideoDecoder
from mediacore.encode.encoder import Encoder, EncoderSettings
from mediacore.errors import DecoderError, DeviceDisconnectedError, EncoderError, MediacoreError
from mediacore.h264 import AccessUnitParser
from mediacore.media import DropCause, Frame, Packet, Wanted
from mediacore.media_loop import MediaLoop, monotonic_us
from mediacore.settings import StreamSettings
from mediacore.stream.encoding import StartEncoding, start_encoder
from mediacore.stream.packet_origin import PacketOrigin
from mediacore.stream.stream import Stream

if TYPE_CHECKING:
    from mediacore.stream.frame_tap import FrameTap
    from mediacore.stream.packet_tap import PacketTap

SETTINGS = StreamSettings(fps=30, transcode_codecs=("vp8", "vp9"))


@pytest.fixture
async def loop() -> AsyncIterator[MediaLoop]:
    loop = MediaLoop()
    await loop.start([])
    before = asyncio.all_tasks()
    yield loop
    with contextlib.suppress(TimeoutError):
        await until(lambda: asyncio.all_tasks() <= before | {asyncio.current_task()}, 1)
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}, "something was left behind"
    figures = loop.native.loop_figures()
    assert all(not count for name, count in figures.items() if name in {"renditions", "taps", "viewers"})
    await loop.close()


async def no_screenshot() -> bytes:
    return b""


def stream_of(source: FakeFrames | Publication, encoders: StartEncoding | None = None) -> Stream:
    return Stream("x", source, SETTINGS, replay_bytes=0, screenshot=no_screenshot, start=encoders)


class Chance:
    """Does something to a stream, whatever it may be."""

    def __init__(self, seed: int, stream: Stream, source: FakeFrames, encoders: Encoders) -> None:
        self.random = random.Random(seed)
        self.stream, self.source, self.encoders = stream, source, encoders
        self.held: list[contextlib.AsyncExitStack] = []
        self.taps: list[PacketTap | FrameTap] = []
        self.frames = 0

    async def step(self) -> None:
        with contextlib.suppress(MediacoreError):
            await self.random.choice(
                [self.take, self.take, self.let_go, self.tap, self.close_tap, self.frame, self.frame, self.fail]
            )()

    async def take(self) -> None:
        codec = self.random.choice(["h264", "vp8", "vp9"])
        wanted = Wanted(fps=self.random.choice([None, 5, 10]))
        stack = contextlib.AsyncExitStack()
        assert await stack.enter_async_context(self.stream.take(codec, wanted))
        self.held.append(stack)

    async def let_go(self) -> None:
        if self.held:
            await self.held.pop(self.random.randrange(len(self.held))).aclose()

    async def tap(self) -> None:
        self.taps.append(self.stream.packets() if self.random.random() < 0.5 else self.stream.frames())

    async def close_tap(self) -> None:
        if self.taps:
            tap = self.taps.pop(self.random.randrange(len(self.taps)))
            if self.random.random() < 0.7:
                tap.close()

    async def frame(self) -> None:
        self.frames += 1
        self.source.give(picture(self.frames % 200, self.random.choice([(64, 48), (48, 64)])))
        await asyncio.sleep(0)

    async def fail(self) -> None:
        if self.encoders.started and self.random.random() < 0.3:
            self.random.choice(self.encoders.started).fail("by chance")


@pytest.mark.parametrize("seed", range(12))
async def test_streams_of_pictures(loop: MediaLoop, seed: int) -> None:
    source, encoders = FakeFrames(), Encoders()
    stream = stream_of(source, encoders)
    await stream.open(loop)
    chance = Chance(seed, stream, source, encoders)
    for _ in range(60):
        await chance.step()
    match seed % 3:
        case 0:
            await stream.close()
        case 1:
            source.end(DeviceDisconnectedError("x", "unplugged"))
            await chance.step()
    for stack in chance.held:
        await stack.aclose()
    for tap in chance.taps:
        tap.close()
    chance.taps.clear()
    await until(lambda: all(encoding.closed.is_set() for encoding in encoders.started))
    await until(lambda: stream._fan.fps == 0)
    assert stream._fan.newest is None
    if seed % 3 == 2:
        assert source.rates[-1] == 0
        assert [rendition.failure for rendition in stream.stats().renditions][1:] == []
    await asyncio.wait_for(stream.close(), 5)
    assert source.closed


class SlowOpening:
    """``open_encoder`` that stands still until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.free = threading.Event()

    def __call__(self, settings: EncoderSettings, **_: object) -> tuple[Encoder, tuple[()]]:
        self.begun.set()
        self.free.wait(10)
        raise EncoderError("it was let go")


@pytest.mark.parametrize("how", ["close", "source", "release"])
async def test_while_an_encoder_is_being_opened(loop: MediaLoop, how: str) -> None:
    opening = SlowOpening()
    source = FakeFrames()
    stream = stream_of(source, start_encoder(None, opening))
    await stream.open(loop)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(stream.take("vp8"))
        source.give(picture(1))
        assert await asyncio.to_thread(opening.begun.wait, 5)
        if how == "release":
            await stack.aclose()
        elif how == "source":
            source.end(DeviceDisconnectedError("x", "unplugged"))
        else:
            await asyncio.wait_for(stream.close(), 5)
    await asyncio.wait_for(stream.close(), 5)
    opening.free.set()


@pytest.fixture(scope="module")
def key_frame(recordings: Callable[..., Path]) -> bytes:
    (unit, *_) = AccessUnitParser().push(recordings(frames=2, gop=2).read_bytes())
    return bytes(unit.data)


async def test_a_decoder_that_is_stuck_is_counted_however_often_it_is_cancelled(
    loop: MediaLoop, monkeypatch: pytest.MonkeyPatch, key_frame: bytes
) -> None:
    """The second cancel came while the first one's clean-up waited: what the decoder had lost, and that it was stuck,
    was forgotten."""
    free, entered = threading.Event(), threading.Event()

    def stuck(self: VideoDecoder, packet: Packet, *, show: bool = True) -> Frame | None:
        self.dropped[DropCause.DECODER_FAILED] += 1
        entered.set()
        free.wait(10)
        return None

    monkeypatch.setattr(VideoDecoder, "decode", stuck)
    monkeypatch.setattr(worker_module, "CLOSE_S", 0.1)
    before = threading.active_count()
    stream = stream_of(
        Publication("x", codec="h264", has_audio=False, size=None, on_key_frame_request=None), Encoders()
    )
    await stream.open(loop)
    await stream.push(Packet("video", "h264", key_frame, monotonic_us(), True, 1, monotonic_us()))
    first = stream.frames()
    await until(entered.is_set)
    first.close()
    await asyncio.sleep(0.01)  # its clean-up has begun
    stream.frames().close()
    origin = stream._feed.origin
    assert isinstance(origin, PacketOrigin)
    await until(lambda: not origin.own_taps)
    assert origin._stuck == 1
    assert stream.stats().dropped == {DropCause.DECODER_FAILED: 1}
    await stream.close()
    free.set()
    await until(lambda: threading.active_count() <= before)


async def test_decoders_that_do_not_come_back_are_bounded(
    loop: MediaLoop, monkeypatch: pytest.MonkeyPatch, key_frame: bytes
) -> None:
    free = threading.Event()

    def stuck(self: VideoDecoder, packet: Packet, *, show: bool = True) -> Frame | None:
        free.wait(10)
        return None

    monkeypatch.setattr(VideoDecoder, "decode", stuck)
    monkeypatch.setattr(worker_module.DecoderWorker.__init__, "__kwdefaults__", {"deadline_s": 0.05})
    before = threading.active_count()
    stream = stream_of(
        Publication("x", codec="h264", has_audio=False, size=None, on_key_frame_request=None), Encoders()
    )
    await stream.open(loop)
    await stream.push(Packet("video", "h264", key_frame, monotonic_us(), True, 1, monotonic_us()))
    for reason in ("within 0.05 s", "within 0.05 s", "did not come back", "did not come back"):
        frames = stream.frames()
        with pytest.raises(DecoderError, match=reason):
            await asyncio.wait_for(anext(frames), 5)
    assert threading.active_count() <= before + 2
    packets = stream.packets()
    assert (await asyncio.wait_for(anext(packets), 5)).is_key, "what passes through goes on"
    await stream.close()
    free.set()
    await until(lambda: threading.active_count() <= before)
