"""PNG to I420: every colour type, depth and size against an encoder of the tests, colours against double precision."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from png_files import CHANNELS, GREY, GREY_ALPHA, PALETTE, RGB, RGBA, Png, chunk, exact_planes

from mediacore import _core
from mediacore.picture import Frame, Matrix, decode_png

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = [
    *((GREY, depth) for depth in (1, 2, 4, 8, 16)),
    *((PALETTE, depth) for depth in (1, 2, 4, 8)),
    *((colour, depth) for colour in (RGB, GREY_ALPHA, RGBA) for depth in (8, 16)),
]
SIZES = [(1, 1), (1, 9), (9, 1), (2, 2), (7, 5), (8, 8), (33, 18), (40, 35)]


def picture(colour: int, depth: int, size: tuple[int, int], *, interlaced: bool = False) -> tuple[Png, np.ndarray]:
    """A PNG of random samples, and its R G B A."""
    width, height = size
    rng = np.random.default_rng(colour * 100 + depth + width)
    samples = rng.integers(0, 1 << depth, (height, width, CHANNELS[colour]))
    png = Png(samples, depth, colour, interlaced, idat_bytes=100)
    if colour == PALETTE:
        palette = rng.integers(0, 256, (1 << depth, 3), dtype=np.uint8)
        png.before_image = chunk(b"PLTE", palette.tobytes())
        rgb, alpha = palette[samples[..., 0]], np.full((height, width), 255)
    else:
        bytes_ = samples >> 8 if depth == 16 else samples * 255 // ((1 << depth) - 1)
        rgb = bytes_[..., :3] if colour in {RGB, RGBA} else np.repeat(bytes_[..., :1], 3, axis=2)
        alpha = bytes_[..., -1] if colour in {RGBA, GREY_ALPHA} else np.full((height, width), 255)
    return png, np.dstack([rgb, alpha]).astype(np.uint8)


def assert_shows(frame: Frame, rgb: np.ndarray, matrix: str = "bt709", tolerance: float = 1.0) -> None:
    for name, plane, exact in zip("yuv", (frame.y, frame.u, frame.v), exact_planes(rgb, matrix), strict=True):
        assert plane.shape == exact.shape
        assert np.abs(plane - exact).max() <= tolerance, name


@pytest.mark.parametrize("interlaced", [False, True], ids=["rows", "adam7"])
@pytest.mark.parametrize(("colour", "depth"), KINDS)
def test_every_colour_type_and_depth(colour: int, depth: int, interlaced: bool) -> None:
    for size in SIZES:
        png, rgba = picture(colour, depth, size, interlaced=interlaced)
        data = png.file()
        assert _core.decode_png_rgba(data) == (rgba.tobytes(), *size)
        frame = decode_png(data)
        assert (frame.width, frame.height) == frame.size == size
        assert_shows(frame, rgba[..., :3])


@pytest.mark.parametrize("matrix", ["bt709", "bt601"])
def test_both_matrices(matrix: Matrix) -> None:
    png, rgba = picture(RGBA, 8, (130, 70))
    frame = decode_png(png.file(), matrix=matrix)
    assert frame.matrix == matrix
    assert not frame.full_range
    assert_shows(frame, rgba[..., :3], matrix)


@pytest.mark.parametrize("colour", [RGB, RGBA])
def test_rows_that_repeat_are_copied_right(colour: int) -> None:
    """Runs of equal rows of every length and parity, as user interfaces have them: their colour is computed once."""
    rng = np.random.default_rng(3)
    rows = [
        np.repeat(rng.integers(0, 256, (1, 50, CHANNELS[colour])), n, axis=0) for n in (1, 2, 3, 4, 5, 40, 1, 33, 7)
    ]
    samples = np.concatenate(rows)
    samples[..., 3:] = 255
    assert_shows(decode_png(Png(samples, colour=colour, filters=[2]).file()), samples[..., :3])
    assert_shows(decode_png(Png(samples, colour=colour, filters=[4, 2, 2, 4, 4]).file()), samples[..., :3])


def test_transparent_colours() -> None:
    grey = np.array([[[3], [15]], [[0], [7]]])
    png = Png(grey, 4, GREY, before_image=chunk(b"tRNS", b"\x00\x0f"))
    rgba, _, _ = _core.decode_png_rgba(png.file())
    assert rgba[3::4] == bytes([255, 0, 255, 255])
    deep = np.array([[[0x12FF, 1, 2], [0x1200, 1, 2]]])
    png = Png(deep, 16, RGB, before_image=chunk(b"tRNS", b"\x12\x00\x00\x01\x00\x02"))
    rgba, _, _ = _core.decode_png_rgba(png.file())
    assert rgba == bytes([0x12, 0, 0, 255, 0x12, 0, 0, 0])  # compared before the low byte goes


def test_palette_edges() -> None:
    samples = np.array([[[0], [1], [2], [3]]])
    two = chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60]))
    rgba, _, _ = _core.decode_png_rgba(Png(samples, 2, PALETTE, before_image=two + chunk(b"tRNS", b"\x80")).file())
    assert rgba == bytes([10, 20, 30, 128, 40, 50, 60, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    longer = Png(samples, 2, PALETTE, before_image=two + chunk(b"tRNS", b"\1\2\3")).file()
    assert _core.decode_png_rgba(longer)[0][3::4] == b"\xff" * 4  # as libpng and libspng: ignored


@pytest.mark.parametrize("colour", [RGB, RGBA])
@pytest.mark.parametrize("to", [(1, 1), (32, 24), (33, 17), (64, 48), (63, 47), (22, 16), (64, 3)])
def test_scaled_down(colour: int, to: tuple[int, int]) -> None:
    """Means of areas, computed here by repeating pixels and averaging."""
    width, height = 64, 48
    rng = np.random.default_rng(5)
    samples = rng.integers(0, 256, (height, width, CHANNELS[colour]))
    frame = decode_png(Png(samples, colour=colour).file(), size=to)
    assert frame.size == to
    many = samples[..., :3].repeat(to[0], axis=1).repeat(to[1], axis=0)
    means = many.reshape(to[1], height, to[0], width, 3).mean(axis=(1, 3))
    assert_shows(frame, means, tolerance=2.0)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (65, 48), (64, 49), (-1, 3), (1 << 40, 1)])
def test_sizes_that_are_not_smaller_are_refused(size: tuple[int, int]) -> None:
    png, _ = picture(RGBA, 8, (64, 48))
    with pytest.raises(ValueError, match="64x48"):
        decode_png(png.file(), size=size)


def test_any_bytes_like_object() -> None:
    data = picture(RGB, 8, (7, 5))[0].file()
    expected = decode_png(data).y.tolist()
    for form in (bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
        assert decode_png(form).y.tolist() == expected
    with pytest.raises(TypeError):
        decode_png("no bytes")  # type: ignore[arg-type]


def test_chunks_that_may_be_there() -> None:
    """Unknown ancillary chunks, empty IDATs, tRNS where there is alpha, and whatever stands behind IEND."""
    png, rgba = picture(RGBA, 8, (7, 5))
    png.before_image = chunk(b"prVt", b"\x00" * 50) + chunk(b"tRNS", b"\1\2\3\4\5\6") + chunk(b"IDAT")
    png.idat_bytes = 1
    assert _core.decode_png_rgba(png.file() + b"behind")[0] == rgba.tobytes()


def frames_of_threads(data: bytes, threads: int, each: int) -> Iterator[Frame]:
    frames: list[Frame] = []

    def work() -> None:
        frames.extend([decode_png(data) for _ in range(each)])

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return iter(frames)


def test_many_threads() -> None:
    png, rgba = picture(RGBA, 8, (200, 300))
    first, *others = frames_of_threads(png.file(), 8, 10)
    assert len(others) == 79
    assert_shows(first, rgba[..., :3])
    for frame in others:
        assert all(
            (a == b).all() for a, b in zip((frame.y, frame.u, frame.v), (first.y, first.u, first.v), strict=True)
        )
