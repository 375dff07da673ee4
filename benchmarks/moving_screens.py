"""Moving screens of a phone for the benchmarks of encoders, and how like the original a decoded one is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mediacore.media import Frame
from mediacore.testing.scenes import Planes, build_scene

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import NDArray

    Block = NDArray[np.uint8]

SIZE = (720, 1280)
FPS = 30
CLIPS = ("scroll", "fling", "apps", "video")
"""A list that scrolls steadily; one that is flung and comes to rest; pages that slide in and then stand; a film."""
PAGE_FRAMES, SLIDE_FRAMES = 24, 8


def clip(kind: str, frames: int, size: tuple[int, int] = SIZE) -> list[Block]:
    """The frames, I420, each in one block of shape (height * 3 / 2, width)."""
    if kind == "fling":
        scene = build_scene("scroll", *size)
        # 60 px per frame at first, half of it after 8 frames, every 40 frames anew; the scene has 6 px per number.
        at = np.cumsum([10 * 0.5 ** (frame % 40 / 8) for frame in range(frames)])
        return [_drawn(scene, round(position), size) for position in at]
    if kind == "apps":
        pages = [
            _drawn(build_scene(name, *size), at, size)
            for name, at in (("static", 0), ("scroll", 0), ("video", 3), ("scroll", 90))
        ]
        return [_slide(pages, frame) for frame in range(frames)]
    scene = build_scene(kind, *size)
    return [_drawn(scene, frame, size) for frame in range(frames)]


def _drawn(scene, at: int, size: tuple[int, int]) -> Block:
    block = np.empty((size[1] * 3 // 2, size[0]), np.uint8)
    scene.draw(Planes.of(block), at)
    return block


def _slide(pages: list[Block], frame: int) -> Block:
    number, phase = divmod(frame, PAGE_FRAMES)
    page, following = pages[number % len(pages)], pages[(number + 1) % len(pages)]
    moved = max(0, phase - (PAGE_FRAMES - SLIDE_FRAMES))
    if moved == 0:
        return page
    block = page.copy()
    of, to = Planes.of(following), Planes.of(block)
    share = moved / SLIDE_FRAMES
    for name in ("y", "u", "v"):
        into, new = getattr(to, name), getattr(of, name)
        width = int(into.shape[1] // 2 * share) * 2 if name == "y" else int(into.shape[1] * share)
        if width:
            into[:, :-width] = into[:, width:].copy()
            into[:, -width:] = new[:, :width]
    return block


def frame_of(block: Block, number: int, matrix: Literal["bt709", "bt601"] = "bt709", fps: float = FPS) -> Frame:
    """The same as a Frame, without a copy."""
    size = block.shape[1], block.shape[0] * 2 // 3
    return Frame.of_block(block.data, size, block.shape[1], matrix=matrix, pts_us=round(number * 1e6 / fps))


def ssim(one: Block, other: Block) -> float:
    """Structural similarity of two luma planes: the mean over 8x8 squares without weights (Wang et al. 2004)."""
    height, width = one.shape[0] // 8 * 8, one.shape[1] // 8 * 8
    a, b = (plane[:height, :width].astype(np.float32) for plane in (one, other))

    def mean(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        return plane.reshape(height // 8, 8, width // 8, 8).mean((1, 3))

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b, both = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2, mean(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return float((luminance * (2 * both + c2) / (var_a + var_b + c2)).mean())
