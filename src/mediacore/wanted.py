"""What a viewer wants of its stream, as it comes over the wire: in the query of a WHEP request, over the data channel.

Everything here raises ``WantedError``, which names the field, its value and what is possible.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mediacore.errors import WantedError
from mediacore.media import Wanted
from mediacore.settings import CODECS, FPS, SIZE_PX

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOWN_CHARS: Final = 40
"""So much of a wrong value is told back."""
SIDE_STEP_PX: Final = 2
"""Encodings differ by so much at least: I420 wants even sides. How many there are is bounded where they are made."""
_SIZE: Final = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_FPS: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})?")
_EXAMPLE_SIZE: Final = "like 540x1200"


def checked(wanted: Wanted) -> Wanted:
    """The same, if all of it is possible."""
    for codec in wanted.codecs:
        if codec not in CODECS:
            raise _wrong("codec", codec, f"one of {', '.join(CODECS)}")
    if wanted.size is not None:
        low, high = SIZE_PX
        if len(wanted.size) != 2 or not all(_whole(side) and low <= side <= high for side in wanted.size):
            raise _wrong("size", wanted.size, f"a width and a height of {low} to {high}")
    if wanted.fps is not None:
        slowest, fastest = FPS
        if not slowest <= wanted.fps <= fastest:  # false for what is not a number, too
            raise _wrong("fps", wanted.fps, f"a number from {slowest:g} to {fastest:g}")
    return wanted


def shared(wanted: Wanted) -> Wanted:
    """What is encoded for it: sides in steps of ``SIDE_STEP_PX`` and whole frames per second, never more than wanted.

    So those who want nearly the same share one encoding.
    """
    sides = wanted.size
    return Wanted(
        wanted.codecs,
        None if sides is None else (_stepped(sides[0]), _stepped(sides[1])),
        None if wanted.fps is None else float(max(1, int(wanted.fps))),
    )


def from_query(fields: Mapping[str, str]) -> Wanted:
    """Of ``codec`` (``vp8,av1``, the best first), ``size`` (``540x1200``) and ``fps`` (``15``) those that are there."""
    codecs = fields.get("codec")
    size, fps = fields.get("size"), fields.get("fps")
    sides = None if size is None else _SIZE.fullmatch(size)
    if size is not None and sides is None:
        raise _wrong("size", size, f"a width and a height of {SIZE_PX[0]} to {SIZE_PX[1]}, {_EXAMPLE_SIZE}")
    if fps is not None and not _FPS.fullmatch(fps):
        raise _wrong("fps", fps, f"a number from {FPS[0]:g} to {FPS[1]:g}")
    return checked(
        Wanted(
            codecs=() if codecs is None else tuple(dict.fromkeys(codecs.lower().split(","))),
            size=None if sides is None else (int(sides[1]), int(sides[2])),
            fps=None if fps is None else float(fps),
        )
    )


def from_event(event: Mapping[str, object]) -> Wanted:
    """``size`` ([width, height] or null) and ``fps`` (a number or null) of a ``want`` event; absent is null."""
    size, fps = event.get("size"), event.get("fps")
    if size is not None and not isinstance(size, list):
        raise _wrong("size", size, "null or [width, height]")
    if fps is not None and (isinstance(fps, bool) or not isinstance(fps, int | float)):
        raise _wrong("fps", fps, f"null or a number from {FPS[0]:g} to {FPS[1]:g}")
    return checked(Wanted(size=None if size is None else tuple(size), fps=fps))


def _stepped(side: int) -> int:
    return max(SIDE_STEP_PX, side // SIDE_STEP_PX * SIDE_STEP_PX)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _wrong(name: str, value: object, possible: str) -> WantedError:
    shown = repr(value) if isinstance(value, str) else str(value)
    return WantedError(f"{name} is {shown[:SHOWN_CHARS]}, it must be {possible}")
