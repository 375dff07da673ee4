"""Viewers of ours and clients of aiortc's, in one process, without HTTP between them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCDtlsFingerprint,
    RTCIceCandidate,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from left_behind import held, settled

from mediacore.media_loop import MediaLoop
from mediacore.rtc import contract
from mediacore.rtc.description import LocalEnd, Offered, VideoFormat
from mediacore.rtc.port import host_addresses
from mediacore.rtc.viewer import Viewer
from mediacore.settings import RtcSettings
from mediacore.testing.gathering import gather_everywhere, settle

DATA = Path(__file__).parent / "data"
H264 = Offered((VideoFormat("H264", "42c01f"),))
REPLAY_BYTES = 1 << 20
AUDIO_FRAME_US = 20_000


class Client:
    """An ordinary aiortc peer that wants video, and audio and a data channel if asked for."""

    def __init__(
        self,
        *,
        label: str = "control",
        protocol: str = "mediacore.control.1",
        data: bool = True,
        audio: bool = False,
    ) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.transceiver = self.pc.addTransceiver("video", direction="recvonly")
        if audio:
            self.pc.addTransceiver("audio", direction="recvonly")
        self.gatherer = self.transceiver.receiver.transport.transport.iceGatherer
        gather_everywhere(self.gatherer)
        self.frames: list[av.VideoFrame] = []
        self.sounds: list[av.AudioFrame] = []
        self.received: asyncio.Queue[bytes | str] = asyncio.Queue()
        self.changed = asyncio.Event()
        self.opened = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []
        self.channel: RTCDataChannel | None = None
        if data:
            self.channel = self.pc.createDataChannel(label, protocol=protocol)
            self.channel.on("message", self.received.put_nowait)
            self.channel.on("open", self.opened.set)
        self.pc.on("track", lambda track: self.tasks.append(asyncio.create_task(self._watch(track))))

    async def offer(self) -> str:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return self.pc.localDescription.sdp

    async def accept(self, answer: str) -> None:
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def wait_frames(self, count: int, *, more: bool = False) -> None:
        """Wait for ``count`` pictures in all, or for so many more."""
        count += len(self.frames) if more else 0
        await self.wait_for(lambda: len(self.frames) >= count)

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until it is true after a picture or a sound."""
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def close(self) -> None:
        await self.pc.close()
        await settle(self.gatherer)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _watch(self, track: MediaStreamTrack) -> None:
        kept: list[Any] = self.frames if track.kind == "video" else self.sounds
        try:
            while True:
                kept.append(await track.recv())
                self.changed.set()
        except MediaStreamError:
            return


class Feed:
    """One rendition of the media loop, and what is pushed into it."""

    def __init__(self, loop: MediaLoop, codec: str = "h264", *, replay_bytes: int = REPLAY_BYTES) -> None:
        self.loop = loop
        self.wanted = asyncio.Event()
        """Somebody waits for a key frame."""
        self.rendition = loop.add_rendition(self, codec=codec, replay_bytes=replay_bytes)

    def described(self, width: int, height: int, profile_level_id: str, epoch: int, pts_us: int) -> None:
        """Nobody asks here."""

    def key_frame_wanted(self) -> None:
        self.wanted.set()

    def push(self, data: bytes, *, is_key: bool, pts_us: int | None = None) -> None:
        now_us = time.monotonic_ns() // 1000
        taken = self.loop.native.push(
            self.rendition, data, pts_us=now_us if pts_us is None else pts_us, is_key=is_key, received_us=now_us
        )
        assert taken

    async def play(self, units: list[tuple[bytes, bool]], interval_us: int = 16_667) -> None:
        """Push them over and over at their frame rate."""
        while True:
            for data, is_key in units:
                self.push(data, is_key=is_key)
                await asyncio.sleep(interval_us / 1e6)


class Connected:
    """A viewer of ours and its client, connected, and a rendition that plays."""

    def __init__(
        self,
        loop: MediaLoop,
        units: list[tuple[bytes, bool]],
        settings: RtcSettings,
        client: Client,
        *,
        media: Offered = H264,
        replay_bytes: int = REPLAY_BYTES,
        through: Callable[[Client, str], str] = lambda _, answer: answer,
    ) -> None:
        self.loop = loop
        self.client = client
        self.through = through
        self.media = media
        self.feed = Feed(loop, media.video[0].name.lower(), replay_bytes=replay_bytes)
        self.messages: asyncio.Queue[bytes | str] = asyncio.Queue()
        self.viewer = Viewer(settings, loop, on_message=self.messages.put_nowait)
        self.answer = ""
        self._units = units
        self._playing: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Connected":
        self.answer = await self.viewer.negotiate(await self.client.offer(), self.media, self.feed.rendition)
        await self.client.accept(self.through(self.client, self.answer))
        await self.viewer.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.viewer.close()
        await self.client.close()
        await self.pause()
        await self.loop.remove(self.feed.rendition)

    def play(self, audio: int = 0) -> None:
        """Let the rendition play, and the viewer see it."""
        self._playing.append(asyncio.create_task(self.feed.play(self._units)))
        self.viewer.start_media(self.feed.rendition, audio)

    def also(self, feed: Feed, units: list[tuple[bytes, bool]], interval_us: int = 16_667) -> None:
        """Let another one play beside it."""
        self._playing.append(asyncio.create_task(feed.play(units, interval_us)))

    async def pause(self) -> None:
        """Nothing plays any more."""
        for task in self._playing:
            task.cancel()
        await asyncio.gather(*self._playing, return_exceptions=True)
        self._playing.clear()


