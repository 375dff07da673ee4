"""The built-in viewer against a small WHEP server: pictures, latency, touches, refusals, and what it leaves behind."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc.rtp import RtpPacket
from left_behind import held, settled

from mediacore.control import messages
from mediacore.errors import ConnectFailedError, ConnectTimeoutError
from mediacore.media import CloseReason
from mediacore.media_loop import MediaLoop
from mediacore.rtc.description import Offered, VideoFormat
from mediacore.rtc.port import host_addresses
from mediacore.rtc.viewer import Viewer
from mediacore.settings import RtcSettings
from mediacore.testing import barcode
from mediacore.testing.viewer import BuiltInViewer, PromptJitterBuffer

WIDTH, HEIGHT = 160, 256


class LivePictures:
    """Pictures with a bar code, drawn and encoded when they are asked for."""

    def __init__(self) -> None:
        self.codec = av.CodecContext.create("libx264", "w")
        self.codec.width, self.codec.height, self.codec.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        self.codec.time_base = Fraction(1, 30)
        self.codec.options = {"preset": "ultrafast", "tune": "zerolatency"}
        self.codec.profile = "Baseline"
        self.number = 0

    def draw(self) -> tuple[bytes, bool]:
        picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        barcode.draw(picture[:HEIGHT], self.number, time.time_ns() // 1000)
        frame = av.VideoFrame.from_ndarray(picture, "yuv420p")
        frame.pts = self.number
        self.number += 1
        (packet,) = self.codec.encode(frame)
        return bytes(packet), packet.is_keyframe


class Fed:
    """A rendition that gets live pictures, 30 times per second."""

    def __init__(self, loop: MediaLoop) -> None:
        self.loop = loop
        self.rendition = loop.add_rendition(self, codec="h264", replay_bytes=1 << 20)

    def described(self, width: int, height: int, profile_level_id: str, epoch: int, pts_us: int) -> None:
        """Known beforehand."""

    def key_frame_wanted(self) -> None:
        """There is one each eight seconds, and what followed it is replayed."""

    async def feed(self) -> None:
        pictures = LivePictures()
        while True:
            await asyncio.sleep(1 / 30)
            data, is_key = pictures.draw()
            now_us = time.monotonic_ns() // 1000
            self.loop.native.push(self.rendition, data, pts_us=now_us, is_key=is_key, received_us=now_us)


class WhepServer:
    """Just enough HTTP: POST makes a viewer, DELETE ends it."""

    def __init__(self, loop: MediaLoop) -> None:
        self.loop = loop
        self.fed = Fed(loop)
        self.viewers: list[Viewer] = []
        self.messages: asyncio.Queue[bytes | str] = asyncio.Queue()
        self.tasks: set[asyncio.Task[None]] = set()
        self.refuses = ""
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method = head.split()[0]
        length = next((int(line.split(":")[1]) for line in head.lower().splitlines() if "content-length" in line), 0)
        body = (await reader.readexactly(length)).decode()
        if self.refuses:
            status, answer = self.refuses, "not now"
        elif method == "POST":
            assert "content-type: application/sdp" in head.lower()
            status, answer = "201 Created\r\nLocation: /sessions/0", await self.accept(body)
        else:
            status, answer = "204 No Content", ""
            await self.viewers[-1].close()
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: {len(answer)}\r\nConnection: close\r\n\r\n{answer}".encode()
        )
        await writer.drain()
        writer.close()

    async def accept(self, offer: str) -> str:
        viewer = Viewer(RtcSettings(), self.loop, on_message=self.messages.put_nowait)
        self.viewers.append(viewer)
        answer = await viewer.negotiate(offer, Offered((VideoFormat("H264", "42c01f"),)), self.fed.rendition)
        task = asyncio.create_task(self.play(viewer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return answer

    async def play(self, viewer: Viewer) -> None:
        await viewer.connect()
        viewer.start_media(self.fed.rendition)


@pytest.fixture
def addresses() -> list[str]:
    """Where the media loop has its sockets."""
    return host_addresses()


@pytest.fixture
async def whep(addresses: list[str]) -> AsyncIterator[WhepServer]:
    loop = MediaLoop()
    await loop.start(addresses)
    served = WhepServer(loop)
    feeding = asyncio.create_task(served.fed.feed())
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/whep"
    yield served
    for viewer in served.viewers:
        await viewer.close()
    feeding.cancel()
    await asyncio.gather(feeding, *served.tasks, return_exceptions=True)
    await loop.close()
    server.close()
    await server.wait_closed()


async def test_pictures_and_their_latency(whep: WhepServer) -> None:
    async with BuiltInViewer(whep.url) as viewer:
        await viewer.wait_frames(20)
        assert viewer.size == (WIDTH, HEIGHT)
        assert viewer.moves >= viewer.frames - 2
        assert viewer.frame_number >= 19
        assert viewer.frame.width == WIDTH
        assert len(viewer.latencies_ms) == viewer.frames
        assert 0 < min(viewer.latencies_ms) < 33, "a picture is shown when it is there, not when the next one comes"
        assert viewer.latency_ms(50) <= viewer.latency_ms(95)
        assert 0 < viewer.first_frame_ms < 2000
    assert await asyncio.wait_for(whep.viewers[0].wait_closed(), 2) is CloseReason.REQUESTED


async def test_touches_and_messages(whep: WhepServer) -> None:
    async with BuiltInViewer(whep.url) as viewer:
        await viewer.wait_channel()
        await viewer.wait_frames(1)
        viewer.touch(0.5, 1)
        for action in (messages.TouchAction.DOWN, messages.TouchAction.UP):
            _, touch = messages.decode(await asyncio.wait_for(whep.messages.get(), 5))
            assert isinstance(touch, messages.Touch)
            assert (touch.action, touch.x, touch.y, touch.width, touch.height) == (action, 32768, 65535, WIDTH, HEIGHT)
        whep.viewers[0].send_message('{"v": 1, "type": "clock", "rtp": 1, "pts_us": 2}')
        whep.viewers[0].send_message(b"\x07")
        frames = viewer.frames
        await viewer.wait_frames(frames + 3)
        assert list(viewer.events) == [{"v": 1, "type": "clock", "rtp": 1, "pts_us": 2}]
        assert list(viewer.messages) == [b"\x07"]


async def test_without_control(whep: WhepServer) -> None:
    async with BuiltInViewer(whep.url, control=False) as viewer:
        await viewer.wait_frames(1)
        with pytest.raises(ConnectFailedError, match="no data channel"):
            viewer.touch(0, 0)
        with pytest.raises(ConnectTimeoutError):
            await viewer.wait_channel(0.1)


@pytest.mark.parametrize("addresses", [["127.0.0.1"]], ids=["loopback only"])
async def test_a_machine_with_loopback_only(whep: WhepServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediacore.testing.gathering.host_addresses", lambda: ["127.0.0.1"])
    async with BuiltInViewer(whep.url) as viewer:
        await viewer.wait_frames(3)


async def test_a_refusal_is_told_with_its_words(whep: WhepServer) -> None:
    whep.refuses = "404 Not Found"
    with pytest.raises(ConnectFailedError, match=r"POST http://127.0.0.1:\d+/whep: 404 not now"):
        async with BuiltInViewer(whep.url):
            pass


async def test_nobody_there(unused_tcp_port: int) -> None:
    with pytest.raises(ConnectFailedError, match="refused"):
        async with BuiltInViewer(f"http://127.0.0.1:{unused_tcp_port}/whep"):
            pass


async def test_the_server_ends_it(whep: WhepServer) -> None:
    async with BuiltInViewer(whep.url) as viewer:
        await viewer.wait_frames(1)
        await whep.viewers[0].close()
        with pytest.raises(ConnectFailedError, match="ended after"):
            await viewer.wait_frames(10_000)


async def test_pictures_that_do_not_come(whep: WhepServer) -> None:
    async with BuiltInViewer(whep.url) as viewer:
        with pytest.raises(ConnectTimeoutError, match=r"of 10000 pictures came within 0\.2 s"):
            await viewer.wait_frames(10_000, timeout_s=0.2)


@pytest.mark.parametrize("frames", [0, 1])
async def test_nothing_is_left(whep: WhepServer, frames: int) -> None:
    before = None
    for number in range(4):
        async with BuiltInViewer(whep.url) as viewer:
            await viewer.wait_frames(frames)
        if number == 1:
            before = held()
    assert before is not None
    now = await settled(before)
    assert (now.tasks, now.fds) == (before.tasks, before.fds)


def packet(sequence: int, timestamp: int, *, marker: int = 0) -> RtpPacket:
    made = RtpPacket(sequence_number=sequence, timestamp=timestamp, marker=marker)
    made._data = b"%d " % sequence
    return made


@pytest.fixture
def buffer() -> Callable[[RtpPacket], bytes | None]:
    made = PromptJitterBuffer(16, is_video=True)

    def add(item: RtpPacket) -> bytes | None:
        _, frame = made.add(item)
        return frame and frame.data

    return add


def test_a_frame_is_complete_at_its_marker(buffer: Callable[[RtpPacket], bytes | None]) -> None:
    assert buffer(packet(65535, 1)) is None
    assert buffer(packet(0, 1, marker=1)) == b"65535 0 "
    assert buffer(packet(1, 2, marker=1)) == b"1 "


def test_a_late_packet_completes_its_frame(buffer: Callable[[RtpPacket], bytes | None]) -> None:
    assert buffer(packet(7, 1)) is None
    assert buffer(packet(9, 1, marker=1)) is None
    assert buffer(packet(8, 1)) == b"7 8 9 "


def test_a_frame_without_a_marker_ends_at_the_next(buffer: Callable[[RtpPacket], bytes | None]) -> None:
    assert buffer(packet(7, 1)) is None
    assert buffer(packet(8, 2)) == b"7 "
