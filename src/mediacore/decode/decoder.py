"""Packets to frames, by FFmpeg: one call, no threads, no waiting.

Policy: a picture that is damaged is not shown, nor is any that was predicted from it: after damage nothing is decoded
until a key frame. Each picture comes out of the call that its packet went into; only those that are to be put in order
(B frames, which no device sends) come later, and the last of them not at all. Frames are I420 in limited range and
BT.709, whatever the stream says of itself; one that says nothing is taken for BT.709, as Chromium draws it. All that
comes in is untrusted: what is too large, or cannot be decoded again and again, ends the decoder, also where a good
picture comes in between, for each key frame after damage may cost a restart at its source. Its native code runs
in this process, so a fault in FFmpeg is a fault of ours.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal

import av
import av.error
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, Colorspace

from mediacore.errors import BitstreamError, DecoderError
from mediacore.h264 import AccessUnitParser
from mediacore.media import MICROSECONDS, DropCause, Frame
from mediacore.picture import reshape
from mediacore.ring import FramePool
from mediacore.slots import HELD

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mediacore.media import Packet

CODECS: Final = ("h264", "vp8", "vp9", "av1")
"""What is decoded here."""
MAX_PIXELS: Final = 7680 * 4320
"""The largest picture: what H.264's highest level has room for, and 50 MB as I420."""
MAX_PACKET_BYTES: Final = 8 << 20
"""The largest access unit, as the media loop takes it."""
ERRORS_IN_A_ROW: Final = 8
"""So many key frames that cannot be decoded, without a good picture between them, and the stream is given up."""
DAMAGED_IN_A_WHILE, WHILE_US = 8, 10_000_000
"""So many damaged groups of pictures within that time, and it is given up as well."""
SLOTS: Final = HELD + 1
"""Pictures in memory at a time: what is held behind the decoder, and the one that is written."""
BT601: Final = (int(Colorspace.ITU601), 6)  # BT.470BG and SMPTE 170M (H.273 table 4)
TIME_BASE: Final = Fraction(1, MICROSECONDS)


