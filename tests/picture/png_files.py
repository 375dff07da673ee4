"""PNG files made piece by piece, so that a test can make any piece wrong."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""x, y, step in x, step in y of Adam7."""


def chunk(kind: bytes, data: bytes = b"", *, crc: int | None = None, length: int | None = None) -> bytes:
    """A chunk, whose CRC and length may lie."""
    told = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data) if length is None else length) + kind + data + struct.pack(">I", told)


def header(  # noqa: PLR0917
    width: int,
    height: int,
    depth: int = 8,
    colour: int = RGBA,
    compression: int = 0,
    filters: int = 0,
    interlace: int = 0,
) -> bytes:
    """An IHDR."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, compression, filters, interlace))


def packed(samples: np.ndarray, depth: int) -> np.ndarray:
    """Rows of samples, (height, width * channels), as bytes."""
    if depth == 16:
        return samples.astype(">u2").view(np.uint8).reshape(len(samples), -1)
    if depth == 8:
        return samples.astype(np.uint8)
    bits = np.unpackbits(samples.astype(np.uint8)[..., None], axis=-1)[..., 8 - depth :]
    return np.packbits(bits.reshape(len(samples), -1), axis=1)


def filtered(rows: np.ndarray, pixel: int, filters: list[int]) -> bytes:
    """Rows of bytes behind their filters, chosen in turn from `filters`."""
    out = bytearray()
    above = np.zeros(rows.shape[1], np.int16)
    for y, row in enumerate(rows.astype(np.int16)):
        left, corner = np.zeros_like(row), np.zeros_like(row)
        left[pixel:], corner[pixel:] = row[:-pixel], above[:-pixel]
        to_left, to_above, to_corner = abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)
        paeth = np.where(
            (to_left <= to_above) & (to_left <= to_corner), left, np.where(to_above <= to_corner, above, corner)
        )
        kind = filters[y % len(filters)]
        out.append(kind)
        out += (row - (np.zeros_like(row), left, above, (left + above) // 2, paeth)[kind]).astype(np.uint8).tobytes()
        above = row
    return bytes(out)


@dataclass
class Png:
    """A PNG of `samples`, (height, width, channels), at `depth` bits."""

    samples: np.ndarray
    depth: int = 8
    colour: int = RGBA
    interlaced: bool = False
    filters: list[int] = field(default_factory=lambda: [0, 1, 2, 3, 4, 4, 4])
    before_image: bytes = b""
    """Chunks behind IHDR."""
    idat_bytes: int = 8192
    level: int = 6

    def image(self) -> bytes:
        """What is compressed."""
        pixel = max(1, CHANNELS[self.colour] * self.depth // 8)
        parts = [self.samples]
        if self.interlaced:
            parts = [self.samples[y::dy, x::dx] for x, y, dx, dy in PASSES]
        return b"".join(
            filtered(packed(part.reshape(part.shape[0], -1), self.depth), pixel, self.filters)
            for part in parts
            if part.shape[0] and part.shape[1]
        )

    def around(self, stream: bytes) -> bytes:
        """The file with `stream` as its zlib stream."""
        height, width = self.samples.shape[:2]
        idats = [stream[at : at + self.idat_bytes] for at in range(0, len(stream), self.idat_bytes)]
        return b"".join(
            [
                SIGNATURE,
                header(width, height, self.depth, self.colour, interlace=int(self.interlaced)),
                self.before_image,
                *(chunk(b"IDAT", part) for part in idats),
                chunk(b"IEND"),
            ]
        )

    def file(self) -> bytes:
        """The file."""
        return self.around(zlib.compress(self.image(), self.level))


def exact_planes(rgb: np.ndarray, matrix: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y, U and V of (height, width, 3) in double precision; chroma is the mean of 2x2 pixels."""
    red, blue = (0.299, 0.114) if matrix == "bt601" else (0.2126, 0.0722)
    pixels = rgb.astype(float)
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    mean = (padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2]) / 4
    weights = np.array([red, 1 - red - blue, blue])
    y, luma = pixels @ weights, mean @ weights
    return (
        16 + 219 / 255 * y,
        128 + 112 / 255 * (mean[..., 2] - luma) / (1 - blue),
        128 + 112 / 255 * (mean[..., 0] - luma) / (1 - red),
    )
