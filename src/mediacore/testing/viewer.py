"""A viewer without a browser: a WHEP client that decodes what it is sent and reads the bar code in the pictures.

Policy: a picture is decoded as soon as its last packet is there, so that the measured time is the product's and not
this client's; lost packets are asked for again (aiortc's receiver does that). Runs on one asyncio loop; decoding has a
thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.mediastreams import MediaStreamError

from mediacore.control.messages import Touch, TouchAction, encode
from mediacore.errors import ConnectFailedError, ConnectTimeoutError
from mediacore.rtc import contract
from mediacore.rtc.channel import LABEL, PROTOCOL
from mediacore.testing import barcode
from mediacore.testing.gathering import gather_everywhere, settle

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    import av
    import numpy.typing as npt
    from aiortc import MediaStreamTrack, RTCDataChannel, RTCRtpTransceiver
    from aiortc.rtp import RtpPacket

log = logging.getLogger(__name__)

REQUEST_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 5.0
MAX_SAMPLES: Final = 100_000
"""Latencies that are kept: the last 55 minutes at 30 frames per second."""
MAX_EVENTS: Final = 1000


class BuiltInViewer:
    """Watches one device: ``async with BuiltInViewer(url) as viewer: await viewer.wait_frames(10)``.

    Args:
        url: the WHEP address, as ``http://127.0.0.1:8080/api/v1/devices/SERIAL/whep``.
        control: whether it opens the data channel.
    """

    def __init__(self, url: str, *, control: bool = True) -> None:
        self._url = url
        self._control = control
        self._pc: RTCPeerConnection | None = None
        self._channel: RTCDataChannel | None = None
        self._watching: asyncio.Task[None] | None = None
        self._session_url: str | None = None
        self._changed = asyncio.Condition()
        self._ended = False
        self._latencies_ms: deque[float] = deque(maxlen=MAX_SAMPLES)
        self._last_number: int | None = None
        self._last_frame: av.VideoFrame | None = None
        self.frames = 0
        """Pictures decoded."""
        self.moves = 0
        """How often a picture had another frame number in its bar code than the one before."""
        self.size: tuple[int, int] | None = None
        """(width, height) of the newest picture; None before the first."""
        self.first_frame_ms: float | None = None
        """From the offer's way out to the first decoded picture, in ms."""
        self.events: deque[dict[str, Any]] = deque(maxlen=MAX_EVENTS)
        """JSON events from the server, the newest last."""
        self.messages: deque[bytes] = deque(maxlen=MAX_EVENTS)
        """Binary messages from the server, the newest last."""

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def latencies_ms(self) -> list[float]:
        """From each picture's drawing on the device to its decoding here, in ms; without those that tell no time."""
        return list(self._latencies_ms)

    @property
    def frame(self) -> av.VideoFrame | None:
        """The newest picture."""
        return self._last_frame

    @property
    def frame_number(self) -> int | None:
        """The frame number in the newest bar code that could be read."""
        return self._last_number

    def latency_ms(self, percentile: float) -> float | None:
        """A percentile (0 to 100) of ``latencies_ms``; None as long as there is none."""
        return float(np.percentile(self._latencies_ms, percentile)) if self._latencies_ms else None

    async def wait_frames(self, count: int, timeout_s: float = 10.0) -> None:
        """Wait until ``count`` pictures were decoded.

        Raises:
            ConnectTimeoutError: they did not come in time.
            ConnectFailedError: the connection ended before.
        """
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: self.frames >= count or self._ended)
        except TimeoutError:
            raise ConnectTimeoutError(f"{self.frames} of {count} pictures came within {timeout_s:g} s") from None
        if self.frames < count:
            raise ConnectFailedError(f"the connection ended after {self.frames} of {count} pictures")

    async def wait_channel(self, timeout_s: float = 10.0) -> None:
        """Wait until the data channel is open; raises ``ConnectTimeoutError``."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: self.channel_open)
        except TimeoutError:
            raise ConnectTimeoutError(f"the data channel did not open within {timeout_s:g} s") from None

    @property
    def channel_open(self) -> bool:
        """True while messages can be sent."""
        return self._channel is not None and self._channel.readyState == "open"

    def send(self, message: str | bytes) -> None:
        """Send one message; the data channel must be open."""
        if self._channel is None:
            raise ConnectFailedError("this viewer has no data channel")
        self._channel.send(message)

    def touch(self, x: float, y: float) -> None:
        """A tap: ``x`` and ``y`` are shares of the picture's width and height, 0 to 1."""
        width, height = self.size or (0, 0)
        for action, pressure in ((TouchAction.DOWN, 65_535), (TouchAction.UP, 0)):
            place = round(x * 65_535), round(y * 65_535)
            self.send(encode(Touch(action, 0, *place, pressure, width, height)))

    async def close(self) -> None:
        """Tell the server, then free everything."""
        if self._session_url is not None:
            url, self._session_url = self._session_url, None
            with contextlib.suppress(ConnectFailedError):  # the session may have ended by itself
                await asyncio.to_thread(_request, "DELETE", url, None)
        if self._pc is not None:
            pc, self._pc = self._pc, None
            await asyncio.wait({asyncio.ensure_future(pc.close())}, timeout=CLOSE_TIMEOUT_S)
            await settle(self._gatherer)
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})
        self._last_frame = None

    async def _start(self) -> None:
        contract.check()
        configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        self._pc = pc = RTCPeerConnection(configuration)
        transceiver = pc.addTransceiver("video", direction="recvonly")
        self._gatherer = transceiver.receiver.transport.transport.iceGatherer
        gather_everywhere(self._gatherer)
        _decode_promptly(transceiver)
        pc.on("track", self._track)
        if self._control:
            self._channel = channel = pc.createDataChannel(LABEL, protocol=PROTOCOL)
            channel.on("message", self._message)
            channel.on("open", self._notify)
        await pc.setLocalDescription(await pc.createOffer())
        self._started_s = time.monotonic()
        answer, location = await asyncio.to_thread(_request, "POST", self._url, pc.localDescription.sdp)
        self._session_url = urllib.parse.urljoin(self._url, location) if location else None
        await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    def _track(self, track: MediaStreamTrack) -> None:
        self._watching = asyncio.create_task(self._watch(track), name="built-in viewer")

    async def _watch(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame: Any = await track.recv()
                self._shown(frame)
                await self._notify()
        except MediaStreamError:
            log.debug("the video has ended")
        finally:
            self._ended = True
        await self._notify()

    def _shown(self, frame: av.VideoFrame) -> None:
        now_us = time.time_ns() // 1000
        self.frames += 1
        self.size = frame.width, frame.height
        self._last_frame = frame
        if self.first_frame_ms is None:
            self.first_frame_ms = (time.monotonic() - self._started_s) * 1e3
        code = barcode.read(_luma(frame))
        if code is None:
            return
        self.moves += self._last_number is not None and code.frame_number != self._last_number
        self._last_number = code.frame_number
        if code.time_us:
            self._latencies_ms.append((now_us - code.time_us) / 1e3)

    async def _message(self, message: bytes | str) -> None:
        if isinstance(message, str):
            self.events.append(json.loads(message))
        else:
            self.messages.append(message)
        await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class PromptJitterBuffer(JitterBuffer):
    """aiortc's, but a frame ends at its marker bit (RFC 6184 section 5.1), not at the next frame's first packet."""

    def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
        del sequence_number
        packets: list[RtpPacket] = []
        for count in range(self.capacity):
            packet = self._packets[((self._origin or 0) + count) % self.capacity]
            if packet is None:
                return None
            if packets and packet.timestamp != packets[0].timestamp:
                return self._take(packets)  # without a marker bit
            packets.append(packet)
            if packet.marker:
                return self._take(packets)
        return None

    def _take(self, packets: list[RtpPacket]) -> JitterFrame:
        self.remove(len(packets))
        # The receiver leaves the depacketized bytes on each packet.
        return JitterFrame(b"".join(vars(packet)["_data"] for packet in packets), packets[0].timestamp)


def _decode_promptly(transceiver: RTCRtpTransceiver) -> None:
    (name,) = contract.NAMES["RTCRtpReceiver"]
    stock: JitterBuffer = getattr(transceiver.receiver, name)
    setattr(transceiver.receiver, name, PromptJitterBuffer(stock.capacity, is_video=True))


def _luma(frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
    """The luma plane without its padding, without a copy."""
    plane = frame.planes[0]
    samples = np.frombuffer(memoryview(plane), np.uint8)
    return samples.reshape(-1, plane.line_size)[: frame.height, : frame.width]


def _request(method: str, url: str, sdp: str | None) -> tuple[str, str | None]:
    """One HTTP request; (body, Location). Blocks for at most ``REQUEST_TIMEOUT_S``, so it runs in a thread."""
    headers = {"Content-Type": "application/sdp"} if sdp is not None else {}
    data = sdp.encode() if sdp is not None else None
    request = urllib.request.Request(url, data, headers, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=REQUEST_TIMEOUT_S) as response:
            return response.read().decode(), response.headers.get("Location")
    except urllib.error.HTTPError as error:
        with error:
            raise ConnectFailedError(
                f"{method} {url}: {error.code} {error.read(1000).decode(errors='replace')}"
            ) from None
    except OSError as error:
        raise ConnectFailedError(f"{method} {url}: {error}") from None
