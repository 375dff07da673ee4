"""One device being captured now: its source, its rendition and their consumers. Media parts are wired here only."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from mediacore.errors import UnsupportedError
from mediacore.media import StreamStats
from mediacore.stream.rendition import Rendition

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mediacore.capture.source import Source
    from mediacore.control.messages import Message
    from mediacore.errors import MediacoreError
    from mediacore.media import Applied, Packet, StreamDescription, Target, Unsupported
    from mediacore.media_loop import MediaLoop
    from mediacore.settings import StreamSettings
    from mediacore.stream.packet_queue import PacketQueue


class _Intake:
    """Takes what the source gives: packets to the rendition, its description and its end to who waits for them."""

    def __init__(self, rendition: Rendition) -> None:
        self._rendition = rendition
        self.description: StreamDescription | None = None
        self.has_description = asyncio.Event()
        self.has_ended = asyncio.Event()
        self.error: MediacoreError | None = None

    def described(self, description: StreamDescription) -> None:
        self.description = description
        self.has_description.set()

    def packet(self, packet: Packet) -> None:
        self._rendition.push(packet)

    def ended(self, error: MediacoreError | None) -> None:
        self.error = error
        self.has_ended.set()
        self._rendition.end(error)


class Stream:
    """Made by ``Engine.stream``, shared by all who ask for the same device."""

    def __init__(
        self,
        serial: str,
        source: Source,
        settings: StreamSettings,
        *,
        screenshot: Callable[[], Awaitable[bytes]],
    ) -> None:
        self.serial = serial
        self._source = source
        self._take_screenshot = screenshot
        self._rendition = Rendition(source.request_key_frame, key_frame_interval_s=settings.key_frame_interval_s)
        self._intake = _Intake(self._rendition)

    # ------------------------------------------------------------------------------------ for everybody

    @property
    def description(self) -> StreamDescription | None:
        """What is streamed now; None before the first key frame (a static screen has none)."""
        return self._intake.description

    @property
    def ended(self) -> bool:
        """True once the source gives nothing more."""
        return self._intake.has_ended.is_set()

    def packets(self, capacity: int = 64) -> PacketQueue:
        """Encoded access units from a key frame on: ``async for packet in stream.packets()``.

        At most ``capacity`` of them wait; a slower consumer goes on at the next key frame, and the loss is counted.
        """
        return self._subscribe(capacity, replay_bytes=1 << 62, at_once=False)

    def viewer_packets(self, capacity: int, *, replay_bytes: int) -> PacketQueue:
        """The same for a player that shows pictures as they come: the cached ones have times that let it catch up."""
        return self._subscribe(capacity, replay_bytes=replay_bytes, at_once=True)

    def release(self, queue: PacketQueue) -> None:
        """End a queue that ``packets`` or ``viewer_packets`` gave."""
        self._rendition.unsubscribe(queue)

    def want_key_frame(self) -> None:
        """Ask for a key frame without waiting; requests are merged."""
        self._rendition.want_key_frame()

    async def request_key_frame(self) -> bool:
        """Ask for a key frame. False if this source cannot give one before its time."""
        return await self._source.request_key_frame()

    async def set_target(self, target: Target) -> Applied | Unsupported:
        """Change bit rate, frame rate or size, as far as the source can."""
        return await self._source.set_target(target)

    async def control(self, message: Message) -> None:
        """Carry out an input message on the device. Raises ``UnsupportedError`` if it cannot be done here."""
        if self._source.control is None:
            raise UnsupportedError(f"{self.serial} is a recording: it takes no input")
        await self._source.control.send(message)

    async def screenshot(self) -> bytes:
        """The device's screen now, as PNG or JPEG."""
        return await self._take_screenshot()

    async def wait_described(self, timeout_s: float) -> StreamDescription | None:
        """The description, waiting up to ``timeout_s`` for it; None if there is none by then."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._intake.has_description.wait()
        return self._intake.description

    async def wait_ended(self) -> MediacoreError | None:
        """Waits until the source ends; the error it ended with, if any."""
        await self._intake.has_ended.wait()
        return self._intake.error

    def stats(self) -> StreamStats:
        """Figures since the stream started."""
        source = self._source.stats()
        fps, bitrate_bps = self._rendition.rates()
        return StreamStats(
            serial=self.serial,
            source=self._source.kind,
            description=self._intake.description,
            viewers=self._rendition.consumers,
            frames=self._rendition.frames,
            bytes=self._rendition.bytes,
            key_frames=self._rendition.key_frames,
            key_frame_requests=self._rendition.key_frame_requests,
            restarts=source.restarts,
            fps=fps,
            bitrate_bps=bitrate_bps,
            dropped=source.dropped,
        )

    # ------------------------------------------------------------------------------------ for the engine

    async def open(self, loop: MediaLoop) -> None:
        """Start the source. Raises a ``DeviceError``, ``AdbError`` or ``RecordingError`` if it cannot be started."""
        await self._source.open(loop, self._intake)

    async def close(self) -> None:
        """Stop the source and end all consumers."""
        try:
            await self._source.close()
        finally:
            await self._rendition.close()
            self._intake.has_ended.set()

    def _subscribe(self, capacity: int, *, replay_bytes: int, at_once: bool) -> PacketQueue:
        queue = self._rendition.subscribe(capacity, replay_bytes=replay_bytes, at_once=at_once)
        if self.ended:
            queue.end(self._intake.error)
        return queue
