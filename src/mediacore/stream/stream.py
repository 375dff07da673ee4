"""One device being captured now: its source, its renditions and its frames. Media parts are wired here only."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import TYPE_CHECKING

from mediacore import picture
from mediacore.capture.frame_publication import FramePublication
from mediacore.encode.jpeg import jpeg_of
from mediacore.errors import CaptureError, DecoderError, UnsupportedError
from mediacore.media import Frame, Packet, StreamStats, Target, Wanted
from mediacore.media_loop import GOP_BYTES
from mediacore.settings import BITRATE_BPS, FPS
from mediacore.stream.consumers import Consumers
from mediacore.stream.encoder_limit import EncoderLimit
from mediacore.stream.encoding import start_encoder
from mediacore.stream.feed import Feed, gives_packets
from mediacore.stream.frame_fan import FrameFan
from mediacore.stream.frame_origin import FrameOrigin
from mediacore.stream.packet_origin import PacketOrigin
from mediacore.stream.renditions import Renditions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from mediacore.capture.frame_source import FrameSource
    from mediacore.capture.source import Source
    from mediacore.control.messages import Message
    from mediacore.errors import MediacoreError
    from mediacore.media import Applied, StreamDescription, Unsupported
    from mediacore.media_loop import MediaLoop
    from mediacore.settings import StreamSettings
    from mediacore.stream.encoding import StartEncoding
    from mediacore.stream.frame_tap import FrameTap
    from mediacore.stream.packet_tap import PacketTap

WHATEVER_BYTES = 1 << 40
"""What is cached is replayed whatever its size where nothing else can be had: more than the cache ever holds."""
PICTURE_TIMEOUT_S = 1.0
"""A published stream is asked for a key frame if there has been none; its encoder gives one with its next picture."""
RAW_CODEC = "h264"
"""What raw pictures are encoded to first of all: the codec that costs least."""


class Stream:
    """Made by ``Engine.stream``, shared by all who ask for the same device.

    Args:
        serial: the device.
        source: what fills it: with packets, or with pictures that are encoded here.
        settings: of the capture.
        replay_bytes: what a late viewer gets of cached pictures at most.
        screenshot: takes one of the device; None: there is no other picture than the stream's.
        fallbacks: make further sources, for a device that the ones before give no picture of.
        start: starts an encoder.
        encoders: how many may run, together with those of other streams.
    """

    def __init__(
        self,
        serial: str,
        source: Source | FrameSource,
        settings: StreamSettings,
        *,
        replay_bytes: int,
        screenshot: Callable[[], Awaitable[bytes]] | None,
        fallbacks: Sequence[Callable[[], Source | FrameSource]] = (),
        start: StartEncoding | None = None,
        encoders: EncoderLimit | None = None,
    ) -> None:
        self.serial = serial
        self._settings = settings
        self._replay_bytes = replay_bytes
        self._take_screenshot = screenshot
        self._start_encoder = start or start_encoder(only=settings.encoder)
        self._encoder_limit = encoders or EncoderLimit()
        self._push_packet = source.push if gives_packets(source) else None
        self._codec = source.codec if gives_packets(source) else RAW_CODEC
        self._loop: MediaLoop | None = None
        self._renditions: Renditions | None = None
        self._consumers: Consumers | None = None
        self._fan = FrameFan(self._frames_wanted)
        self._feed = Feed(serial, source, fallbacks, origin_of=self._origin_of, on_end=self._end)
        self._frames_in: FramePublication | None = None  # once a program has pushed one
        self._turn = asyncio.Lock()
        self._description: StreamDescription | None = None
        self._described = asyncio.Event()  # replaced by a new one at each description
        self._has_ended = asyncio.Event()
        self._error: MediacoreError | None = None

    # ------------------------------------------------------------------------------------ for everybody

    @property
    def description(self) -> StreamDescription | None:
        """What is streamed now; None before the first key frame or picture (a static screen may have none)."""
        return self._description

    @property
    def ended(self) -> bool:
        """True once the source gives nothing more."""
        return self._has_ended.is_set()

    def packets(self, capacity: int = 64, *, replay: bool = True) -> PacketTap:
        """Encoded access units from a key frame on: ``async for packet in stream.packets()``.

        At most ``capacity`` of them wait; a slower consumer goes on at a later key frame, and the loss is counted. It
        begins with the pictures since the last key frame, or, without ``replay``, with the next one. Raises
        ``LimitError`` if they are encoded here, and that would be one encoder too many.
        """
        return self._taken.packets(capacity, replay=replay)

    def audio_packets(self, capacity: int = 64) -> PacketTap:
        """Encoded packets of sound; none come from a stream without audio, and the iteration ends with the stream."""
        return self._taken.sound(capacity)

    def frames(self, size: tuple[int, int] | None = None, capacity: int = 2) -> FrameTap:
        """Pictures, I420: ``async for frame in stream.frames()``. Packets of a device's own encoder are decoded.

        ``size`` is the largest (width, height) in pixels; larger pictures are scaled down in their shape. At most
        ``capacity`` frames wait; a slower consumer loses the oldest, which are counted. It begins with the newest.

        Frames lie in the source's memory, which has room for those that are looked at (``slots.TAKEN``): whoever keeps
        some copies them, or no new ones come. ValueError for a size below 1, or a capacity that is not 1 to 4.
        """
        return self._taken.frames(size, capacity, fps=self._settings.fps)

    async def push(self, packet: Packet | Frame) -> None:
        """Send a packet or a picture of one's own; for streams of ``Engine.publish``.

        H.264 comes as one access unit in Annex B with SPS and PPS before each key frame. Pictures are encoded here, and
        once one was pushed, no more video packets are taken. Raises ``UnsupportedError`` if this stream cannot take it,
        ``LimitError`` if the media loop cannot take more now (the packet is dropped then).
        """
        if self._push_packet is None:
            raise UnsupportedError(f"{self.serial} is not published from here: it has a source of its own")
        if isinstance(packet, Frame):
            await self._push_frame(packet)
        elif not isinstance(packet, Packet):
            raise UnsupportedError(f"a {type(packet).__name__} cannot be sent: push packets or frames")
        elif packet.kind == "video" and self._frames_in is not None:
            raise UnsupportedError(f"{self.serial} gets pictures: its packets are made here")
        else:
            self._push_packet(packet)

    async def request_key_frame(self) -> bool:
        """Ask for a key frame. False if this source cannot give one before its time."""
        return await self._feed.origin.request_key_frame()

    async def set_target(self, target: Target) -> Applied | Unsupported:
        """Change bit rate, frame rate or size, as far as the source can.

        What is encoded here follows, but never above the bit rate of the settings, and the size is its source's.
        """
        if target.bitrate_bps is not None:
            highest = self._settings.bitrate_bps if self._opened.primary is not None else BITRATE_BPS[1]
            target = dataclasses.replace(target, bitrate_bps=min(max(target.bitrate_bps, BITRATE_BPS[0]), highest))
        if target.fps is not None:
            target = dataclasses.replace(target, fps=min(max(target.fps, FPS[0]), FPS[1]))
        self._opened.set_target(target)
        return await self._feed.origin.set_target(target)

    async def control(self, message: Message) -> None:
        """Carry out an input message on the device. Raises ``UnsupportedError`` if it cannot be done here."""
        origin = self._feed.origin
        if origin.control is None:
            raise UnsupportedError(f"{self.serial} is a {origin.kind}: it takes no input")
        await origin.control.send(message)

    async def screenshot(self) -> bytes:
        """The device's screen now, as PNG or JPEG; the newest frame if somebody takes frames anyway.

        Raises ``CaptureError`` if there is nothing to be shown, a ``DeviceError`` or ``AdbError``.
        """
        frame = self._fan.newest
        if frame is None:
            if self._take_screenshot is not None:
                return await self._take_screenshot()
            frame = await self._next_frame(PICTURE_TIMEOUT_S)
        return await asyncio.to_thread(jpeg_of, frame)

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

    async def wait_ended(self, rendition: int | None = None) -> MediacoreError | None:
        """Waits until the source ends, or the rendition that was taken fails; the error it ended with, if any."""
        ended = asyncio.create_task(self._has_ended.wait())
        failing = asyncio.create_task(self._failure_of(rendition))
        try:
            await asyncio.wait((ended, failing), return_when=asyncio.FIRST_COMPLETED)
            return self._error if self.ended else failing.result()
        finally:
            ended.cancel()
            failing.cancel()

    def stats(self) -> StreamStats:
        """Figures since the stream started."""
        origin, renditions = self._feed.origin, self._opened
        source = origin.stats()
        figures = renditions.video.figures()
        return StreamStats(
            serial=self.serial,
            source=origin.kind,
            description=self._description,
            viewers=renditions.viewers() - origin.own_taps,
            frames=int(figures["units"]),
            bytes=int(figures["bytes"]),
            key_frames=int(figures["key_frames"]),
            key_frame_requests=renditions.video.key_frame_requests,
            restarts=source.restarts,
            fps=renditions.fps(),
            bitrate_bps=figures["bitrate_bps"],
            dropped=source.dropped,
            capture="; ".join(filter(None, (source.capture, *self._feed.passed_over))),
            renditions=renditions.stats(),
        )

    # ------------------------------------------------------------------------------------ for sessions and the engine

    @property
    def codec(self) -> str:
        """Of its video as it comes."""
        return self._codec

    @property
    def rendition(self) -> int:
        """The media loop's id of its video as it comes; 0 before ``open`` and after ``close``.

        Its packets are made only for those who ``take`` it, if they are made here.
        """
        return self._renditions.video.id if self._renditions is not None else 0

    @property
    def audio_rendition(self) -> int:
        """The same of its sound; 0 if it has none."""
        audio = self._renditions.audio if self._renditions is not None else None
        return audio.id if audio is not None else 0

    def codecs(self) -> tuple[str, ...]:
        """What ``take`` gives, the best first: what comes as it is, then what is encoded here for who asks for it."""
        return self._opened.codecs()

    @contextlib.asynccontextmanager
    async def take(self, codec: str, wanted: Wanted = Wanted()) -> AsyncIterator[int]:  # noqa: B008  # it is frozen
        """The media loop's id of a rendition that is as ``wanted``, for as long as the context is open.

        Who wants the same shares one. What needs an encoder starts with the first who takes it, and ends after the
        last; all of a stream's renditions are on one thread, so a viewer can be moved from one to another.
        ``wanted.codecs`` counts for nothing here: ``codec`` is what was agreed on. ``wait_ended`` tells of its failure.

        Raises ``UnsupportedError`` for a codec that is not one of ``codecs()``, ``LimitError`` if too many different
        ones are taken already, or it would need one encoder more than ``EngineSettings.max_encoders``, and the
        stream's error, or ``UnsupportedError``, if it has ended.
        """
        if self.ended or not self.rendition:
            raise self._error or UnsupportedError(f"the stream of {self.serial} has ended")
        renditions = self._opened
        if renditions.as_it_comes(codec, wanted):
            renditions.hold_video()
            try:
                yield renditions.video.id
            finally:
                renditions.release_video()
        else:
            encoded = renditions.hold(codec, wanted)
            try:
                yield encoded.rendition.id
            finally:
                renditions.release(encoded)

    async def open(self, loop: MediaLoop) -> None:
        """Start the source. Raises a ``DeviceError``, ``AdbError`` or ``RecordingError`` if it cannot be started."""
        self._loop = loop
        await self._feed.open()

    async def close(self) -> None:
        """Stop the source, remove the renditions, end all consumers."""
        async with contextlib.AsyncExitStack() as rest:
            rest.callback(self._end, None)
            if self._renditions is not None:
                rest.push_async_callback(self._renditions.close)
            await self._feed.close()

    async def _failure_of(self, rendition: int | None) -> MediacoreError:
        """Waits until what is encoded for this rendition fails; for ever, if nothing ever is."""
        renditions = self._renditions
        if renditions is not None and rendition == renditions.video.id:
            await renditions.video_is_encoded.wait()  # a source that is passed over may have given packets
        encoded = renditions.of(rendition) if renditions is not None else None
        # It is everybody's who waits for it.
        failing = encoded.failing if encoded is not None else asyncio.get_running_loop().create_future()
        return await asyncio.shield(failing)

    # ------------------------------------------------------------------------------------ wiring

    @property
    def _opened(self) -> Renditions:
        if self._renditions is None:
            raise UnsupportedError(f"the stream of {self.serial} has not been opened")
        return self._renditions

    @property
    def _taken(self) -> Consumers:
        if self._consumers is None:
            raise UnsupportedError(f"the stream of {self.serial} has not been opened")
        return self._consumers

    def _origin_of(self, source: Source | FrameSource) -> PacketOrigin | FrameOrigin:
        """Wire a source: the first makes the renditions, later ones go on with them."""
        assert self._loop is not None
        if self._renditions is None:
            late = gives_packets(source) and not source.key_frames_on_request
            self._renditions = Renditions(
                self._loop,
                self._fan,
                self._settings,
                codec=self._codec,
                replay_bytes=self._replay_bytes,
                video_replay_bytes=WHATEVER_BYTES if late else self._replay_bytes,
                video_gop_bytes=GOP_BYTES if gives_packets(source) else self._replay_bytes,
                start=self._start_encoder,
                limit=self._encoder_limit,
                on_described=self._video_described,
                request_key_frame=self.request_key_frame,
                on_failed=self._end_packets,
            )
            self._consumers = Consumers(self._loop, self._renditions, self._fan)
        renditions = self._renditions
        if gives_packets(source):
            if source.has_audio and renditions.audio is None:
                renditions.add_audio()
            return PacketOrigin(
                self._loop, source, renditions.video, renditions.audio, self._fan, on_described=self._describe
            )
        encoded = renditions.encode_video()
        return FrameOrigin(source, self._fan, encoded, fps=self._settings.fps, on_described=self._describe)

    async def _push_frame(self, frame: Frame) -> None:
        """The first one makes a source of pictures of what would have been one of packets."""
        async with self._turn:
            if self._frames_in is None:
                if self._description is not None:
                    raise UnsupportedError(f"{self.serial} gets packets: it takes no pictures beside them")
                self._frames_in = FramePublication(self.serial)
                await self._feed.add(self._frames_in)
        if frame.full_range or frame.matrix != "bt709":
            frame = await asyncio.to_thread(picture.reshape, frame, matrix="bt709")
        self._frames_in.push(frame)

    async def _next_frame(self, timeout_s: float) -> Frame:
        with contextlib.suppress(TimeoutError, DecoderError), self.frames(capacity=1) as frames:
            async with asyncio.timeout(timeout_s):
                async for frame in frames:
                    return frame
        raise CaptureError(self.serial, "nothing that could be shown has been published yet")

    def _end_packets(self, error: MediacoreError) -> None:
        self._taken.end_packets(error)

    def _frames_wanted(self, fps: float) -> None:
        self._feed.demand(fps)

    def _video_described(self, width: int, height: int, profile_level_id: str, epoch: int) -> None:
        self._feed.origin.described(width, height, profile_level_id, epoch)

    def _describe(self, description: StreamDescription) -> None:
        self._description = description
        self._opened.picture_size = description.size
        self._described.set()
        self._described = asyncio.Event()

    def _end(self, error: MediacoreError | None) -> None:
        """The source is at its end: so are all consumers. The first end counts."""
        if self._has_ended.is_set():
            return
        self._error = error
        self._has_ended.set()
        if self._renditions is not None:
            self._renditions.end()
        if self._consumers is not None:
            self._consumers.end(error)
