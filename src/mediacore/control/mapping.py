"""From a place on the picture to a pixel of the display."""

from __future__ import annotations

from dataclasses import dataclass

FULL_SCALE = 65536
"""Positions are 16 bits: a position p stands for the middle of the p-th of so many equal parts."""


@dataclass(frozen=True, slots=True)
class PictureMapping:
    """How the display lies in the picture.

    An encoder whose picture has another shape than the display keeps the display's proportions, centres it and fills
    the rest with black. A place on such a border maps to the nearest pixel of the display.
    """

    video: tuple[int, int]
    """(width, height) of the picture in pixels."""
    display: tuple[int, int]
    """(width, height) of the display in pixels, in the orientation that it has now."""

    def matches(self, width: int, height: int) -> bool:
        """True if a picture of this size has the display's orientation now.

        The size itself may differ, as a player may have seen the picture before a change of size; its orientation may
        not: the place would be another one. A size of nothing matches nothing.
        """
        if width <= 0 or height <= 0:
            return False
        ours = self.video[0] - self.video[1]
        return ours * (width - height) > 0 or ours == 0 or width == height

    def to_display(self, x: int, y: int) -> tuple[int, int]:
        """The pixel for a place, each 0 to 65535 over the whole picture."""
        scale = min(self.video[0] / self.display[0], self.video[1] / self.display[1])
        return self._pixel(0, x, scale), self._pixel(1, y, scale)

    def _pixel(self, axis: int, position: int, scale: float) -> int:
        video, display = self.video[axis], self.display[axis]
        border = (video - display * scale) / 2
        pixel = ((position + 0.5) / FULL_SCALE * video - border) / scale
        return min(max(int(pixel), 0), display - 1)
