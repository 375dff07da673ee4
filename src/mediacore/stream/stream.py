"""One device being captured now: its source and its renditions. Media parts are wired here only."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from typing import TYPE_CHECKING

from mediacore.errors import UnsupportedError
from mediacore.media import Packet, StreamStats, Wanted
from mediacore.stream.packet_tap import PacketTap
from mediacore.stream.rendition import Rendition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from mediacore.capture.source import Source
    from mediacore.control.messages import Message
    from mediacore.errors import MediacoreError
    from mediacore.media import Applied, StreamDescription, Target, Unsupported
    from mediacore.media_loop import MediaLoop
    from mediacore.settings import StreamSettings

WHATEVER_BYTES = 1 << 40
"""What is cached is replayed whatever its size where nothing else can be had: more than the cache ever holds."""
AUDIO_REPLAY_BYTES = 0
"""Sound of before is of no use to anybody."""


async def _no_key_frames() -> bool:
    return False  # each packet of sound is one


class Stream:
    """Made by ``Engine.stream``, shared by all who ask for the same device.

    Args:
        serial: the device.
        source: what fills it.
        settings: of the capture.
        replay_bytes: what a late viewer gets of cached pictures at most.
        screenshot: takes one.
    """

    def __init__(
        self,
        serial: str,
        source: Source,
        settings: StreamSettings,
        *,
        replay_bytes: int,
        screenshot: Callable[[], Awaitable[bytes]],
    ) -> None:
        self.serial = serial
        self._source = source
        self._replay_bytes = replay_bytes
        self._key_frame_interval_s = settings.key_frame_interval_s
        self._take_screenshot = screenshot
        self._loop: MediaLoop | None = None
        self._video: Rendition | None = None
        self._audio: Rendition | None = None
        self._description: StreamDescription | None = None
        self._described = asyncio.Event()  # replaced by a new one at each description
        self._has_ended = asyncio.Event()
        self._error: MediacoreError | None = None
        # The consumer owns its tap: one that is dropped without being closed ends by itself.
        self._taps: weakref.WeakSet[PacketTap] = weakref.WeakSet()

    # ------------------------------------------------------------------------------------ for everybody

    @property
    def description(self) -> StreamDescription | None:
        """What is streamed now; None before the first key frame (a static screen has none)."""
        return self._description

    @property
    def ended(self) -> bool:
        """True once the source gives nothing more."""
        return self._has_ended.is_set()

    def packets(self, capacity: int = 64, *, replay: bool = True) -> PacketTap:
        """Encoded access units from a key frame on: ``async for packet in stream.packets()``.

        At most ``capacity`` of them wait; a slower consumer goes on at a later key frame, and the loss is counted. It
        begins with the pictures since the last key frame, or, without ``replay``, with the next one.
        """
        return self._tap(self._video, capacity, replay=replay)

    def audio_packets(self, capacity: int = 64) -> PacketTap:
        """Encoded packets of sound; none come from a stream without audio, and the iteration ends with the stream."""
        return self._tap(self._audio, capacity, replay=False)

    async def push(self, packet: Packet) -> None:
        """Send a packet of one's own; for streams of ``Engine.publish``.

        H.264 comes as one access unit in Annex B with SPS and PPS before each key frame. Raises ``UnsupportedError`` if
        this stream cannot take it, ``LimitError`` if the media loop cannot take more now (the packet is dropped then).
        """
        if self._source.push is None:
            raise UnsupportedError(f"{self.serial} is not published from here: it has a source of its own")
        if not isinstance(packet, Packet):
            raise UnsupportedError(f"a {type(packet).__name__} cannot be encoded here yet: push encoded packets")
        self._source.push(packet)

    async def request_key_frame(self) -> bool:
        """Ask for a key frame. False if this source cannot give one before its time."""
        return await self._source.request_key_frame()

    async def set_target(self, target: Target) -> Applied | Unsupported:
        """Change bit rate, frame rate or size, as far as the source can."""
        return await self._source.set_target(target)

    async def control(self, message: Message) -> None:
        """Carry out an input message on the device. Raises ``UnsupportedError`` if it cannot be done here."""
        if self._source.control is None:
            raise UnsupportedError(f"{self.serial} is a {self._source.kind}: it takes no input")
        await self._source.control.send(message)

    async def screenshot(self) -> bytes:
        """The device's screen now, as PNG or JPEG."""
        return await self._take_screenshot()

    async def wait_described(self, timeout_s: float) -> StreamDescription | None:
        """The description, waiting up to ``timeout_s`` for it; None if there is none by then."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.next_description(None)
        return self._description

    async def next_description(self, known: StreamDescription | None) -> StreamDescription:
        """Waits for a description other than ``known``; steps in between are left out."""
        while self._description is None or self._description == known:
            await self._described.wait()
        return self._description

    def codecs(self) -> tuple[str, ...]:
        """What ``take`` gives, the best first: what comes as it is, then what is encoded here for who asks for it."""
        return (self.codec,)

    @contextlib.asynccontextmanager
    async def take(self, codec: str, wanted: Wanted = Wanted()) -> AsyncIterator[int]:  # noqa: B008  # it is frozen
        """The media loop's id of a rendition that is as ``wanted``, for as long as the context is open.

        Who wants the same shares one. What needs an encoder starts with the first who takes it, and ends after the
        last; all of a stream's renditions are on one thread, so a viewer can be moved from one to another.
        ``wanted.codecs`` counts for nothing here: ``codec`` is what was agreed on.

        Raises ``UnsupportedError`` for a codec that is not one of ``codecs()``, ``LimitError`` if too many different
        ones are taken already, and the stream's error, or ``UnsupportedError``, if it has ended.
        """
        if codec not in self.codecs() or not wanted.as_it_comes:
            raise UnsupportedError(f"{self.serial} gives no {codec} like this")
        yield self.rendition

    async def wait_ended(self, rendition: int | None = None) -> MediacoreError | None:
        """Waits until the source ends, or the rendition that was taken does; the error it ended with, if any."""
        del rendition
        await self._has_ended.wait()
        return self._error

    def stats(self) -> StreamStats:
        """Figures since the stream started."""
        source = self._source.stats()
        figures = self._video.figures() if self._video is not None else {}
        return StreamStats(
            serial=self.serial,
            source=self._source.kind,
            description=self._description,
            viewers=int(figures.get("viewers", 0) + figures.get("taps", 0)),
            frames=int(figures.get("units", 0)),
            bytes=int(figures.get("bytes", 0)),
            key_frames=int(figures.get("key_frames", 0)),
            key_frame_requests=self._video.key_frame_requests if self._video is not None else 0,
            restarts=source.restarts,
            fps=figures.get("fps", 0.0),
            bitrate_bps=figures.get("bitrate_bps", 0.0),
            dropped=source.dropped,
        )

    # ------------------------------------------------------------------------------------ for sessions and the engine

    @property
    def codec(self) -> str:
        """Of its video."""
        return self._source.codec

    @property
    def rendition(self) -> int:
        """The media loop's id of its video; 0 before ``open`` and after ``close``."""
        return self._video.id if self._video is not None else 0

    @property
    def audio_rendition(self) -> int:
        """The same of its sound; 0 if it has none."""
        return self._audio.id if self._audio is not None else 0

    async def open(self, loop: MediaLoop) -> None:
        """Start the source. Raises a ``DeviceError``, ``AdbError`` or ``RecordingError`` if it cannot be started."""
        self._loop = loop
        self._video = Rendition(
            loop,
            self._source.codec,
            replay_bytes=self._replay_bytes if self._source.key_frames_on_request else WHATEVER_BYTES,
            key_frame_interval_s=self._key_frame_interval_s,
            on_described=self._describe,
            request_key_frame=self._source.request_key_frame,
        )
        if self._source.has_audio:
            self._audio = Rendition(
                loop,
                "opus",
                replay_bytes=AUDIO_REPLAY_BYTES,
                beside=self._video.id,
                key_frame_interval_s=self._key_frame_interval_s,
                on_described=lambda *_: None,
                request_key_frame=_no_key_frames,
            )
        await self._source.open(loop, self.rendition, self.audio_rendition, self._end)

    async def close(self) -> None:
        """Stop the source, remove the renditions, end all consumers."""
        async with contextlib.AsyncExitStack() as rest:
            rest.callback(self._end, None)
            for rendition in (self._video, self._audio):
                if rendition is not None:
                    rest.push_async_callback(rendition.close)
            await self._source.close()

    def _describe(self, width: int, height: int, profile_level_id: str, epoch: int) -> None:
        self._description = self._source.described(width, height, profile_level_id, epoch)
        self._described.set()
        self._described = asyncio.Event()

    def _end(self, error: MediacoreError | None) -> None:
        """The source is at its end: so are all consumers. The first end counts."""
        if self._has_ended.is_set():
            return
        self._error = error
        self._has_ended.set()
        for rendition in (self._video, self._audio):
            if rendition is not None:
                rendition.end()
        for tap in list(self._taps):
            tap.end(error)

    def _tap(self, rendition: Rendition | None, capacity: int, *, replay: bool) -> PacketTap:
        if self._loop is None:
            raise UnsupportedError(f"the stream of {self.serial} has not been opened")
        id, codec = (rendition.id, rendition.codec) if rendition is not None else (0, "opus")
        tap = PacketTap(self._loop, id if self._loop.running else 0, codec, capacity=capacity, replay=replay)
        self._taps.add(tap)
        if self.ended:
            tap.end(self._error)
        return tap
