"""Viewers of ours and clients of aiortc's, in one process, without HTTP between them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import av
import pytest
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from left_behind import held, settled

from mediacore.media import Packet
from mediacore.rtc import contract
from mediacore.rtc.port import IcePort, host_addresses
from mediacore.rtc.viewer import Viewer
from mediacore.settings import RtcSettings

DATA = Path(__file__).parent / "data"
PROFILE = "42c01f"


class Client:
    """An ordinary aiortc peer that wants video, and a data channel if asked for."""

    def __init__(self, *, label: str = "control", protocol: str = "mediacore.control.1", data: bool = True) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.transceiver = self.pc.addTransceiver("video", direction="recvonly")
        self.port = IcePort(self.transceiver.receiver.transport.transport.iceGatherer, host_addresses())
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
        await self.port.settle()
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


class Source:
    """Gives the access units of a recording at its frame rate, as live packets."""

    def __init__(self, units: list[tuple[bytes, bool]], fps: int = 60) -> None:
        self.units = units
        self.fps = fps
        self.given = 0

    async def receive(self) -> Packet:
        await asyncio.sleep(1 / self.fps)
        data, is_key = self.units[self.given % len(self.units)]
        self.given += 1
        now_us = time.monotonic_ns() // 1000
        return Packet("video", "h264", data, now_us, is_key, 0, now_us)


class Connected:
    """A viewer of ours and its client, connected."""

    def __init__(self, settings: RtcSettings, client: Client) -> None:
        self.client = client
        self.messages: asyncio.Queue[bytes | str] = asyncio.Queue()
        self.requested = asyncio.Event()
        self.viewer = Viewer(settings, on_key_frame_request=self.requested.set, on_message=self.messages.put_nowait)

    async def __aenter__(self) -> "Connected":
        await self.client.accept(await self.viewer.negotiate(await self.client.offer(), PROFILE))
        await self.viewer.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.viewer.close()
        await self.client.close()


@pytest.fixture
def new_client() -> type[Client]:
    return Client


@pytest.fixture
def new_source(units: list[tuple[bytes, bool]]) -> Callable[[], Source]:
    return lambda: Source(units)


@pytest.fixture
async def nothing_left() -> AsyncIterator[None]:
    """Tasks, descriptors, threads and sockets are after the test what they were before."""
    contract.check()
    before = held()
    yield
    now = await settled(before)
    assert now == before, asyncio.all_tasks()


@pytest.fixture
def settings() -> RtcSettings:
    return RtcSettings()


@pytest.fixture
def connect(settings: RtcSettings) -> Callable[..., Connected]:
    """``async with connect() as both``: both.viewer, both.client."""
    return lambda settings=settings, **options: Connected(settings, Client(**options))


@pytest.fixture(scope="session")
def units(recordings: Callable[..., Path]) -> list[tuple[bytes, bool]]:
    """Access units of two seconds of moving pictures, and whether each is a key frame."""
    with av.open(str(recordings("rtc.h264", size=(320, 240), frames=60, gop=30))) as container:
        return [(bytes(packet), packet.is_keyframe) for packet in container.demux(video=0) if packet.size]


@pytest.fixture
def source(units: list[tuple[bytes, bool]]) -> Callable[[], Awaitable[Packet]]:
    return Source(units).receive


@pytest.fixture(params=sorted(path.stem for path in DATA.glob("*.sdp")))
def recorded_offer(request: pytest.FixtureRequest) -> str:
    """Each recorded offer in turn."""
    return (DATA / f"{request.param}.sdp").read_text()
