"""Viewers of ours and clients of aiortc's, in one process, without HTTP between them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import av
import pytest
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from fake_loop import FakeMediaLoop
from left_behind import held, settled

from mediacore import _core
from mediacore.rtc import contract
from mediacore.rtc.description import Offered
from mediacore.rtc.port import host_addresses
from mediacore.rtc.viewer import Viewer
from mediacore.settings import RtcSettings
from mediacore.testing.gathering import gather_everywhere, settle

DATA = Path(__file__).parent / "data"
MEDIA = Offered("H264", "42c01f")


class Client:
    """An ordinary aiortc peer that wants video, and a data channel if asked for."""

    def __init__(self, *, label: str = "control", protocol: str = "mediacore.control.1", data: bool = True) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.transceiver = self.pc.addTransceiver("video", direction="recvonly")
        self.gatherer = self.transceiver.receiver.transport.transport.iceGatherer
        gather_everywhere(self.gatherer)
        self.frames: list[av.VideoFrame] = []
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

    async def wait_frames(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.frames) < count:
                self.changed.clear()
                await self.changed.wait()

    async def close(self) -> None:
        await self.pc.close()
        await settle(self.gatherer)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _watch(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                self.frames.append(await track.recv())
                self.changed.set()
        except MediaStreamError:
            return


class Connected:
    """A viewer of ours and its client, connected."""

    def __init__(self, loop: Any, settings: RtcSettings, client: Client) -> None:
        self.client = client
        self.messages: asyncio.Queue[bytes | str] = asyncio.Queue()
        self.viewer = Viewer(settings, loop, on_message=self.messages.put_nowait)

    async def __aenter__(self) -> "Connected":
        await self.client.accept(await self.viewer.negotiate(await self.client.offer(), MEDIA, 1))
        await self.viewer.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.viewer.close()
        await self.client.close()


@pytest.fixture
def new_client() -> type[Client]:
    return Client


@pytest.fixture
async def loop(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeMediaLoop]:
    monkeypatch.setattr(_core, "ViewerConfig", dict, raising=False)
    loop = FakeMediaLoop()
    await loop.open(host_addresses())
    yield loop
    assert not loop.viewers
    loop.close()


@pytest.fixture
async def nothing_left(loop: FakeMediaLoop) -> AsyncIterator[None]:
    """Tasks, descriptors, threads and sockets are after the test what they were before."""
    contract.check()
    before = held()
    yield
    now = await settled(before)
    assert now == before, asyncio.all_tasks()


@pytest.fixture
def new_viewer(loop: FakeMediaLoop) -> Callable[..., Viewer]:
    return lambda settings=None: Viewer(settings or RtcSettings(), loop, on_message=lambda _: None)


@pytest.fixture
def settings() -> RtcSettings:
    return RtcSettings()


@pytest.fixture
def connect(loop: FakeMediaLoop, settings: RtcSettings) -> Callable[..., Connected]:
    """``async with connect() as both``: both.viewer, both.client."""
    return lambda settings=settings, **options: Connected(loop, settings, Client(**options))


@pytest.fixture(params=sorted(path.stem for path in DATA.glob("*.sdp")))
def recorded_offer(request: pytest.FixtureRequest) -> str:
    """Each recorded offer in turn."""
    return (DATA / f"{request.param}.sdp").read_text()
