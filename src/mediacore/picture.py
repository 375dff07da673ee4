"""Pictures to I420: PNG as ``screencap -p`` writes it (and any other PNG), and raw pixels in all formats of screens.

Everything here is native. The GIL is released while a picture is decoded, and any number of threads may decode at the
same time. Any bytes-like object is accepted. What cannot be decoded raises ``PictureError`` with the kind of error and
the byte where it is; nothing of such a picture is handed on.

Frames are in limited range. ``matrix`` is ``bt709``, as H.264 is sent with here, or ``bt601``, which VP8 always is.
``size`` is what a picture is scaled to: at most its own size, each pixel the mean of the area that it stands for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from mediacore import _core
from mediacore.errors import PictureError
from mediacore.media import Frame

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Frame", "Matrix", "PictureError", "PixelFormat", "convert", "decode_png", "decode_screencap"]

Matrix: TypeAlias = Literal["bt709", "bt601"]
PixelFormat: TypeAlias = Literal["rgba8888", "rgbx8888", "rgb888", "rgb565", "bgra8888", "rgba1010102"]


def decode_png(data: Buffer, *, size: tuple[int, int] | None = None, matrix: Matrix = "bt709") -> Frame:
    """Decode a PNG of any colour type and depth, interlaced or not (PNG, third edition). Alpha is ignored.

    Strict: checksums, order of chunks and the exact amount of data must be right, else ``PictureError``. ValueError if
    ``size`` is larger than the picture or more than 64 times smaller.
    """
    block, width, height, stride = _core.decode_png(data, size, matrix)
    return Frame.of_block(block, (width, height), stride, matrix=matrix)


def decode_screencap(data: Buffer, *, size: tuple[int, int] | None = None, matrix: Matrix = "bt709") -> Frame:
    """Decode what ``screencap`` writes without ``-p``: a header of 12 or 16 bytes and raw pixels, gzip'd or not.

    ``PictureError`` if the data is not just what the header wants; ValueError as ``decode_png``.
    """
    block, width, height, stride = _core.decode_screencap(data, size, matrix)
    return Frame.of_block(block, (width, height), stride, matrix=matrix)


def convert(
    data: Buffer,
    width: int,
    height: int,
    *,
    pixel_format: PixelFormat = "rgba8888",
    stride: int | None = None,
    size: tuple[int, int] | None = None,
    matrix: Matrix = "bt709",
) -> Frame:
    """Convert raw pixels, rows from the top, ``stride`` bytes from one to the next: by default without padding.

    Formats are named by their bytes in memory; ``rgb565`` and ``rgba1010102`` are little-endian words with red in the
    high and in the low bits. ``PictureError``, before a byte is read, if ``data`` is not just what size and stride want
    (the last row may end without padding); ValueError as ``decode_png``.
    """
    block, *is_size, row_bytes = _core.convert_picture(data, width, height, pixel_format, stride, size, matrix)
    return Frame.of_block(block, (is_size[0], is_size[1]), row_bytes, matrix=matrix)
