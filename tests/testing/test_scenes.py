"""Scenes: the same at every run, none of them red, and cheap to draw."""

import time

import av
import numpy as np
import pytest

from mediacore.testing.encoder import H264Encoder, as_bt709
from mediacore.testing.scenes import DOT_COLOUR, PATCHES, Planes, TouchDots, build_scene, patch_centre

SCENES = ("static", "scroll", "video", "rotation")
"""Those without red."""
SIZES = ((128, 128), (180, 320), (320, 180), (720, 1280), (1280, 720))


def drawn(name: str, size: tuple[int, int], number: int) -> np.ndarray:
    block = np.full((size[1] * 3 // 2, size[0]), 77, np.uint8)
    build_scene(name, *size).draw(Planes.of(block), number)  # type: ignore[arg-type]
    return block


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SCENES)
def test_a_frame_depends_on_its_number_alone_and_is_never_red(name: str, size: tuple[int, int]) -> None:
    scene = build_scene(name, *size)  # type: ignore[arg-type]
    frames = {}
    for number in (0, 1, 2, 1000, 4_000_000_000):
        block = np.full((size[1] * 3 // 2, size[0]), 99, np.uint8)
        scene.draw(Planes.of(block), number)
        frames[number] = block
        assert Planes.of(block).v.max() < 180 < DOT_COLOUR[2]
    for number, block in frames.items():
        assert (block == drawn(name, size, number)).all()
    assert (frames[0] == frames[1]).all() == (not scene.moving)


def test_a_dot_is_where_the_finger_is_and_is_cut_at_the_edge() -> None:
    block = np.full((480, 200), 128, np.uint8)
    planes = Planes.of(block)
    dots = TouchDots(200, 320)
    dots.draw(planes, 60, 100)
    rows, columns = np.nonzero(planes.v == DOT_COLOUR[2])
    assert (abs(columns.mean() * 2 + 1 - 60) < 2, abs(rows.mean() * 2 + 1 - 100) < 2) == (True, True)
    before = block.copy()
    for x, y in ((-100, 0), (0, 400), (300, 10)):
        dots.draw(planes, x, y)
    assert (block == before).all()
    dots.draw(planes, 0, 0)
    dots.draw(planes, 199, 319)
    assert planes.v[0, 0] == planes.v[-1, -1] == DOT_COLOUR[2]


@pytest.mark.parametrize("name", SCENES)
def test_drawing_is_cheap(name: str) -> None:
    """Well below a frame period: 0.3 to 0.7 ms on an idle machine; the bound leaves room for a busy one."""
    scene = build_scene(name, 720, 1280)  # type: ignore[arg-type]
    planes = Planes.of(np.empty((1920, 720), np.uint8))
    times = []
    for number in range(30):
        start = time.perf_counter()
        scene.draw(planes, number)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.01


@pytest.mark.parametrize("size", [(128, 128), (180, 320), (720, 1280), (1280, 720)])
def test_patches_are_where_they_are_said_to_be(size: tuple[int, int]) -> None:
    planes = Planes.of(drawn("patches", size, 5))
    for number, (_, colour) in enumerate(PATCHES):
        x, y = patch_centre(number)
        row, column = int(y * size[1]), int(x * size[0])
        for dy, dx in ((0, 0), (-6, -6), (6, 6)):
            luma = planes.y[row + dy, column + dx]
            chroma = [plane[(row + dy) // 2, (column + dx) // 2] for plane in (planes.u, planes.v)]
            assert (luma, *chroma) == colour


def matrix(red: float, blue: float) -> np.ndarray:
    """From red, green and blue to y, u and v in limited range, by the luma of red and of blue."""
    luma = np.array([red, 1 - red - blue, blue])
    u, v = (np.array([0, 0, 1]) - luma) / (1 - blue), (np.array([1, 0, 0]) - luma) / (1 - red)
    return np.stack([luma * 219, u * 112, v * 112]) / 255


@pytest.mark.parametrize("name", ["bt601", "bt709"])
def test_the_colours_of_patches_are_held_alike_by_both_matrices(name: str) -> None:
    block = drawn("patches", (128, 128), 1)
    if name == "bt709":
        block = as_bt709(block)
    planes = Planes.of(block)
    back = np.linalg.inv(matrix(0.299, 0.114) if name == "bt601" else matrix(0.2126, 0.0722))
    for number, (colour, _) in enumerate(PATCHES):
        x, y = patch_centre(number)
        row, column = int(y * 128), int(x * 128)
        luma, u, v = planes.y[row, column], planes.u[row // 2, column // 2], planes.v[row // 2, column // 2]
        assert back @ (luma - 16.0, u - 128.0, v - 128.0) == pytest.approx(colour, abs=0.5)


@pytest.mark.parametrize(("colours", "told"), [("untold", (2, 0)), ("bt601", (6, 1)), ("bt709", (1, 1))])
def test_an_encoder_tells_its_colours(colours: str, told: tuple[int, int]) -> None:
    block = drawn("patches", (180, 320), 1)
    encoder = H264Encoder((180, 320), 30, 4_000_000, "baseline", colours)  # type: ignore[arg-type]
    decoder = av.CodecContext.create("h264", "r")
    (frame,) = [*decoder.decode(av.Packet(encoder.encode(block, key=True))), *decoder.decode(None)]
    assert (frame.colorspace, frame.color_range) == told
