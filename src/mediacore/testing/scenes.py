"""What a simulated device shows: pictures that depend on the frame number alone, drawn straight as I420.

Each scene paints its pictures once, larger than the display, and a frame is a few slices of them, so that drawing costs
about a millisecond. No scene but ``patches`` uses strong red: that is the colour of touch dots. Colours are BT.601 in
limited range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mediacore.testing.lettering import Typesetter

if TYPE_CHECKING:
    import numpy.typing as npt

    from mediacore.testing.options import Scene as SceneName

    Plane = npt.NDArray[np.uint8]

SCROLL_PX_PER_FRAME = 6
NOISE_VARIANTS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """The three planes of one I420 picture; u and v have half the size both ways."""

    y: Plane
    u: Plane
    v: Plane

    @classmethod
    def of(cls, block: Plane) -> Planes:
        """The planes inside one contiguous block of shape (height * 3 / 2, width)."""
        height, width = block.shape[0] * 2 // 3, block.shape[1]
        chroma = block[height:].reshape(2, height // 2, width // 2)
        return cls(block[:height], chroma[0], chroma[1])

    @classmethod
    def filled(cls, width: int, height: int, colour: tuple[int, int, int]) -> Planes:
        """A picture of one (y, u, v) colour."""
        return cls(
            np.full((height, width), colour[0], np.uint8),
            np.full((height // 2, width // 2), colour[1], np.uint8),
            np.full((height // 2, width // 2), colour[2], np.uint8),
        )

    def fill(self, left: int, top: int, right: int, bottom: int, colour: tuple[int, int, int]) -> None:
        """Fills a rectangle; its edges should be even."""
        self.y[top:bottom, left:right] = colour[0]
        self.u[top // 2 : bottom // 2, left // 2 : right // 2] = colour[1]
        self.v[top // 2 : bottom // 2, left // 2 : right // 2] = colour[2]


class Scene(Protocol):
    """A source of pictures of one size."""

    moving: bool
    """Whether it changes by itself."""

    def draw(self, into: Planes, frame_number: int) -> None:
        """Paints the whole picture of this frame number."""


PAPER, CARD, PALE_INK = (226, 128, 128), (235, 128, 128), (120, 128, 128)
INK = 40
"""Luma of text."""
BAR = (70, 158, 112)
ACCENTS = ((140, 160, 100), (150, 100, 120), (170, 90, 140), (110, 170, 120), (160, 128, 110), (120, 140, 150))


def _even(value: float) -> int:
    return int(value) // 2 * 2


def _paint_cards(planes: Planes) -> None:
    """A list of cards down the whole picture: accent, title and lines of text in each."""
    height, width = planes.y.shape
    setter = Typesetter()
    unit = max(8, _even(min(width, 720) / 36))
    dot = max(1, unit // 10)
    card_height = unit * 9
    for number, top in enumerate(range(0, height - card_height, card_height + unit)):
        left, right, bottom = unit, width - unit, top + card_height
        planes.fill(left, top, right // 2 * 2, bottom, CARD)
        planes.fill(left + unit, top + unit, left + unit * 4, top + unit * 4, ACCENTS[number % len(ACCENTS)])
        text_left = left + unit * 5
        setter.line(planes.y, (text_left, top + unit), (right - text_left) * 2 // 3, dot * 2, INK)
        setter.line(planes.y, (text_left, top + unit * 3), (right - text_left) // 2, dot, PALE_INK[0])
        for line in range(3):
            length = (right - left - unit * 2) * (10 - line * 2 - number % 3) // 10
            setter.line(planes.y, (left + unit, top + unit * 5 + line * dot * 10), length, dot, INK)


def _paint_chrome(planes: Planes) -> int:
    """The bars at top and bottom that every screen has; returns the top of what is between them."""
    height, width = planes.y.shape
    top, foot = _even(height / 8), _even(height / 14)
    planes.fill(0, 0, width, top, BAR)
    planes.fill(0, height - foot, width, height, CARD)
    setter = Typesetter()
    dot = max(1, min(width, height) // 240)
    setter.line(planes.y, (_even(width / 18), top - dot * 12), width // 2, dot, CARD[0])
    side = _even(foot / 3)
    for part in (1, 3, 5):
        left = _even(width * part / 6 - side / 2)
        planes.fill(left, height - foot + side, left + side, height - foot + side * 2, PALE_INK)
    return top


class StaticScene:
    """A home screen: tiles that never change."""

    moving = False

    def __init__(self, width: int, height: int) -> None:
        self._planes = Planes.filled(width, height, PAPER)
        top = _paint_chrome(self._planes)
        setter = Typesetter()
        columns = 4 if width < height else 7
        pitch = width // columns
        side = _even(pitch * 0.55)
        dot = max(1, pitch // 90)
        number = 0
        for y in range(_even(top + pitch * 0.3), height - height // 14 - pitch, _even(pitch * 1.1)):
            for column in range(columns):
                left = _even(column * pitch + (pitch - side) / 2)
                self._planes.fill(left, y, left + side, y + side, ACCENTS[number % len(ACCENTS)])
                setter.line(self._planes.y, (left, y + side + dot * 3), side, dot, INK)
                number += 1

    def draw(self, into: Planes, frame_number: int) -> None:
        into.y[:] = self._planes.y
        into.u[:] = self._planes.u
        into.v[:] = self._planes.v


class ScrollScene:
    """A list that scrolls up steadily between two bars that stand."""

    moving = True

    def __init__(self, width: int, height: int) -> None:
        self._frame = Planes.filled(width, height, PAPER)
        self._top = _paint_chrome(self._frame)
        self._bottom = height - _even(height / 14)
        window = self._bottom - self._top
        self._length = height * 3 // 2 * 2
        tall = Planes.filled(width, self._length, PAPER)
        _paint_cards(tall)
        self._tall = Planes(*(np.concatenate((plane, plane[:window])) for plane in (tall.y, tall.u, tall.v)))

    def draw(self, into: Planes, frame_number: int) -> None:
        at = frame_number * SCROLL_PX_PER_FRAME % self._length // 2 * 2
        for name, part in (("y", 1), ("u", 2), ("v", 2)):
            target, still, tall = (getattr(planes, name) for planes in (into, self._frame, self._tall))
            top, bottom, first = self._top // part, self._bottom // part, at // part
            target[:top] = still[:top]
            target[top:bottom] = tall[first : first + bottom - top]
            target[bottom:] = still[bottom:]


class VideoScene:
    """A film in a still page: detail that moves and changes at every frame, so that it uses its bit rate."""

    moving = True

    def __init__(self, width: int, height: int) -> None:
        self._page = Planes.filled(width, height, PAPER)
        top = _paint_chrome(self._page)
        self._left, self._width = 0, width
        self._height = _even(min(width * 9 / 16, height * 0.6))
        self._top = top
        below = top + self._height + 16
        rest = Planes(self._page.y[below:], self._page.u[below // 2 :], self._page.v[below // 2 :])
        if rest.y.shape[0] > height // 4:
            keep = rest.y.shape[0] - _even(height / 14)
            _paint_cards(Planes(rest.y[:keep], rest.u[: keep // 2], rest.v[: keep // 2]))
        random = np.random.default_rng(11)
        margin = 64
        shape = (self._height + margin, width + margin)
        y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
        waves = 110 + 40 * np.sin(x / 37) * np.cos(y / 29) + 20 * np.sin((x + y) / 11)
        self._film = [
            np.clip(waves + random.normal(0, 14, shape).astype(np.float32), 16, 235).astype(np.uint8)
            for _ in range(NOISE_VARIANTS)
        ]
        self._tint = (
            (110 + 30 * np.sin(x[::2, ::2] / 90)).astype(np.uint8),
            (120 + 20 * np.cos(y[::2, ::2] / 70)).astype(np.uint8),
        )

    def draw(self, into: Planes, frame_number: int) -> None:
        into.y[:] = self._page.y
        into.u[:] = self._page.u
        into.v[:] = self._page.v
        angle = frame_number * 0.07
        dx, dy = _even(28 + 26 * np.cos(angle)), _even(28 + 26 * np.sin(angle * 1.3))
        film = self._film[frame_number % NOISE_VARIANTS]
        top, bottom, width = self._top, self._top + self._height, self._width
        into.y[top:bottom] = film[dy : dy + self._height, dx : dx + width]
        half = slice(dy // 2, dy // 2 + self._height // 2), slice(dx // 2, dx // 2 + width // 2)
        into.u[top // 2 : bottom // 2] = self._tint[0][half]
        into.v[top // 2 : bottom // 2] = self._tint[1][half]


PATCHES = (
    ((255, 255, 255), (235, 128, 128)),
    ((192, 192, 192), (181, 128, 128)),
    ((128, 128, 128), (126, 128, 128)),
    ((64, 64, 64), (71, 128, 128)),
    ((0, 0, 0), (16, 128, 128)),
    ((221, 32, 32), (92, 100, 211)),
    ((32, 201, 44), (130, 84, 65)),
    ((34, 56, 215), (74, 201, 107)),
    ((220, 206, 40), (180, 53, 146)),
    ((30, 196, 199), (142, 154, 55)),
    ((200, 39, 203), (107, 176, 187)),
    ((228, 186, 150), (183, 106, 149)),
    ((251, 146, 22), (156, 58, 183)),
    ((96, 55, 28), (71, 110, 148)),
    ((21, 79, 89), (70, 141, 102)),
    ((145, 188, 244), (172, 159, 105)),
)
"""The colours of the scene ``patches`` as (red, green, blue) and as (y, u, v), row by row of a square. They are chosen
so that BT.601 and BT.709 hold them alike: 8 bits of either are less than 0.5 off."""
PATCH_COLUMNS = 4


def patch_centre(number: int) -> tuple[float, float]:
    """Where a patch of ``PATCHES`` is: shares of the picture's width and height, 0 to 1."""
    row, column = divmod(number, PATCH_COLUMNS)
    return (column + 0.5) / PATCH_COLUMNS, (1 + (row + 0.5) * 7 / PATCH_COLUMNS) / 8


