"""Frames in other sizes, matrices and ranges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from png_files import exact_planes

from mediacore.picture import Frame, Matrix, convert, reshape

LUMA = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}


def blocks(width: int, height: int, seed: int = 1) -> np.ndarray:
    """R G B in squares of 8x8 pixels: what chroma of half the size can hold."""
    small = np.random.default_rng(seed).integers(0, 256, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    return np.repeat(np.repeat(small, 8, axis=0), 8, axis=1)[:height, :width]


def frame_of(rgb: np.ndarray, matrix: Matrix = "bt709", pts_us: int = 0) -> Frame:
    frame = convert(np.ascontiguousarray(rgb).data, rgb.shape[1], rgb.shape[0], pixel_format="rgb888", matrix=matrix)
    return replace(frame, pts_us=pts_us)


def full_range(rgb: np.ndarray, matrix: Matrix) -> Frame:
    """As a JPEG or a phone's camera has it."""
    red, blue = LUMA[matrix]
    wide = rgb.astype(float)
    y = red * wide[..., 0] + (1 - red - blue) * wide[..., 1] + blue * wide[..., 2]
    u = 128 + (wide[..., 2] - y)[::2, ::2] / (2 * (1 - blue))
    v = 128 + (wide[..., 0] - y)[::2, ::2] / (2 * (1 - red))
    rounded = [np.clip(np.round(plane), 0, 255).astype(np.uint8) for plane in (y, u, v)]
    return Frame(rgb.shape[1], rgb.shape[0], matrix, True, 5, rounded[0], rounded[1], rounded[2])


def assert_shows(frame: Frame, rgb: np.ndarray, tolerance: float) -> None:
    for name, plane, exact in zip("yuv", (frame.y, frame.u, frame.v), exact_planes(rgb, frame.matrix), strict=True):
        assert plane.shape == exact.shape
        assert np.abs(plane - exact).max() <= tolerance, name


@pytest.mark.parametrize("size", [(64, 48), (16, 8), (72, 51), (201, 16)])
def test_a_frame_of_another_matrix_has_the_same_colours(size: tuple[int, int]) -> None:
    rgb = blocks(*size)
    given = frame_of(rgb, "bt709", pts_us=7)
    frame = reshape(given, matrix="bt601")
    assert (frame.matrix, frame.full_range, frame.pts_us, frame.size) == ("bt601", False, 7, size)
    assert_shows(frame, rgb, 2)
    again = reshape(frame, matrix="bt709")
    assert np.abs(again.y.astype(int) - given.y).max() <= 1


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
def test_full_range_becomes_limited(matrix: Matrix) -> None:
    rgb = blocks(80, 64)
    frame = reshape(full_range(rgb, matrix), matrix="bt709")
    assert (frame.full_range, frame.pts_us) == (False, 5)
    assert_shows(frame, rgb, 2)
    assert_shows(reshape(full_range(rgb, matrix)), rgb, 2)  # its own matrix


def test_a_frame_that_is_so_already_is_the_frame() -> None:
    frame = frame_of(blocks(16, 16))
    assert reshape(frame) is frame
    assert reshape(frame, size=(16, 16), matrix="bt709") is frame


@pytest.mark.parametrize(("size", "to"), [((64, 48), (32, 24)), ((90, 60), (30, 20)), ((64, 48), (64, 24))])
def test_a_smaller_frame_is_the_mean_of_its_areas(size: tuple[int, int], to: tuple[int, int]) -> None:
    rgb = np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    given = frame_of(rgb)
    frame = reshape(given, size=to)
    assert frame.size == to
    across, down = size[0] // to[0], size[1] // to[1]
    mean = given.y.reshape(to[1], down, to[0], across).mean(axis=(1, 3))
    assert np.abs(frame.y - mean).max() <= 1


def test_smaller_and_of_another_matrix_at_once() -> None:
    frame = reshape(frame_of(np.full((101, 77, 3), (200, 30, 90), np.uint8)), size=(33, 47), matrix="bt601")
    assert frame.size == (33, 47)
    assert_shows(frame, np.full((47, 33, 3), (200, 30, 90), np.uint8), 1.2)


@pytest.mark.parametrize(
    ("rows", "to", "expected"),
    [
        (None, 24, None),
        ((0, 0), 24, (0, 0)),
        ((0, 48), 24, (0, 24)),
        ((46, 48), 24, (22, 24)),
        ((10, 12), 48, (10, 12)),
    ],
)
def test_the_rows_that_changed_are_those_of_the_new_size(
    rows: tuple[int, int] | None, to: int, expected: tuple[int, int] | None
) -> None:
    frame = replace(frame_of(blocks(64, 48)), dirty_rows=rows)
    assert reshape(frame, size=(32, to), matrix="bt601").dirty_rows == expected


def test_all_rows_that_changed_are_told() -> None:
    rng = np.random.default_rng(5)
    before = blocks(40, 97)
    for _ in range(40):
        first = int(rng.integers(0, 96))
        end = int(rng.integers(first + 1, 98))
        after = before.copy()
        after[first:end] ^= 0x80
        told = (first // 2 * 2, min(97, -(-end // 2) * 2))
        to = (20, int(rng.integers(20, 98)))
        smaller = reshape(replace(frame_of(after), dirty_rows=told), size=to)
        was = reshape(frame_of(before), size=to)
        assert smaller.dirty_rows is not None
        rows = np.flatnonzero((smaller.y != was.y).any(axis=1))
        assert smaller.dirty_rows[0] <= rows.min()
        assert rows.max() < smaller.dirty_rows[1] <= to[1]


@pytest.mark.parametrize("size", [(65, 48), (64, 49), (0, 1), (1, 1), (-1, 5)])
def test_a_size_that_cannot_be_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="64x90"):
        reshape(frame_of(blocks(64, 90)), size=(size[0], size[1] * 90 // 48) if size == (64, 49) else size)


def test_planes_that_are_no_rows_of_the_frame_are_refused() -> None:
    frame = frame_of(blocks(16, 16))
    for planes in (
        {"u": frame.y},
        {"y": frame.y[:, ::2]},
        {"v": frame.v[::-1]},
        {"y": np.zeros((0, 0), np.uint8)},
        {"y": frame.y.reshape(-1)},
    ):
        with pytest.raises(ValueError, match=r"rows of bytes|empty"):
            reshape(replace(frame, **planes), matrix="bt601")


def test_planes_of_their_own_are_taken_too() -> None:
    rgb = blocks(48, 32)
    frame = frame_of(rgb)
    wide = np.zeros((32, 100), np.uint8)
    wide[:, :48] = frame.y
    apart = replace(frame, y=wide[:, :48], u=frame.u.copy(), v=frame.v.copy())
    expected = reshape(frame, matrix="bt601")
    got = reshape(apart, matrix="bt601")
    assert (got.y == expected.y).all()
    assert (got.u == expected.u).all()
