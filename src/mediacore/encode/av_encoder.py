"""One open video encoder of FFmpeg: what all families have in common, told apart by their ``Tuning``."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from mediacore.encode.encoder import EncodedFrame, EncoderSettings
from mediacore.encode.thread_priority import priority_kept
from mediacore.errors import EncoderError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mediacore.media import Frame

TICKS = 1000
"""Units of time per frame period; room for frames that come early or late."""
LONGEST_FRAME = 4
"""A pause counts as so many frame periods at most: rate control spends what it saved, but not in one frame."""
ENDLESS = 1 << 24
"""Frames between key frames that nobody asked for; 2 ** 24 is 6 days of 30 fps."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a family of encoders is told what ``EncoderSettings`` mean."""

    options: Mapping[str, str]
    """Options of the encoder, as FFmpeg names them."""
    threads: int = 1
    """Threads that FFmpeg is told to use; 0: the encoder's own business."""
    pixel_format: str = "yuv420p"
    """What it takes; frames in another are converted by FFmpeg."""
    rate: Literal["live", "reopen"] = "reopen"
    """``live``: ``bit_rate`` of the open encoder is followed, up to what it was opened with."""
    time: Literal["frames", "pts"] = "pts"
    """``frames``: its rate control counts frames, whatever their times."""
    opens_at_ceiling: bool = False
    """It can only be told to give less than it was opened for."""
    colour: bool = True
    """False: the bit stream has no place for it."""
    profile: str | None = None
    """Profile, where it is not an option of the encoder."""


class AvEncoder:
    """Implements ``Encoder``. Raises ``EncoderError`` if FFmpeg cannot open it."""

    def __init__(self, name: str, settings: EncoderSettings, tuning: Tuning) -> None:
        self._name, self._settings, self._tuning = name, settings, tuning
        self._ticks = 0
        self._last_pts_us: int | None = None
        try:
            context = av.CodecContext.create(name, "w")
            assert isinstance(context, VideoCodecContext)
            self._set_up(context)
            with priority_kept():
                context.open()
            if tuning.opens_at_ceiling:
                context.bit_rate = settings.bitrate_bps
        except (av.FFmpegError, ValueError) as error:
            # A name that FFmpeg does not know is a ValueError.
            raise EncoderError(f"{name} cannot be opened: {getattr(error, 'strerror', None) or error}") from error
        self._context: VideoCodecContext | None = context

    def _set_up(self, context: VideoCodecContext) -> None:
        settings, tuning = self._settings, self._tuning
        context.width, context.height = settings.size
        context.pix_fmt = tuning.pixel_format
        context.bit_rate = settings.ceiling_bps if tuning.opens_at_ceiling else settings.bitrate_bps
        context.framerate = Fraction(settings.fps).limit_denominator(1000)
        context.time_base = 1 / context.framerate / (1 if tuning.time == "frames" else TICKS)
        context.thread_count = tuning.threads
        context.gop_size = ENDLESS
        context.max_b_frames = 0
        if tuning.profile is not None:
            context.profile = tuning.profile
        if tuning.colour:
            context.colorspace = Colorspace.ITU709 if settings.matrix == "bt709" else Colorspace.ITU601
            context.color_primaries = ColorPrimaries.BT709
            context.color_trc = ColorTrc.IEC61966_2_1
            context.color_range = ColorRange.MPEG
        context.options = dict(tuning.options)

    @property
    def name(self) -> str:
        """See ``Encoder``."""
        return self._name

    @property
    def settings(self) -> EncoderSettings:
        """See ``Encoder``."""
        return self._settings

    def encode(self, frame: Frame, *, key: bool = False) -> list[EncodedFrame]:
        """See ``Encoder``."""
        settings = self._settings
        if self._context is None:
            raise EncoderError(f"{self._name} is closed")
        if (frame.size, frame.matrix, frame.full_range) != (settings.size, settings.matrix, False):
            raise EncoderError(
                f"{self._name} is open for {settings.size} {settings.matrix} limited, not for {frame.size} "
                f"{frame.matrix} {'full' if frame.full_range else 'limited'}"
            )
        picture = frame.to_av()
        picture.pts, picture.time_base = self._next_time(frame.pts_us), self._context.time_base
        picture.pict_type = PictureType.I if key else PictureType.NONE
        try:
            packets = self._context.encode(picture)
        except av.FFmpegError as error:
            raise EncoderError(
                f"{self._name} refuses a frame of {frame.width}x{frame.height}: {error.strerror}"
            ) from error
        return [EncodedFrame(memoryview(packet).toreadonly(), frame.pts_us, packet.is_keyframe) for packet in packets]

    def _next_time(self, pts_us: int) -> int:
        """A clock for rate control: as the frames', without long pauses and never backwards."""
        if self._last_pts_us is not None:
            if self._tuning.time == "frames":
                self._ticks += 1
            else:
                periods = (pts_us - self._last_pts_us) * self._settings.fps / 1e6
                self._ticks += max(TICKS // 2, round(min(periods, LONGEST_FRAME) * TICKS))
        self._last_pts_us = pts_us
        return self._ticks

    def set_bitrate(self, bitrate_bps: int) -> bool:
        """See ``Encoder``."""
        if self._context is None:
            return False
        if self._tuning.rate == "reopen":
            return bitrate_bps == self._settings.bitrate_bps
        self._context.bit_rate = min(bitrate_bps, self._settings.ceiling_bps)
        return True

    def close(self) -> None:
        """See ``Encoder``."""
        context, self._context = self._context, None
        if context is None:
            return
        try:
            # SVT-AV1 complains on stderr if it is freed before it was told of the end.
            context.encode(None)
        except av.FFmpegError:
            pass
