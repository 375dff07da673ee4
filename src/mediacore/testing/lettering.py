"""Text for drawn screens: words in a 5x7 dot-matrix alphabet, picked at random but the same at every run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

ALPHABET = " abcdefghijklmnopqrstuvwxyz"
ROWS, COLUMNS = 7, 6
"""Dots of one letter, with the gap after it."""
_DOTS = bytes.fromhex(
    "0000000000 2054545478 7f48444438 3844444420 384444487f 3854545418 087e090102 0c5252523e 7f08040478 00447d4000"
    "2040443d00 7f10284400 00417f4000 7c04180478 7c08040478 3844444438 7c14141408 081414187c 7c08040408 4854545420"
    "043f444020 3c4040207c 1c2040201c 3c4030403c 4428102844 0c5050503c 4464544c44"
)
"""Five columns a letter, in the order of ``ALPHABET``; the lowest bit is the uppermost dot."""
_TEXT = (
    "access unit picture stream packet frame screen touch device viewer browser encoder key slice pixel colour rotate "
    "scroll window letter story river garden morning coffee bridge music train harbour lamp paper cloud market signal"
)
WORDS = tuple(_TEXT.split())


def _letters() -> npt.NDArray[np.bool_]:
    columns = np.frombuffer(_DOTS, np.uint8).reshape(len(ALPHABET), COLUMNS - 1)
    dots = np.unpackbits(columns[:, :, None], axis=2, bitorder="little")[:, :, :ROWS]
    letters = np.zeros((len(ALPHABET), ROWS, COLUMNS), np.bool_)
    letters[:, :, : COLUMNS - 1] = dots.transpose(0, 2, 1)
    return letters


class Typesetter:
    """Sets lines of words; the n-th line of each typesetter says the same."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(7)
        self._letters = _letters()

    def line(self, luma: npt.NDArray[np.uint8], at: tuple[int, int], width: int, dot: int, ink: int) -> None:
        """Writes words from (left, top) until ``width`` is used, onto a luma plane.

        Args:
            luma: the plane; what is outside it is cut.
            at: the upper left corner of the first letter.
            width: of the line in pixels.
            dot: pixels of one dot of a letter.
            ink: luma of the letters.
        """
        left, top = at
        room = width // (dot * COLUMNS)
        text = ""
        while len(text) + len(word := str(self._random.choice(WORDS))) <= room:
            text += word + " "
        if not text:
            return
        indexes = [ALPHABET.index(letter) for letter in text]
        dots = self._letters[indexes].transpose(1, 0, 2).reshape(ROWS, -1)
        inked = dots.repeat(dot, axis=0).repeat(dot, axis=1)
        target = luma[top : top + inked.shape[0], left : left + inked.shape[1]]
        target[inked[: target.shape[0], : target.shape[1]]] = ink