class PatchScene:
    """Plain colours below the bar code, which goes on, so that pictures come."""

    moving = True

    def __init__(self, width: int, height: int) -> None:
        self._planes = Planes.filled(width, height, PAPER)
        half_width, half_height = width / PATCH_COLUMNS / 2, height * 7 / 8 / PATCH_COLUMNS / 2
        for number, (_, colour) in enumerate(PATCHES):
            x, y = patch_centre(number)
            across, down = x * width, y * height
            self._planes.fill(
                _even(across - half_width), _even(down - half_height), _even(across + half_width), height, colour
            )

    def draw(self, into: Planes, frame_number: int) -> None:
        into.y[:] = self._planes.y
        into.u[:] = self._planes.u
        into.v[:] = self._planes.v


def build_scene(name: SceneName, width: int, height: int) -> Scene:
    """Paints what a scene needs: 10 to 100 ms, so it belongs into a thread. ``rotation`` looks like ``scroll``."""
    if name == "static":
        return StaticScene(width, height)
    if name == "video":
        return VideoScene(width, height)
    if name == "patches":
        return PatchScene(width, height)
    return ScrollScene(width, height)


DOT_COLOUR = (81, 90, 240)
"""Red as (y, u, v): no scene contains it."""


class TouchDots:
    """Draws red discs where fingers are, or were at last."""

    def __init__(self, width: int, height: int) -> None:
        self.radius = max(8, _even(min(width, height) / 24))
        span = np.arange(-self.radius, self.radius) + 0.5
        self._disc = span[:, None] ** 2 + span[None, :] ** 2 <= self.radius**2

    def draw(self, into: Planes, x: float, y: float) -> None:
        """A disc about the pixel (x, y); what is outside the picture is cut."""
        height, width = into.y.shape
        left, top = _even(x) - self.radius, _even(y) - self.radius
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(width, left + 2 * self.radius), min(height, top + 2 * self.radius)
        if x0 >= x1 or y0 >= y1:
            return
        disc = self._disc[y0 - top : y1 - top, x0 - left : x1 - left]
        into.y[y0:y1, x0:x1][disc] = DOT_COLOUR[0]
        small = disc[::2, ::2]
        into.u[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2][small] = DOT_COLOUR[1]
        into.v[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2][small] = DOT_COLOUR[2]
