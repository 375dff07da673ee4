"""Input as lines for the device's shell: the program ``input`` and a few others (AOSP InputShellCommand.java).

What it cannot do: several fingers, pressure, a key's down and up apart (so no holding), shortcuts with Ctrl, Alt or
Meta, text beyond ASCII, the clipboard, switching the screen off while it is captured. Each of these is an
``UnsupportedError`` with the reason, except for pressure and a key's up, which are left out in silence.
"""

from __future__ import annotations

import enum
import math
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mediacore.control.messages import (
    Clipboard,
    Command,
    CommandCode,
    Key,
    KeyAction,
    Message,
    Scroll,
    Text,
    Touch,
    TouchAction,
)
from mediacore.errors import UnsupportedError
from mediacore.media import DropCause

if TYPE_CHECKING:
    from mediacore.control.mapping import PictureMapping

MOTION_EVENT_SDK = 30
"""``input motionevent`` came with Android 11."""
MOTION_CANCEL_SDK = 31
"""Its CANCEL came with Android 12."""
SCROLL_SDK = 35
"""``input scroll`` is in the sources of Android 15; before, a swipe has to do."""

TAP_PX = 16
"""A finger that stays within this many pixels taps; it is about Android's own touch slop of 8 dp."""
LONG_PRESS_MS = 500
"""A finger that stays down for longer presses long (ViewConfiguration's default is 400 to 500 ms)."""
SWIPE_MS = (50, 3000)
"""Shortest and longest swipe; a longer one would keep everything behind it waiting."""
SCROLL_SWIPE_MS = 200
NOTCHES_PER_SIDE = 6
"""One notch of the wheel moves the picture by a sixth of the display's short side, about what apps do on a notch."""
NOTCH = 256
"""The unit of ``Scroll`` is 1/256 notch."""
STALE_FINGER_US = 10_000_000
"""A finger that was not heard of for so long is the rest of a viewer that vanished; another one may take its place."""
TEXT_CHUNK = 128
"""Characters per ``input text``; it sends key strokes one after the other, some milliseconds each."""


class Keycode(enum.IntEnum):
    """Numbers of android.view.KeyEvent."""

    HOME = 3
    BACK = 4
    VOLUME_UP = 24
    VOLUME_DOWN = 25
    POWER = 26
    TAB = 61
    ENTER = 66
    APP_SWITCH = 187
    WAKEUP = 224


_COMMAND_KEYS = {
    CommandCode.BACK: Keycode.BACK,
    CommandCode.HOME: Keycode.HOME,
    CommandCode.RECENTS: Keycode.APP_SWITCH,
    CommandCode.POWER: Keycode.POWER,
    CommandCode.VOLUME_UP: Keycode.VOLUME_UP,
    CommandCode.VOLUME_DOWN: Keycode.VOLUME_DOWN,
    CommandCode.WAKE: Keycode.WAKEUP,
}
_MODIFIERS = 0x02 | 0x1000 | 0x10000
"""META_ALT_ON, META_CTRL_ON, META_META_ON. Shift and the locks change nothing about the keys that are sent."""
_TEXT_KEYS = {"\n": Keycode.ENTER, "\t": Keycode.TAB}
_TEXT_PARTS = re.compile(r"[\n\t]|[^\n\t]+")
_MOTION_NAMES = {TouchAction.DOWN: "DOWN", TouchAction.UP: "UP", TouchAction.MOVE: "MOVE"}


@dataclass(frozen=True, slots=True)
class Translation:
    """What a message is in the shell."""

    lines: tuple[str, ...] = ()
    """Lines to run in this order; none if nothing is to be done (yet)."""
    dropped: DropCause | None = None
    """Why the message is not carried out, if it is not."""


@dataclass(slots=True)
class _Finger:
    pointer: int
    start: tuple[int, int]
    start_us: int
    last: tuple[int, int]


