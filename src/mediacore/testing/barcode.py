"""The bar code in every picture of a simulated device: which frame this is, and when it was drawn.

The layout, for readers in any language. The code is a strip across the top of the picture, as wide as the picture and
one ``1/16`` of its height, of pure black (luma 16) and white (luma 235) cells without chroma: 4 rows of 32 cells. Cell
``(row, column)`` covers the luma samples ``x`` in ``[column*width//32, (column+1)*width//32)`` and ``y`` in
``[row*height//64, (row+1)*height//64)``, so it scales with the picture. White is 1. Read row by row, from left to
right, the 128 cells are one big-endian number of 16 bytes, most significant bit first:

=======  ======================================================================
bytes    content
=======  ======================================================================
0..1     the magic number 0xB5C3
2..5     frame number, u32
6..13    time the frame was drawn, CLOCK_REALTIME in µs, u64 (0: not known)
14..15   CRC-16/CCITT-FALSE (polynomial 0x1021, start 0xFFFF) of bytes 2..13
=======  ======================================================================

A cell is read as the mean of its middle half (in both directions) against the threshold 128, which holds for limited
and full range alike. ``barcode.js`` beside this file is the same reader for pages.
"""

from __future__ import annotations

import binascii
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

COLUMNS = 32
ROWS = 4
STRIP = 16
"""The strip's height is the picture's height divided by this."""
MAGIC = 0xB5C3
BLACK, WHITE = 16, 235
"""Luma of the two kinds of cells."""
MIN_WIDTH, MIN_HEIGHT = COLUMNS * 2, STRIP * ROWS * 2
"""A cell needs 2x2 samples to be read."""


@dataclass(frozen=True, slots=True)
class BarCode:
    """What one picture says of itself."""

    frame_number: int
    """Counts the frames that the device has drawn, modulo 2**32."""
    time_us: int
    """When it was drawn, CLOCK_REALTIME in µs; 0 if the picture does not know."""


def _edges(size: int, cells: int, parts: int) -> list[int]:
    return [index * size // parts for index in range(cells + 1)]


def draw(luma: npt.NDArray[np.uint8], frame_number: int, time_us: int) -> None:
    """Writes the bar code into the top of a luma plane, in place.

    Args:
        luma: the whole luma plane, shape (height, width), at least 64x128 samples.
        frame_number: taken modulo 2**32.
        time_us: CLOCK_REALTIME in µs, below 2**64.

    Raises:
        ValueError: the plane is too small for the code.
    """
    height, width = luma.shape
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        raise ValueError(f"{width}x{height} is too small for a bar code, {MIN_WIDTH}x{MIN_HEIGHT} is the least")
    body = struct.pack(">IQ", frame_number & 0xFFFFFFFF, time_us)
    packed = struct.pack(">H12sH", MAGIC, body, binascii.crc_hqx(body, 0xFFFF))
    bits = np.unpackbits(np.frombuffer(packed, np.uint8)).reshape(ROWS, COLUMNS)
    cells = bits * np.uint8(WHITE - BLACK) + np.uint8(BLACK)
    lines = np.repeat(cells, np.diff(_edges(width, COLUMNS, COLUMNS)), axis=1)
    rows = _edges(height, ROWS, STRIP * ROWS)
    for row, line in enumerate(lines):
        luma[rows[row] : rows[row + 1]] = line


def read(luma: npt.NDArray[np.uint8]) -> BarCode | None:
    """Reads the bar code of a luma plane, shape (height, width); None if there is none or it is damaged.

    A picture that stands letter-boxed in this one with the inverse aspect ratio (a turned display in a recording that
    kept its size; even edges, as chroma needs) is found too.
    """
    code = _read_whole(luma)
    if code is not None:
        return code
    height, width = luma.shape
    if width < height:
        inner = round(width * width / height / 2) * 2
        top = (height - inner) // 4 * 2
        return _read_whole(luma[top : top + inner])
    inner = round(height * height / width / 2) * 2
    left = (width - inner) // 4 * 2
    return _read_whole(luma[:, left : left + inner])


def _read_whole(luma: npt.NDArray[np.uint8]) -> BarCode | None:
    height, width = luma.shape
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        return None
    columns, rows = _edges(width, COLUMNS, COLUMNS), _edges(height, ROWS, STRIP * ROWS)
    bits = np.empty((ROWS, COLUMNS), np.uint8)
    for row in range(ROWS):
        quarter = (rows[row + 1] - rows[row]) // 4
        line = luma[rows[row] + quarter : rows[row + 1] - quarter].mean(axis=0)
        for column in range(COLUMNS):
            quarter = (columns[column + 1] - columns[column]) // 4
            bits[row, column] = line[columns[column] + quarter : columns[column + 1] - quarter].mean() >= 128
    magic, body, check = struct.unpack(">H12sH", np.packbits(bits).tobytes())
    if magic != MAGIC or check != binascii.crc_hqx(body, 0xFFFF):
        return None
    frame_number, time_us = struct.unpack(">IQ", body)
    return BarCode(frame_number, time_us)
