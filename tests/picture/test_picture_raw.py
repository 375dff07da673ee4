"""Raw pixels to I420: every format against double precision, strides, scaling, and what screencap puts around them."""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest
from png_files import exact_planes

from mediacore.picture import Frame, PictureError, PixelFormat, convert, decode_screencap

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = [(1, 1), (1, 8), (8, 1), (17, 5), (64, 33), (131, 18)]
HAL = {"rgba8888": 1, "rgbx8888": 2, "rgb888": 3, "rgb565": 4, "bgra8888": 5, "rgba1010102": 43}


def deep(rgb: np.ndarray) -> np.ndarray:
    """10 bits a colour, whose low bits are to be left out."""
    wide = rgb.astype(np.uint32) << 2 | 3
    return (wide[..., 0] | wide[..., 1] << 10 | wide[..., 2] << 20 | 0xC000_0000).astype("<u4")


def as_565(rgb: np.ndarray) -> np.ndarray:
    wide = rgb.astype(np.uint16)
    return (wide[..., 0] >> 3 << 11 | wide[..., 1] >> 2 << 5 | wide[..., 2] >> 3).astype("<u2")


def with_alpha(rgb: np.ndarray, alpha: int) -> np.ndarray:
    return np.dstack([rgb, np.full(rgb.shape[:2], alpha, np.uint8)])


PACK: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rgba8888": lambda rgb: with_alpha(rgb, 77),  # alpha is ignored
    "rgbx8888": lambda rgb: with_alpha(rgb, 0),
    "rgb888": lambda rgb: rgb,
    "rgb565": as_565,
    "bgra8888": lambda rgb: with_alpha(rgb[..., ::-1], 255),
    "rgba1010102": deep,
}


def pixels(size: tuple[int, int]) -> np.ndarray:
    width, height = size
    return np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def seen(rgb: np.ndarray, pixel_format: str) -> np.ndarray:
    """The colours that are left of `rgb` in a format."""
    if pixel_format != "rgb565":
        return rgb
    bits = np.array([5, 6, 5])
    kept = rgb >> (8 - bits)
    return (kept << (8 - bits) | kept >> (2 * bits - 8)).astype(np.uint8)


def assert_shows(frame: Frame, rgb: np.ndarray, tolerance: float = 1.0) -> None:
    for plane, exact in zip((frame.y, frame.u, frame.v), exact_planes(rgb, frame.matrix), strict=True):
        assert plane.shape == exact.shape
        assert np.abs(plane - exact).max() <= tolerance


def test_every_format_is_looked_at() -> None:
    assert set(PACK) == set(get_args(PixelFormat)) == set(HAL)


@pytest.mark.parametrize("pixel_format", PACK)
def test_formats(pixel_format: PixelFormat) -> None:
    for size in SIZES:
        rgb = pixels(size)
        data = PACK[pixel_format](rgb).tobytes()
        for matrix in ("bt709", "bt601"):
            frame = convert(data, *size, pixel_format=pixel_format, matrix=matrix)
            assert frame.size == size
            assert frame.matrix == matrix
            assert_shows(frame, seen(rgb, pixel_format))


@pytest.mark.parametrize("pixel_format", PACK)
def test_strides(pixel_format: PixelFormat) -> None:
    """Padding is skipped, and may be missing behind the last row."""
    size = (33, 10)
    rows = PACK[pixel_format](pixels(size)).reshape(size[1], -1).view(np.uint8)
    expected = convert(rows.tobytes(), *size, pixel_format=pixel_format)
    padded = np.full((size[1], rows.shape[1] + 13), 0xEE, np.uint8)
    padded[:, : rows.shape[1]] = rows
    for end in (padded.size, padded.size - 13):
        frame = convert(padded.tobytes()[:end], *size, pixel_format=pixel_format, stride=padded.shape[1])
        assert (frame.y == expected.y).all()
        assert (frame.u == expected.u).all()
        assert (frame.v == expected.v).all()


@pytest.mark.parametrize("pixel_format", PACK)
def test_scaled_down(pixel_format: PixelFormat) -> None:
    rgb = pixels((60, 45))
    frame = convert(PACK[pixel_format](rgb).tobytes(), 60, 45, pixel_format=pixel_format, size=(24, 15))
    many = seen(rgb, pixel_format).repeat(24, axis=1).repeat(15, axis=0)
    assert_shows(frame, many.reshape(15, 45, 24, 60, 3).mean(axis=(1, 3)), tolerance=2)


def test_flat_pictures_keep_their_colour_at_every_size() -> None:
    for colour in ((0, 0, 0), (255, 255, 255), (255, 0, 3)):
        rgb = np.full((97, 130, 3), colour, np.uint8)
        for size in ((130, 97), (129, 96), (64, 31), (7, 50), (3, 2)):
            frame = convert(rgb.tobytes(), 130, 97, pixel_format="rgb888", size=size)
            assert_shows(frame, np.full((size[1], size[0], 3), colour))