class ShellDialect:
    """Translates messages for devices of one API level. Pure; keeps where the finger is.

    Two steps, as messages wait in between: ``admit`` in the order of arrival, ``translate`` in the order of delivery.
    From API 30 on a finger is followed by ``input motionevent``; before, a gesture becomes one tap or one straight
    swipe when the finger leaves.
    """

    def __init__(self, sdk: int) -> None:
        self._sdk = sdk
        self._first: int | None = None
        self._first_us = 0
        self._finger: _Finger | None = None

    def admit(self, message: Message, now_us: int) -> DropCause | None:
        """Whether the message can be carried out at all; a cause if it is to be left out without a word.

        ``now_us`` is any monotonic clock.
        Raises ``UnsupportedError`` with the reason if the viewer should know: once per second finger, not per move.
        """
        match message:
            case Touch():
                return self._admit_touch(message, now_us)
            case Key():
                if message.metastate & _MODIFIERS and message.action == KeyAction.DOWN:
                    raise UnsupportedError(
                        "shortcuts with Ctrl, Alt or Meta need scrcpy; the device's shell cannot send them"
                    )
            case Text():
                _check_text(message.text)
            case Scroll() | Command():
                if isinstance(message, Command) and message.command == CommandCode.SCREEN_OFF:
                    raise UnsupportedError(
                        "switching the screen off would stop the capture; only scrcpy can do one without the other"
                    )
            case Clipboard():
                raise UnsupportedError("the device's shell has no access to the clipboard; send it as text instead")
            case _:
                raise UnsupportedError(f"{type(message).__name__.lower()} is nothing for a device")
        return None

    def translate(self, message: Message, mapping: PictureMapping | None, now_us: int) -> Translation:
        """The lines for a message that was admitted.

        ``mapping`` is that of the picture now, None before the first picture. A touch on a picture of the other
        orientation cancels the gesture. ``now_us`` is any monotonic clock. ``rotate`` is not among the lines: see
        ``rotate_lines``.
        """
        match message:
            case Touch():
                return self._touch(message, mapping, now_us)
            case Key():
                if message.action == KeyAction.UP:
                    return Translation()
                return Translation((f"input keyevent {message.keycode}",))
            case Text():
                return Translation(tuple(text_lines(message.text)))
            case Scroll():
                if mapping is None or not mapping.matches(message.width, message.height):
                    return Translation(dropped=DropCause.GESTURE_CANCELLED)
                return Translation(self._scroll(message, mapping))
            case Command(CommandCode.NOTIFICATIONS):
                return Translation(("cmd statusbar expand-notifications",))
            case Command(command) if command in _COMMAND_KEYS:
                return Translation((f"input keyevent {_COMMAND_KEYS[command]:d}",))
            case _:
                return Translation(dropped=DropCause.UNSUPPORTED)

    def release(self) -> tuple[str, ...]:
        """Lines that end the gesture now, if a finger is down: nobody is there any more to lift it."""
        finger, self._finger = self._finger, None
        if finger is None or self._sdk < MOTION_EVENT_SDK:
            return ()
        return (self._cancel_line(finger.last),)

    # ------------------------------------------------------------------------------------ touch

    def _admit_touch(self, touch: Touch, now_us: int) -> DropCause | None:
        if touch.action == TouchAction.DOWN:
            stale = now_us - self._first_us > STALE_FINGER_US
            if self._first not in (None, touch.pointer) and not stale:
                raise UnsupportedError("a second finger needs scrcpy; the device's shell knows one only")
            self._first = touch.pointer
        elif self._first not in (None, touch.pointer):
            return DropCause.UNSUPPORTED
        self._first_us = now_us
        if touch.action in (TouchAction.UP, TouchAction.CANCEL):
            self._first = None
        return None

    def _touch(self, touch: Touch, mapping: PictureMapping | None, now_us: int) -> Translation:
        if mapping is None or not mapping.matches(touch.width, touch.height):
            return Translation(self.release(), DropCause.GESTURE_CANCELLED)
        place = mapping.to_display(touch.x, touch.y)
        lost: tuple[str, ...] = ()
        if touch.action == TouchAction.DOWN:
            lost = self.release()  # the end of the gesture before never came
            self._finger = _Finger(touch.pointer, place, now_us, place)
        elif self._finger is None or self._finger.pointer != touch.pointer:
            return Translation(dropped=DropCause.GESTURE_CANCELLED)
        if touch.action == TouchAction.CANCEL:
            return Translation(self.release())
        finger = self._finger
        finger.last = place
        if touch.action == TouchAction.UP:
            self._finger = None
        if self._sdk >= MOTION_EVENT_SDK:
            return Translation((*lost, f"input motionevent {_MOTION_NAMES[touch.action]} {place[0]} {place[1]}"))
        if touch.action != TouchAction.UP:
            return Translation()
        return Translation((_whole_gesture(finger, now_us),))

    def _cancel_line(self, place: tuple[int, int]) -> str:
        # Android 11 has no CANCEL: lifting the finger where it is ends the gesture, though it may count as a tap.
        action = "CANCEL" if self._sdk >= MOTION_CANCEL_SDK else "UP"
        return f"input motionevent {action} {place[0]} {place[1]}"

    # ------------------------------------------------------------------------------------ scroll

    def _scroll(self, scroll: Scroll, mapping: PictureMapping) -> tuple[str, ...]:
        if not scroll.h and not scroll.v:
            return ()
        x, y = mapping.to_display(scroll.x, scroll.y)
        if self._sdk >= SCROLL_SDK:
            axes = [
                f" --axis {name},{value / NOTCH:g}"
                for name, value in (("HSCROLL", scroll.h), ("VSCROLL", scroll.v))
                if value
            ]
            return (f"input touchscreen scroll {x} {y}{''.join(axes)}",)
        width, height = mapping.display
        step = min(width, height) / NOTCHES_PER_SIDE / NOTCH
        # The finger drags the picture: down to show what is further up, left to show what is further right.
        end_x = min(max(round(x - scroll.h * step), 0), width - 1)
        end_y = min(max(round(y + scroll.v * step), 0), height - 1)
        return (f"input swipe {x} {y} {end_x} {end_y} {SCROLL_SWIPE_MS}",)


