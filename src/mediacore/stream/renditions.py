"""All renditions of one stream: its video as it comes, its sound, and the encodings that are made here beside them.

Policy: who wants the same shares one encoding. One that is made here starts with the first who takes it and ends after
the last. Sizes and rates are taken in steps, and how many different ones there are is bounded, for what viewers may ask
for is not; so are the encoders of all streams together. Who comes after one has failed gets a new one: of the video as
it comes a new encoder, which those who were there before share. All are on one thread of the media loop, so that a
viewer can be moved from one to another. Thread rule: one asyncio loop.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING

from mediacore.decode.decoder import CODECS as DECODABLE
from mediacore.encode.choice import encodable
from mediacore.errors import LimitError, UnsupportedError
from mediacore.media import Target, Wanted
from mediacore.picture import fitted
from mediacore.slots import ENCODERS
from mediacore.stream.encoded import EncodedRendition
from mediacore.stream.encoder_limit import EncoderLimit
from mediacore.stream.rendition import Rendition
from mediacore.wanted import shared

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from mediacore.errors import MediacoreError
    from mediacore.media import RenditionStats
    from mediacore.media_loop import MediaLoop
    from mediacore.settings import StreamSettings
    from mediacore.stream.encoding import StartEncoding
    from mediacore.stream.frame_fan import FrameFan

log = logging.getLogger(__name__)

MAX_RENDITIONS = ENCODERS - 1
"""Different encodings of one stream at a time, beside its video: so many frames are held for them."""
LEAST_BPS = 200_000
"""A small encoding gets no less, or its text cannot be read."""


async def _no_key_frames() -> bool:
    return False  # each packet of sound is one


class Renditions:
    """From its making to ``close``.

    Args:
        loop: the media loop.
        fan: where frames come from.
        settings: rates, and what may be encoded.
        codec: of the video as it comes.
        replay_bytes: what a late viewer gets of cached pictures at most.
        video_replay_bytes: the same of the video as it comes.
        video_gop_bytes: what is cached of the video at most.
        start: starts an encoder.
        limit: how many may run, together with those of other streams.
        on_described: (width, height, profile, epoch) of the video, before pictures of a new kind.
        request_key_frame: asks what fills the video for one.
        on_failed: called when the video is encoded here, and cannot be any more.
    """

    def __init__(
        self,
        loop: MediaLoop,
        fan: FrameFan,
        settings: StreamSettings,
        *,
        codec: str,
        replay_bytes: int,
        video_replay_bytes: int,
        video_gop_bytes: int,
        start: StartEncoding,
        limit: EncoderLimit | None = None,
        on_described: Callable[[int, int, str, int], None],
        request_key_frame: Callable[[], Awaitable[bool]],
        on_failed: Callable[[MediacoreError], None],
    ) -> None:
        self._loop = loop
        self._fan = fan
        self._settings = settings
        self._target = Target(bitrate_bps=settings.bitrate_bps, fps=settings.fps)
        self._replay_bytes = replay_bytes
        self._start = start
        self._limit = limit or EncoderLimit()
        self._on_failed = on_failed
        self.video = Rendition(
            loop,
            codec,
            replay_bytes=video_replay_bytes,
            gop_bytes=video_gop_bytes,
            key_frame_interval_s=settings.key_frame_interval_s,
            on_described=on_described,
            request_key_frame=request_key_frame,
        )
        """As it comes."""
        self.audio: Rendition | None = None
        """The sound, if there is any."""
        self.primary: EncodedRendition | None = None
        """The video's encoder, if it is one of ours."""
        self.video_is_encoded = asyncio.Event()
        """Set with ``primary``."""
        self.picture_size: tuple[int, int] | None = None
        """(width, height) in pixels of what is captured, once it is known."""
        self._video_holders = 0
        self._shared: list[EncodedRendition] = []
        self._closing: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[EncodedRendition]:
        """All that are encoded here, the video first."""
        return iter([*([self.primary] if self.primary is not None else []), *self._shared])

    def of(self, id: int | None) -> EncodedRendition | None:
        """The one that is encoded here and that the media loop knows by this id; None if there is none."""
        return next((encoded for encoded in self if id and encoded.rendition.id == id), None)

    def codecs(self) -> tuple[str, ...]:
        """What can be taken, the best first."""
        own = self.video.codec
        return (own, *(codec for codec in self._encodable() if codec != own))

    def add_audio(self) -> None:
        """There is sound too."""
        self.audio = Rendition(
            self._loop,
            "opus",
            replay_bytes=0,  # sound of before is of no use to anybody
            beside=self.video.id,
            key_frame_interval_s=self._settings.key_frame_interval_s,
            on_described=lambda *_: None,
            request_key_frame=_no_key_frames,
        )

    def encode_video(self) -> EncodedRendition:
        """The packets of the video are made here from now on, for those who take it already, too."""
        if self.primary is None:
            self.primary = self._encoding(self.video, Wanted(), self._on_failed)
            self.video_is_encoded.set()
            self.primary.take_over(self._video_holders)
        return self.primary

    # ------------------------------------------------------------------------------------ who takes them

    def hold_video(self) -> None:
        """One more takes the video as it comes. Raises ``LimitError`` if its encoder is one too many."""
        if self.primary is not None:
            self.primary.hold()
        self._video_holders += 1

    def release_video(self) -> None:
        """One who took it takes it no more."""
        self._video_holders -= 1
        if self.primary is not None:
            self.primary.release()

    def as_it_comes(self, codec: str, wanted: Wanted) -> bool:
        """True if that is the video itself, as far as is known of it now."""
        full_rate = wanted.fps is None or (self.primary is not None and wanted.fps >= self._settings.fps)
        size = self.picture_size
        whole = wanted.size is None or (size is not None and fitted(size, wanted.size) == size)
        return codec == self.video.codec and whole and full_rate

    def hold(self, codec: str, wanted: Wanted) -> EncodedRendition:
        """One more takes an encoding of its own kind.

        Raises ``UnsupportedError`` if it is not made here, ``LimitError`` if there are too many different ones, or
        encoders, already.
        """
        if codec not in self._encodable():
            raise UnsupportedError(
                f"{codec} is not encoded here, or not in another size or rate; there are: {', '.join(self.codecs())}"
            )
        wanted = shared(Wanted((codec,), wanted.size, wanted.fps))
        for encoded in self._shared:
            if encoded.wanted == wanted and encoded.failure is None:
                encoded.hold()
                return encoded
        if len(self._shared) >= MAX_RENDITIONS or len(self._closing) >= MAX_RENDITIONS:
            raise LimitError(
                f"{len(self._shared)} different encodings of one stream are made already, and {len(self._closing)} are "
                f"being ended; {MAX_RENDITIONS} are the limit"
            )
        return self._begin(codec, wanted)

    def release(self, encoded: EncodedRendition) -> None:
        """One who took it takes it no more; after the last one it is closed, in the background."""
        if encoded.release():
            self._end(encoded)

    def set_target(self, target: Target) -> None:
        """All that are encoded here follow, within what is wanted of each; sizes are the source's business."""
        self._target = Target(target.bitrate_bps or self._target.bitrate_bps, target.fps or self._target.fps)
        for encoded in self:
            told = dataclasses.replace(self._target, key_frame=target.key_frame)
            encoded.set_target(dataclasses.replace(told, bitrate_bps=self._bitrate_bps(encoded.wanted)))

    # ------------------------------------------------------------------------------------ figures and the end

    def stats(self) -> tuple[RenditionStats, ...]:
        """Of those that are encoded here."""
        return tuple(encoded.stats() for encoded in self)

    def viewers(self) -> int:
        """Who takes any of them, in this process too."""
        renditions = [self.video, *(encoded.rendition for encoded in self._shared)]
        figures = [rendition.figures() for rendition in renditions]
        return int(sum(each.get("viewers", 0) + each.get("taps", 0) for each in figures))

    def fps(self) -> float:
        """Frames per second over the last two seconds: of the video, or of what is made of its pictures."""
        counted = [self.video, *(encoded.rendition for encoded in self._shared if self.primary is not None)]
        return max(rendition.figures()["fps"] for rendition in counted)

    def end(self) -> None:
        """The source gives nothing more: it is not asked any more."""
        for rendition in (self.video, self.audio):
            if rendition is not None:
                rendition.end()

    async def close(self) -> None:
        """Remove all, also those that are still taken: their viewers get nothing more."""
        try:
            for encoded in tuple(self._shared):
                self._end(encoded)
            if self.primary is not None:
                await self.primary.stop()
            await asyncio.gather(*self._closing)
        finally:
            for rendition in (self.audio, self.video):
                if rendition is not None:
                    await rendition.close()

    # ------------------------------------------------------------------------------------ encodings

    def _encodable(self) -> tuple[str, ...]:
        if self.primary is None and self.video.codec not in DECODABLE:
            return ()
        allowed = self._settings.transcode_codecs
        # What the stream is made of is encoded in other sizes as well.
        if self.primary is not None and self.video.codec not in allowed:
            allowed = (self.video.codec, *allowed)
        return tuple(codec for codec in allowed if encodable(codec))

    def _begin(self, codec: str, wanted: Wanted) -> EncodedRendition:
        async def request_key_frame() -> bool:
            return await encoded.request_key_frame()

        rendition = Rendition(
            self._loop,
            codec,
            replay_bytes=self._replay_bytes,
            gop_bytes=self._replay_bytes,  # a key frame is had at once instead
            beside=self.video.id,
            key_frame_interval_s=self._settings.key_frame_interval_s,
            on_described=lambda *_: None,
            request_key_frame=request_key_frame,
        )
        encoded = self._encoding(rendition, wanted, lambda error: log.warning("%s cannot be made: %s", codec, error))
        self._shared.append(encoded)
        try:
            encoded.hold()
        except BaseException:
            self._end(encoded)
            raise
        return encoded

    def _encoding(
        self, rendition: Rendition, wanted: Wanted, on_failed: Callable[[MediacoreError], None]
    ) -> EncodedRendition:
        return EncodedRendition(
            self._loop,
            rendition,
            self._fan,
            wanted=wanted,
            target=dataclasses.replace(self._target, bitrate_bps=self._bitrate_bps(wanted)),
            ceiling_bps=self._settings.bitrate_bps,
            start=self._start,
            limit=self._limit,
            on_failed=on_failed,
        )

    def _bitrate_bps(self, wanted: Wanted) -> int:
        """A smaller picture gets the share that its area is of the whole."""
        whole = self._target.bitrate_bps or self._settings.bitrate_bps
        frame = self._fan.newest
        size = frame.size if frame is not None else self.picture_size
        if size is None or wanted.size is None:
            return whole
        width, height = fitted(size, wanted.size)
        return min(whole, max(LEAST_BPS, whole * width * height // (size[0] * size[1])))

    def _end(self, encoded: EncodedRendition) -> None:
        if encoded in self._shared:
            self._shared.remove(encoded)
            task = asyncio.create_task(self._close(encoded), name="rendition's end")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _close(self, encoded: EncodedRendition) -> None:
        try:
            await encoded.stop()
            await encoded.rendition.close()
        except Exception:  # the task's top frame
            log.exception("an encoded rendition did not end cleanly")