WRONG = {
    # arguments for convert, kind, byte offset
    "width 0": ((b"", 0, 5, None), "header", 0),
    "height 0": ((b"", 5, 0, None), "header", 0),
    "width below 0": ((b"", -1, 5, None), "header", 0),
    "height below 0": ((b"", 5, -(1 << 62), None), "header", 0),
    "a side above the limit": ((b"", 16385, 1, None), "too-large", 0),
    "a side far above the limit": ((b"", 1, 1 << 62, None), "too-large", 0),
    "too many pixels": ((b"", 16384, 16384, None), "too-large", 0),
    "a byte missing": ((bytes(79), 4, 5, None), "truncated", 79),
    "a row missing": ((bytes(64), 4, 5, None), "truncated", 64),
    "no data": ((b"", 4, 5, None), "truncated", 0),
    "a byte too many": ((bytes(81), 4, 5, None), "size-mismatch", 80),
    "a byte behind the last padding": ((bytes(5 * 20 + 1), 4, 5, 20), "size-mismatch", 96),
    "stride below a row": ((bytes(100), 4, 5, 15), "size-mismatch", 0),
    "stride 0": ((bytes(100), 4, 5, 0), "size-mismatch", 0),
    "stride below 0": ((bytes(100), 4, 5, -16), "size-mismatch", 0),
    "a stride beyond the data": ((bytes(100), 4, 5, 1 << 62), "truncated", 100),
}


@pytest.mark.parametrize(("arguments", "kind", "byte_offset"), WRONG.values(), ids=WRONG)
def test_wrong_sizes(arguments: tuple[bytes, int, int, int | None], kind: str, byte_offset: int) -> None:
    data, width, height, stride = arguments
    with pytest.raises(PictureError) as caught:
        convert(data, width, height, stride=stride)
    assert (caught.value.kind, caught.value.byte_offset) == (kind, byte_offset)


def test_wrong_names() -> None:
    with pytest.raises(ValueError, match="pixel_format"):
        convert(bytes(4), 1, 1, pixel_format="rgba4444")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="matrix"):
        convert(bytes(4), 1, 1, matrix="bt2020")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="1x1"):
        convert(bytes(4), 1, 1, size=(2, 1))


def screencap(pixel_format: str, size: tuple[int, int], data: bytes, *, header: int = 16) -> bytes:
    return struct.pack("<4I", *size, HAL[pixel_format], 1)[:header] + data


@pytest.mark.parametrize("header", [12, 16])
@pytest.mark.parametrize("pixel_format", PACK)
def test_screencap(pixel_format: PixelFormat, header: int) -> None:
    size = (21, 14)
    data = PACK[pixel_format](pixels(size)).tobytes()
    expected = convert(data, *size, pixel_format=pixel_format)
    plain = screencap(pixel_format, size, data, header=header)
    for form in (plain, gzip.compress(plain, 1), gzip.compress(plain, 9)):
        frame = decode_screencap(form)
        assert frame.size == size
        assert (frame.y == expected.y).all()
        assert (frame.v == expected.v).all()
    assert decode_screencap(plain, size=(7, 7)).size == (7, 7)


PLAIN = screencap("rgba8888", (4, 5), bytes(80))
ZIPPED = gzip.compress(PLAIN, mtime=0)


def damaged(at: int) -> bytes:
    return ZIPPED[:at] + bytes([ZIPPED[at] ^ 0x55]) + ZIPPED[at + 1 :]


WRONG_SCREENCAPS = {
    "empty": (b"", "truncated", 0),
    "half a header": (PLAIN[:11], "truncated", 11),
    "no pixels": (PLAIN[:16], "truncated", 16),
    "between both headers": (PLAIN[:-2], "truncated", 94),
    "a byte too many": (PLAIN + b".", "size-mismatch", 96),
    "width 0": (struct.pack("<4I", 0, 5, 1, 1), "header", 0),
    "too large": (struct.pack("<4I", 1 << 31, 5, 1, 1), "too-large", 0),
    "16-bit floats": (struct.pack("<4I", 4, 5, 22, 1) + bytes(160), "unsupported", 8),
    "gzip of nothing": (gzip.compress(b""), "truncated", 0),
    "a gzip file cut in its header": (ZIPPED[:12], "truncated", 12),
    "a gzip file cut in its data": (ZIPPED[:22], "size-mismatch", 18),
    "gzip with another method": (damaged(2), "zlib", 0),
    "gzip with a wrong CRC": (damaged(len(ZIPPED) - 8), "zlib", 0),
    "gzip with a byte behind it": (ZIPPED + b"\0", "zlib", 0),  # its size is read from the wrong place
    "gzip that claims 4 GB": (ZIPPED[:-4] + b"\xff\xff\xff\xff", "size-mismatch", len(ZIPPED) - 4),
}


@pytest.mark.parametrize(("data", "kind", "byte_offset"), WRONG_SCREENCAPS.values(), ids=WRONG_SCREENCAPS)
def test_wrong_screencaps(data: bytes, kind: str, byte_offset: int) -> None:
    with pytest.raises(PictureError) as caught:
        decode_screencap(data)
    assert (caught.value.kind, caught.value.byte_offset) == (kind, byte_offset)
