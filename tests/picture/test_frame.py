"""Frames: views of one block that keep it alive, and the same picture for PyAV."""

from __future__ import annotations

import gc
import weakref
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from mediacore._core import plane_capsule
from mediacore.picture import Frame, Matrix, convert


def frame_of(width: int, height: int, matrix: Matrix = "bt709") -> Frame:
    rgba = np.random.default_rng(width).integers(0, 256, (height, width, 4), dtype=np.uint8)
    return convert(rgba.tobytes(), width, height, matrix=matrix)


def address(plane: np.ndarray) -> int:
    return int(plane.__array_interface__["data"][0])


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (5, 3), (64, 8), (65, 9), (720, 1280)])
def test_planes_are_views_of_one_block(size: tuple[int, int]) -> None:
    frame = frame_of(*size)
    width, height = size
    half_width, half_height = (width + 1) // 2, (height + 1) // 2
    stride = frame.y.strides[0]
    assert stride % 2 == 0
    assert stride >= width
    assert frame.u.strides == frame.v.strides == (stride // 2, 1)
    assert (frame.y.shape, frame.u.shape, frame.v.shape) == ((height, width), *((half_height, half_width),) * 2)
    assert address(frame.u) == address(frame.y) + stride * height
    assert address(frame.v) == address(frame.u) + stride // 2 * half_height


def test_planes_are_read_only() -> None:
    frame = frame_of(4, 4)
    for plane in (frame.y, frame.u, frame.v):
        with pytest.raises(ValueError, match="read-only"):
            plane[0, 0] = 1
        with pytest.raises(ValueError):
            plane.flags.writeable = True
    with pytest.raises(AttributeError):
        frame.width = 3  # type: ignore[misc]


def test_a_plane_keeps_the_block_alive() -> None:
    """Blocks are recycled; one that is still seen is not."""
    y = frame_of(300, 200).y
    before = y.copy()
    gc.collect()
    others = [frame_of(300, 200) for _ in range(20)]
    assert len({address(other.y) for other in others} | {address(y)}) == 21
    assert (y == before).all()


def test_blocks_are_recycled() -> None:
    addresses = set()
    for _ in range(20):
        addresses.add(address(frame_of(320, 240).y))
    assert len(addresses) <= 2


def test_frames_are_compared_by_identity() -> None:
    frame = frame_of(4, 4)
    assert frame == frame  # noqa: PLR0124
    assert frame != frame_of(4, 4)
    assert len({frame, frame}) == 1


@pytest.mark.parametrize("matrix", ["bt709", "bt601"])
@pytest.mark.parametrize("size", [(2, 2), (30, 16), (66, 34), (1, 1), (31, 16), (30, 17), (67, 35)])
def test_to_av(size: tuple[int, int], matrix: Matrix) -> None:
    frame = frame_of(*size, matrix)
    picture = frame.to_av()
    assert (picture.width, picture.height) == size
    assert picture.format.name == "yuv420p"
    assert picture.colorspace == (Colorspace.ITU709 if matrix == "bt709" else Colorspace.ITU601)
    assert picture.color_range == ColorRange.MPEG
    assert picture.time_base == Fraction(1, 1_000_000)
    for plane, of_av in zip((frame.y, frame.u, frame.v), picture.planes, strict=True):
        rows = np.frombuffer(memoryview(of_av), np.uint8).reshape(-1, of_av.line_size)
        assert (rows[: plane.shape[0], : plane.shape[1]] == plane).all()


@pytest.mark.parametrize("height", [48, 50])
def test_to_av_copies_nothing_of_even_sizes(height: int) -> None:
    if height % 4 and av.__version__ < "18":
        pytest.skip("PyAV before 18 takes planes of such a height only as a copy")
    frame = frame_of(64, height)
    picture = frame.to_av()
    planes = (frame.y, frame.u, frame.v)
    assert [plane.buffer_ptr for plane in picture.planes] == [address(plane) for plane in planes]
    before = frame.y.copy()
    del frame, planes
    gc.collect()
    [frame_of(64, height) for _ in range(10)]
    rows = np.frombuffer(memoryview(picture.planes[0]), np.uint8).reshape(-1, picture.planes[0].line_size)
    assert (rows[:height, :64] == before).all()


def test_capsules_that_nobody_takes_hold_nothing() -> None:
    owner = np.zeros((4, 6), np.uint8)
    watch = weakref.ref(owner)
    capsules = [plane_capsule(owner), plane_capsule(owner[::2, :3])]
    del owner
    gc.collect()
    assert watch() is not None
    capsules.clear()
    gc.collect()
    assert watch() is None
    for wrong in (b"a row", np.zeros((2, 2, 2), np.uint8), np.zeros((2, 2), np.uint16)):
        with pytest.raises(ValueError, match="plane"):
            plane_capsule(wrong)
