"""A frame as JPEG, for posters and screenshots of what is being captured anyway."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import av.error
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, Colorspace

from mediacore.errors import EncoderError

if TYPE_CHECKING:
    from mediacore.media import Frame

QUALITY = 3
"""FFmpeg's quantizer, 1 to 31: text stays readable, and 1080x2400 takes some 300 kB."""


def jpeg_of(frame: Frame) -> bytes:
    """The frame as JPEG (JFIF: BT.601 in full range); takes some 10 ms. Raises ``EncoderError``."""
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height = frame.size
    encoder.pix_fmt = "yuvj420p"
    encoder.time_base = Fraction(1, 30)
    encoder.flags |= 0x2  # AV_CODEC_FLAG_QSCALE: the same quality for each
    encoder.global_quality = QUALITY * 118  # FF_QP2LAMBDA
    try:
        picture = frame.to_av().reformat(
            format="yuvj420p",
            src_colorspace=Colorspace.ITU709 if frame.matrix == "bt709" else Colorspace.ITU601,
            dst_colorspace=Colorspace.ITU601,
            src_color_range=ColorRange.JPEG if frame.full_range else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
        )
        picture.pts = 0
        return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
    except av.error.FFmpegError as error:
        raise EncoderError(f"a frame of {frame.width}x{frame.height} does not become a JPEG: {error}") from error
