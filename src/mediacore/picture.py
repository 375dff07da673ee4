"""Pictures to I420: PNG as ``screencap -p`` writes it (and any other), JPEG, and raw pixels in any format of screens.

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

__all__ = [
    "Frame",
    "Matrix",
    "PictureError",
    "PixelFormat",
    "ScreenDecoder",
    "convert",
    "decode_jpeg",
    "decode_png",
    "decode_screencap",
    "fitted",
    "reshape",
]

Matrix: TypeAlias = Literal["bt709", "bt601"]
PixelFormat: TypeAlias = Literal["rgba8888", "rgbx8888", "rgb888", "rgb565", "bgra8888", "rgba1010102"]
MOST_SCALED = 64
"""Times that a side can be scaled down."""


def decode_png(data: Buffer, *, size: tuple[int, int] | None = None, matrix: Matrix = "bt709") -> Frame:
    """Decode a PNG of any colour type and depth, interlaced or not (PNG, third edition). Alpha is ignored.

    Strict: checksums, order of chunks and the exact amount of data must be right, else ``PictureError``. ValueError if
    ``size`` is larger than the picture or more than 64 times smaller.
    """
    block, width, height, stride = _core.decode_png(data, size, matrix)
    return Frame.of_block(block, (width, height), stride, matrix=matrix)


def decode_jpeg(data: Buffer, *, size: tuple[int, int] | None = None, matrix: Matrix = "bt709") -> Frame:
    """Decode a JPEG, as ``screencap -j`` writes it: grey or JFIF's colours, baseline or progressive.

    ``PictureError`` if it is damaged or cut short, however little; ValueError as ``decode_png``.
    """
    block, width, height, stride = _core.decode_jpeg(data, size, matrix)
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


def fitted(size: tuple[int, int], largest: tuple[int, int] | None) -> tuple[int, int]:
    """``size`` if it is within ``largest``, else the largest one of its shape that is: both sides even then.

    No side becomes less than 2, or than what ``reshape`` can scale it down to, if need be beyond ``largest``.
    """
    width, height = size
    if largest is None or (width <= largest[0] and height <= largest[1]):
        return size
    # In integers: a rounded factor would cost a pixel.
    if largest[0] * height <= largest[1] * width:
        scaled = largest[0], height * largest[0] // width
    else:
        scaled = width * largest[1] // height, largest[1]
    return _scaled_side(width, scaled[0]), _scaled_side(height, scaled[1])


def _scaled_side(side: int, to: int) -> int:
    least = -(-side // MOST_SCALED)
    return min(side, max(2, least + least % 2, to // 2 * 2))


def reshape(frame: Frame, *, size: tuple[int, int] | None = None, matrix: Matrix | None = None) -> Frame:
    """The frame in another size, or with another matrix, always in limited range; the frame itself if it is so already.

    Each pixel is the mean of the area that it stands for. None leaves the size, or the matrix, as it is. Time and
    ``dirty_rows`` are the frame's, the rows those of the new size. ValueError if ``size`` is larger than the frame's or
    more than 64 times smaller, or if the planes are not rows of bytes of the frame's size.
    """
    matrix = matrix or frame.matrix
    if size in (None, frame.size) and matrix == frame.matrix and not frame.full_range:
        return frame
    block, width, height, stride = _core.reshape_picture(
        frame.y.data, frame.u.data, frame.v.data, frame.matrix, frame.full_range, size, matrix
    )
    rows = _scaled_rows(frame.dirty_rows, frame.height, height)
    return Frame.of_block(block, (width, height), stride, matrix=matrix, pts_us=frame.pts_us, dirty_rows=rows)


def _scaled_rows(rows: tuple[int, int] | None, height: int, to: int) -> tuple[int, int] | None:
    """The rows of a picture of another height that some of its rows are part of, both ends even or its end."""
    if rows is None or rows[0] >= rows[1] or height == to:
        return rows
    first, end = rows[0] * to // height, -(-rows[1] * to // height)
    # The filter rounds where a row begins, by one row at most.
    return max(0, first - 1) // 2 * 2, min(to, (end + 2) // 2 * 2)


class ScreenDecoder:
    """Decodes the pictures of one screen, one after the other, and tells what changed from one to the next.

    The same screen gives the same PNG: data that is byte for byte that of the picture before costs a comparison, and
    its frame has the planes of the frame before. ``Frame.dirty_rows`` is (0, 0) then; otherwise it is from the first to
    the last row that differs, both even or the end of the picture, and None for the first picture.
    A picture that raises leaves the one before as the last one. Any thread may call; one is decoded at a time.
    """

    def __init__(self, *, size: tuple[int, int] | None = None, matrix: Matrix = "bt709") -> None:
        self._decoder = _core.ScreenDecoder(size, matrix)
        self._matrix: Matrix = matrix

    def decode_png(self, data: Buffer, *, pts_us: int = 0) -> Frame:
        """Decode a PNG, as the function ``decode_png`` does."""
        return self._frame(self._decoder.decode_png(data), pts_us)

    def decode_screencap(self, data: Buffer, *, pts_us: int = 0) -> Frame:
        """Decode what ``screencap`` writes without ``-p``, as the function ``decode_screencap`` does."""
        return self._frame(self._decoder.decode_screencap(data), pts_us)

    def decode_jpeg(self, data: Buffer, *, pts_us: int = 0) -> Frame:
        """Decode a JPEG, as the function ``decode_jpeg`` does."""
        return self._frame(self._decoder.decode_jpeg(data), pts_us)

    def decode(self, data: Buffer, *, pts_us: int = 0) -> Frame:
        """Decode any of these, whichever it is by its first bytes."""
        return self._frame(self._decoder.decode(data), pts_us)

    def _frame(self, decoded: tuple[_core.PictureBlock, int, int, int, tuple[int, int] | None], pts_us: int) -> Frame:
        block, width, height, stride, dirty_rows = decoded
        return Frame.of_block(block, (width, height), stride, matrix=self._matrix, pts_us=pts_us, dirty_rows=dirty_rows)
