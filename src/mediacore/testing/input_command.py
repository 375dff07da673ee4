"""``input`` of a simulated device: every event is recorded, and fingers leave dots on the screen."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mediacore.testing.phone import Phone
    from mediacore.testing.shell import Io

SOURCES = ("touchscreen", "touchnavigation", "mouse", "keyboard", "dpad", "gamepad", "joystick", "stylus", "trackball")
MOTION_ACTIONS = {"DOWN": "down", "MOVE": "move", "UP": "up", "CANCEL": "cancel"}
SDK_MOTION_EVENT, SDK_MOTION_CANCEL = 30, 31
SWIPE_STEP_S = 1 / 60
DEFAULT_SWIPE_MS = 300
MAX_SWIPE_S = 60
FAILURE = 255


@dataclass(frozen=True, slots=True)
class InputEvent:
    """Something that a user, or a program, did to the device."""

    time_us: int
    """When it arrived, CLOCK_REALTIME in µs."""
    kind: str
    """``tap``, ``swipe``, ``text``, ``keyevent``, ``motionevent``, ``roll``, ``command`` or ``touch`` (no shell's)."""
    args: tuple[str, ...]
    """What followed on the command line, or (action, x, y, pointer) of a ``touch``."""


class BadInputError(ValueError):
    """The command line is none of input's."""


def _numbers(args: Sequence[str], *counts: int) -> list[float]:
    if len(args) not in counts:
        raise BadInputError("Error: Invalid arguments for command")
    try:
        return [float(word) for word in args]
    except ValueError as error:
        raise BadInputError(f"Error: {error}") from error


@dataclass(frozen=True, slots=True)
class _Step:
    """What one finger does at a moment after the start."""

    at_s: float
    action: str
    x: float
    y: float


def _swipe(args: Sequence[str]) -> list[_Step]:
    x0, y0, x1, y1, *more = _numbers(args, 4, 5)
    duration_s = min(MAX_SWIPE_S, max(0.0, (more[0] if more else DEFAULT_SWIPE_MS) / 1000))
    count = int(duration_s / SWIPE_STEP_S)
    moves = [
        _Step(share * duration_s, "move", x0 + (x1 - x0) * share, y0 + (y1 - y0) * share)
        for share in (number / (count + 1) for number in range(1, count + 1))
    ]
    return [_Step(0, "down", x0, y0), *moves, _Step(duration_s, "up", x1, y1)]


def _motion_event(args: Sequence[str], sdk: int) -> list[_Step]:
    action = MOTION_ACTIONS.get(args[0].upper() if args else "")
    needed = SDK_MOTION_CANCEL if action == "cancel" else SDK_MOTION_EVENT
    if action is None or sdk < needed:
        raise BadInputError(f"Error: Unknown command: motionevent {' '.join(args[:1])}".rstrip())
    x, y = _numbers(args[1:], 2)
    return [_Step(0, action, x, y)]


def _plan(kind: str, args: list[str], sdk: int) -> list[_Step]:
    """What fingers do; empty for keys and text.

    Raises:
        BadInputError: the command line is none of input's.
    """
    if kind == "tap":
        x, y = _numbers(args, 2)
        return [_Step(0, "down", x, y), _Step(0, "up", x, y)]
    if kind in ("swipe", "draganddrop"):
        return _swipe(args)
    if kind == "motionevent":
        return _motion_event(args, sdk)
    if kind == "text" and args:
        if not args[0].isascii():
            # The real program throws: KeyCharacterMap has no events for such characters.
            raise BadInputError("Error: Attempt to get length of null array")
    elif kind == "roll":
        _numbers(args, 2)
    elif kind != "keyevent" or all(word.startswith("--") for word in args):
        raise BadInputError(f"Error: Unknown command: {kind}")
    return []


async def input_command(phone: Phone, io: Io, args: list[str]) -> int:
    """The program: ``input [SOURCE] [-d DISPLAY] COMMAND ARGUMENT...``."""
    rest = list(args)
    if rest and rest[0] in SOURCES:
        rest.pop(0)
    if rest[:1] == ["-d"]:
        del rest[:2]
    if not rest:
        await io.complain("Error: Unknown command:\nUsage: input [<source>] [-d DISPLAY_ID] <command> [<arg>...]\n")
        return FAILURE
    kind, *words = rest
    try:
        steps = _plan(kind, words, phone.options.sdk)
    except BadInputError as error:
        await io.complain(f"{error}\n")
        return FAILURE
    phone.record(InputEvent(time.time_ns() // 1000, kind, tuple(words)))
    clock = asyncio.get_running_loop().time
    start = clock()
    for step in steps:
        if step.at_s:
            await asyncio.sleep(max(0.0, start + step.at_s - clock()))
        phone.touch(step.action, step.x, step.y)
    return 0
