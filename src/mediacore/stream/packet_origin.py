"""Where the pictures of a stream come from if the device encodes them: packets pass through, frames are decoded.

Policy: nothing is decoded until somebody takes frames. The decoder is one more consumer of the rendition: it begins
with the packets since the last key frame, of which only the last is shown, and after damage it goes on at a key frame
that it asks for, less and less often if that goes on. One that fails tells those who take frames why; what passes
through goes on.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections import Counter
from typing import TYPE_CHECKING

from mediacore.decode.decoder import VideoDecoder
from mediacore.decode.worker import DecoderWorker
from mediacore.errors import DecoderError, MediacoreError
from mediacore.media_loop import monotonic_us
from mediacore.stream.key_frame_wishes import KeyFrameWishes
from mediacore.stream.packet_tap import PacketTap

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.capture.source import Control, Source, SourceStats
    from mediacore.media import Applied, DropCause, StreamDescription, Target, Unsupported
    from mediacore.media_loop import MediaLoop
    from mediacore.stream.frame_fan import FrameFan
    from mediacore.stream.rendition import Rendition

log = logging.getLogger(__name__)

PACKETS = 64
"""Packets that wait for the decoder at most, about two seconds; the oldest group of pictures goes first."""
STUCK_DECODERS = 2
"""So many threads of one stream may be left behind in a decoder; then nothing of it is decoded any more."""


class PacketOrigin:
    """From ``open`` to ``close``.

    Args:
        loop: the media loop.
        source: gives the packets.
        video: the rendition that it fills.
        audio: the one for its sound, if it has any.
        fan: where decoded frames go.
        on_described: called with each description.
    """

    def __init__(
        self,
        loop: MediaLoop,
        source: Source,
        video: Rendition,
        audio: Rendition | None,
        fan: FrameFan,
        *,
        on_described: Callable[[StreamDescription], None],
    ) -> None:
        self._loop = loop
        self._source = source
        self._video = video
        self._audio = audio
        self._fan = fan
        self._on_described = on_described
        self._decoding: asyncio.Task[None] | None = None
        self._wanted = False
        self._closed = False
        self._stuck = 0
        self._decoder: VideoDecoder | None = None
        self._undecoded: Counter[DropCause] = Counter()  # of the decoders before
        self._wishes = KeyFrameWishes()

    @property
    def kind(self) -> str:
        """Of the source."""
        return self._source.kind

    @property
    def control(self) -> Control | None:
        """The way back to the device, if there is one."""
        return self._source.control

    @property
    def has_given(self) -> bool:
        """True once there was a key frame."""
        return self._source.description is not None

    @property
    def own_taps(self) -> int:
        """Consumers of the video that are our own: the decoder."""
        return int(self._decoding is not None)

    async def open(self, on_end: Callable[[MediacoreError | None], None]) -> None:
        """Start. Raises a ``DeviceError``, ``AdbError`` or ``RecordingError``."""
        audio = self._audio.id if self._audio is not None else 0
        await self._source.open(self._loop, self._video.id, audio, on_end)
        self.demand(self._fan.fps)

    async def close(self) -> None:
        """Stop it."""
        self._wanted = False
        self._closed = True
        try:
            await self._source.close()
        finally:
            if self._decoding is not None:
                self._cancel(self._decoding)
                await asyncio.wait([self._decoding])

    def demand(self, fps: float) -> None:
        """So many frames per second are wanted now; all are decoded, or none."""
        self._wanted = fps > 0 and not self._closed
        if self._wanted and self._decoding is None:
            self._decoding = asyncio.create_task(self._decode(), name="decoder's feed")
            self._decoding.add_done_callback(self._decoded)
        elif not self._wanted and self._decoding is not None:
            self._cancel(self._decoding)

    async def request_key_frame(self) -> bool:
        """Asks the source."""
        return await self._source.request_key_frame()

    async def set_target(self, target: Target) -> Applied | Unsupported:
        """Asks the source."""
        return await self._source.set_target(target)

    def described(self, width: int, height: int, profile_level_id: str, epoch: int) -> None:
        """The media loop has found out what the packets are."""
        self._on_described(self._source.described(width, height, profile_level_id, epoch))

    def stats(self) -> SourceStats:
        """Of the source, and the packets that should have given a frame and did not."""
        stats = self._source.stats()
        undecoded = self._undecoded + (self._decoder.dropped if self._decoder is not None else Counter())
        return dataclasses.replace(stats, dropped=dict(undecoded + Counter(stats.dropped)))

    # ------------------------------------------------------------------------------------ frames

    async def _decode(self) -> None:
        """Until it is cancelled or the stream ends. Raises ``DecoderError``, ``LimitError``."""
        if self._stuck >= STUCK_DECODERS:
            raise DecoderError(f"{self._stuck} decoders of this stream did not come back: it is not decoded any more")
        self._decoder = decoder = VideoDecoder(self._video.codec)
        worker = DecoderWorker(decoder, self._fan.push)
        try:
            with PacketTap(self._loop, self._video.id, self._video.codec, capacity=PACKETS) as tap:
                began_us = monotonic_us()
                async for packet in tap:
                    await worker.decode(packet, show=packet.received_us >= began_us or not tap.stats().queued)
                    if worker.needs_key_frame and self._wishes.grants(monotonic_us()):
                        self._video.key_frame_wanted()
        finally:
            try:
                await worker.close()
            finally:
                self._stuck += worker.stuck
                self._undecoded.update(decoder.dropped)
                self._decoder = None

    @staticmethod
    def _cancel(decoding: asyncio.Task[None]) -> None:
        if not decoding.cancelling():  # once: another time would hit its clean-up
            decoding.cancel()

    def _decoded(self, task: asyncio.Task[None]) -> None:
        self._decoding = None
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.warning("no frames can be had of a %s: %s", self.kind, error)
            if not isinstance(error, MediacoreError):
                log.error("the decoder's feed failed", exc_info=error)
                error = DecoderError(f"the stream could not be decoded: {error!r}")
            self._fan.fail(error)
        elif self._wanted and self._video.id:
            self.demand(self._fan.fps)  # somebody came while it ended