@pytest.fixture
def new_client() -> type[Client]:
    return Client


@pytest.fixture
async def loop() -> AsyncIterator[MediaLoop]:
    loop = MediaLoop()
    await loop.start(host_addresses())
    yield loop
    await loop.close()


class Viewers:
    """Viewers of a rendition that has no packets."""

    def __init__(self, loop: MediaLoop) -> None:
        self._loop = loop
        self.rendition = Feed(loop).rendition

    def new(self, settings: RtcSettings | None = None, **options: Any) -> Viewer:
        return Viewer(settings or RtcSettings(), self._loop, on_message=lambda _: None, **options)

    async def negotiate(self, viewer: Viewer, offer: str) -> str:
        return await viewer.negotiate(offer, H264, self.rendition)


@pytest.fixture
async def viewers(loop: MediaLoop) -> Viewers:
    return Viewers(loop)


@pytest.fixture
async def nothing_left(viewers: Viewers) -> AsyncIterator[None]:
    """Tasks, descriptors, threads and sockets are after the test what they were before."""
    contract.check()
    before = held()
    yield
    now = await settled(before)
    assert now == before, asyncio.all_tasks()


@pytest.fixture
def new_feed(loop: MediaLoop) -> Callable[..., Feed]:
    return lambda codec="h264": Feed(loop, codec)


@pytest.fixture
def connect(loop: MediaLoop, units: list[tuple[bytes, bool]]) -> Callable[..., Connected]:
    """``async with connect() as both``: both.viewer, both.client, both.feed."""

    def make(
        settings: RtcSettings | None = None,
        *,
        play: list[tuple[bytes, bool]] = units,
        media: Offered = H264,
        **options: Any,
    ) -> Connected:
        ours = {name: options.pop(name) for name in ("replay_bytes", "through") if name in options}
        return Connected(loop, play, settings or RtcSettings(), Client(**options), media=media, **ours)

    return make


@pytest.fixture
def new_connected(units: list[tuple[bytes, bool]]) -> Callable[[MediaLoop], Connected]:
    """As ``connect``, on another media loop."""
    return lambda loop: Connected(loop, units, RtcSettings(), Client())


@pytest.fixture(scope="session")
def units(recordings: Callable[..., Path]) -> list[tuple[bytes, bool]]:
    """Access units of two seconds of moving pictures, and whether each is a key frame."""
    with av.open(str(recordings("rtc.h264", size=(320, 240), frames=60, gop=30))) as container:
        return [(bytes(packet), packet.is_keyframe) for packet in container.demux(video=0) if packet.size]


@pytest.fixture(scope="session")
def encoded() -> Callable[..., list[tuple[bytes, bool]]]:
    """Makes half a second of video or audio by the encoder of that name."""

    def make(encoder: str, **options: str) -> list[tuple[bytes, bool]]:
        context = av.CodecContext.create(encoder, "w")
        context.options = options
        frames: list[Any] = []
        if context.type == "audio":
            context.sample_rate, context.layout, context.format = 48_000, "stereo", "s16"
            samples = (np.sin(np.arange(960) * 0.06) * 8000).astype(np.int16)
            for number in range(25):
                frame = av.AudioFrame.from_ndarray(np.repeat(samples, 2)[None], "s16", "stereo")
                frame.sample_rate, frame.pts = 48_000, number * 960
                frames.append(frame)
        else:
            context.width, context.height, context.pix_fmt, context.framerate = 160, 128, "yuv420p", 30
            context.time_base = 1 / context.framerate
            for number in range(15):
                frame = av.VideoFrame.from_ndarray(np.full((192, 160), 100 + number, np.uint8), "yuv420p")
                frame.pts = number
                frames.append(frame)
        packets = [packet for frame in [*frames, None] for packet in context.encode(frame)]
        return [(bytes(packet), packet.is_keyframe) for packet in packets if packet.size]

    return make


@pytest.fixture(params=sorted(path.stem for path in DATA.glob("*.sdp")))
def recorded_offer(request: pytest.FixtureRequest) -> str:
    """Each recorded offer in turn."""
    return (DATA / f"{request.param}.sdp").read_text()


@pytest.fixture
def local() -> LocalEnd:
    """Our end, as an answer tells it."""
    return LocalEnd(
        session_id=4711,
        ice_ufrag="abcd",
        ice_password="a" * 22,
        fingerprint=RTCDtlsFingerprint("sha-256", "AB:" * 31 + "CD"),
        candidates=[RTCIceCandidate(1, "f1", "192.0.2.2", 40001, 2130706431, "udp", "host")],
        cname="someone",
        ssrc=1111,
        rtx_ssrc=2222,
        audio_ssrc=3333,
    )
