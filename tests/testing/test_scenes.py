"""Scenes: the same at every run, none of them red, and cheap to draw."""

import time

import numpy as np
import pytest

from mediacore.testing.scenes import DOT_COLOUR, Planes, TouchDots, build_scene

SCENES = ("static", "scroll", "video", "rotation")
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