def rotate_lines(current_degrees: int) -> tuple[str, ...]:
    """Lines that turn the display from its rotation now to the other orientation: upright to sideways and back."""
    quarter_turns = 1 if current_degrees % 180 == 0 else 0
    return (
        "settings put system accelerometer_rotation 0",
        f"settings put system user_rotation {quarter_turns}",
    )


def text_lines(text: str) -> list[str]:
    """Lines that type a text: each an ``input text`` with one quoted argument, or a key for a new line or tab.

    Raises ``UnsupportedError`` as ``ShellDialect.admit`` does.
    """
    _check_text(text)
    lines: list[str] = []
    for part in _TEXT_PARTS.findall(text.replace("\r\n", "\n").replace("\r", "\n")):
        if part in _TEXT_KEYS:
            lines.append(f"input keyevent {_TEXT_KEYS[part]:d}")
        else:
            lines += [f"input text {shlex.quote(argument)}" for argument in _arguments(part)]
    return lines


def _arguments(text: str) -> list[str]:
    """The text in pieces, with ``%s`` for each space, as ``input text`` wants it.

    A ``%s`` that is meant as such is cut between its two characters: ``input`` has no way to write it.
    """
    arguments = [""]
    for before, letter in zip(" " + text, text, strict=False):
        if (before == "%" and letter == "s") or len(arguments[-1]) >= TEXT_CHUNK:
            arguments.append("")
        arguments[-1] += "%s" if letter == " " else letter
    return [argument for argument in arguments if argument]


def _check_text(text: str) -> None:
    for letter in text:
        if not letter.isascii():
            raise UnsupportedError(
                f"the device's shell types ASCII only, and {letter!r} is not in it; that needs scrcpy"
            )
        if not letter.isprintable() and letter not in "\r\n\t":
            raise UnsupportedError(f"the control character {letter!r} cannot be typed")


def _whole_gesture(finger: _Finger, now_us: int) -> str:
    (x, y), (end_x, end_y) = finger.start, finger.last
    held_ms = (now_us - finger.start_us) // 1000
    if math.hypot(end_x - x, end_y - y) <= TAP_PX:
        if held_ms < LONG_PRESS_MS:
            return f"input tap {x} {y}"
        end_x, end_y = x, y
    return f"input swipe {x} {y} {end_x} {end_y} {min(max(held_ms, SWIPE_MS[0]), SWIPE_MS[1])}"