class VideoDecoder:
    """Decodes one stream. Any thread, one at a time.

    Args:
        codec: ``h264``, ``vp8``, ``vp9`` or ``av1``.
        max_pixels: the largest picture.
        now_us: the time, where it is another than the monotonic clock's.
    """

    def __init__(
        self,
        codec: str,
        *,
        max_pixels: int = MAX_PIXELS,
        now_us: Callable[[], int] = lambda: time.monotonic_ns() // 1000,
    ) -> None:
        if codec not in CODECS:
            raise DecoderError(f"{codec} is not decoded here; there are: {', '.join(CODECS)}")
        self._codec = codec
        self._max_pixels = max_pixels
        self._now_us = now_us
        self._context: VideoCodecContext | None = None
        self._pool: FramePool | None = None
        self._pool_size = (0, 0)
        self._epoch = -1
        self._errors = 0
        self._damaged_us: deque[int] = deque(maxlen=DAMAGED_IN_A_WHILE)
        self._late = 0  # packets that were to be shown and whose pictures have not come yet
        self.needs_key_frame = True
        """True if nothing is decoded before the next key frame: at first, and after damage."""
        self.dropped: Counter[DropCause] = Counter()
        """Packets that gave no picture, by cause."""

    def decode(self, packet: Packet, *, show: bool = True) -> Frame | None:
        """The picture of a packet; None if it is damaged, was not asked for, or waits for a key frame.

        ``show``: False decodes it for those that follow alone. Raises ``DecoderError`` if there is no hope left.
        """
        if self.needs_key_frame and not packet.is_key:
            self.dropped[DropCause.BEFORE_KEY_FRAME] += 1
            return None
        self._check(packet)
        if self._context is None or packet.epoch != self._epoch or self.needs_key_frame:
            self._context = self._opened()
            self._epoch = packet.epoch
        self.needs_key_frame = False
        data = av.Packet(bytes(packet.data))
        data.pts = data.dts = packet.pts_us
        data.time_base = TIME_BASE
        try:
            pictures = self._context.decode(data)
        except av.error.FFmpegError as error:
            self._damaged(f"{error.strerror or error}")
            return None
        if not pictures:
            if show:
                self._late += 1
                self.dropped[DropCause.DECODER_FAILED] += 1
            return None
        if len(pictures) > 1:
            self._count_passed_over(len(pictures) - 1)
        picture = pictures[-1]
        if picture.is_corrupt:
            self._damaged("parts of it are missing")
            return None
        self._errors = 0
        return self._frame(picture) if show else None

    def close(self) -> None:
        """Free it. May be repeated."""
        self._context = self._pool = None
        self.needs_key_frame = True

    def _count_passed_over(self, pictures: int) -> None:
        """That came together with a newer one; those whose packets gave nothing at their time are counted already."""
        known = min(self._late, pictures)
        self._late -= known
        if pictures > known:
            self.dropped[DropCause.OVERFLOW] += pictures - known

    def _opened(self) -> VideoCodecContext:
        # FFmpeg's own decoder of AV1 is one for hardware alone.
        context = av.CodecContext.create("libdav1d" if self._codec == "av1" else self._codec, "r")
        assert isinstance(context, VideoCodecContext)
        # Threads by frame hold pictures back, and a stream may not take the cores of others.
        context.thread_type = "SLICE"
        context.thread_count = 1
        context.options = {"flags": "+low_delay", "max_pixels": str(self._max_pixels)}
        return context

    def _check(self, packet: Packet) -> None:
        """The limits that FFmpeg would not give a reason for."""
        if len(packet.data) > MAX_PACKET_BYTES:
            raise DecoderError(f"a packet has {len(packet.data)} bytes, more than {MAX_PACKET_BYTES} are not decoded")
        if self._codec != "h264" or not packet.is_key:
            return
        try:
            units = AccessUnitParser(max_access_unit_bytes=MAX_PACKET_BYTES).push(packet.data, complete=True)
        except BitstreamError:
            return  # FFmpeg says what it thinks of it
        for sps in (unit.sps for unit in units if unit.sps is not None):
            if sps.width * sps.height > self._max_pixels:
                raise DecoderError(
                    f"pictures of {sps.width}x{sps.height} are too large to be decoded: the limit is "
                    f"{self._max_pixels} pixels"
                )

    def _damaged(self, reason: str) -> None:
        self.dropped[DropCause.DECODER_FAILED] += 1
        self._errors += 1
        self.needs_key_frame = True
        self._context = None  # it may have kept a part of what it refused
        if self._errors >= ERRORS_IN_A_ROW:
            raise DecoderError(f"the {self._codec} cannot be decoded, {self._errors} times in a row: {reason}")
        self._damaged_us.append(self._now_us())
        while_us = self._damaged_us[-1] - self._damaged_us[0]
        if len(self._damaged_us) == DAMAGED_IN_A_WHILE and while_us <= WHILE_US:
            raise DecoderError(
                f"the {self._codec} was damaged {DAMAGED_IN_A_WHILE} times in {while_us / 1e6:.1f} s: {reason}"
            )

    def _frame(self, picture: av.VideoFrame) -> Frame | None:
        if picture.format.name not in ("yuv420p", "yuvj420p"):
            raise DecoderError(f"pictures are {picture.format.name}; only 8 bits of 4:2:0 are decoded here")
        size, pts_us = (picture.width, picture.height), picture.pts or 0
        if self._pool is None or self._pool_size != size:
            stride = size[0] + size[0] % 2
            self._pool = FramePool(SLOTS, stride * size[1] + stride * ((size[1] + 1) // 2))
            self._pool_size = size
        matrix: Literal["bt709", "bt601"] = "bt601" if int(picture.colorspace) in BT601 else "bt709"
        full_range = picture.format.name == "yuvj420p" or picture.color_range == ColorRange.JPEG
        block = self._pool.acquire(*size, matrix=matrix, pts_us=pts_us)
        if block is None:
            self.dropped[DropCause.POOL_EXHAUSTED] += 1
            return None
        _copy_planes(picture, memoryview(block), block.stride)
        frame = Frame.of_block(block, size, block.stride, matrix=matrix, pts_us=pts_us)
        return reshape(replace(frame, full_range=full_range), matrix="bt709")


def _copy_planes(picture: av.VideoFrame, block: memoryview, stride: int) -> None:
    """numpy lets go of the GIL while it copies."""
    into = np.frombuffer(block, np.uint8)
    at = 0
    for n, plane in enumerate(picture.planes):
        width, height, row = (picture.width, picture.height, stride)
        if n:
            width, height, row = (width + 1) // 2, (height + 1) // 2, stride // 2
        rows: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        np.copyto(into[at : at + row * height].reshape(height, row)[:, :width], rows[:height, :width])
        at += row * height
