"""When a frame is encoded, and why: the frame rate, screens that stand still, and a network that is full. Sans-IO.

- A new frame is encoded at once, unless that were more often than the frame rate; frames that come a little early and
  a little late in turn all pass. After a pause it never waits.
- A screen that stopped is encoded once more after ``REFINE_AFTER_US``, with the bits that the last movement did not
  have, and then once per ``KEEP_ALIVE_US``.
- A wish for a key frame is followed at once, with the newest frame there is, but ``KEY_AGAIN_US`` after another one.
- While too much waits in the network, nothing is encoded; a key frame that is wished for waits ``KEY_PATIENCE_US`` at
  most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

REFINE_AFTER_US = 200_000
KEEP_ALIVE_US = 1_000_000
BUSY_US = 100_000
"""More than this on its way to the viewers is too much; as much again is what a viewer notices."""
BUSY_AGAIN_US = 10_000
"""How often a full network is looked at while a frame waits."""
KEY_PATIENCE_US = 500_000
KEY_AGAIN_US = 100_000
"""Whoever refuses key frames, or asks for them without end, gets no more than ten a second."""

Why: TypeAlias = Literal["fresh", "refine", "keep-alive", "key"]
Hold: TypeAlias = Literal["rate", "network"]


@dataclass(frozen=True, slots=True)
class Now:
    """Encode now."""

    why: Why
    """``fresh``: a frame that was not encoded yet. The others encode the last one again."""
    key: bool
    """As a key frame."""


@dataclass(frozen=True, slots=True)
class Later:
    """There is nothing to encode now."""

    until_us: int | None
    """When to ask again; None: when a frame or a wish comes."""
    hold: Hold | None = None
    """Why the frame that waits has to; None if none waits."""


class Cadence:
    """Asked before each frame, told after it. All times are µs of one clock, which never goes back."""

    def __init__(self, fps: float) -> None:
        self.fps = fps
        """Frames per second at most; may be changed at any time."""
        self._due_us: int | None = None
        self._key_since_us: int | None = None
        self._key_us: int | None = None
        self._encoded_us: int | None = None
        self._refined = False

    @property
    def key_wanted(self) -> bool:
        """True from a wish to the next key frame."""
        return self._key_since_us is not None

    def want_key(self, now_us: int) -> None:
        """Somebody needs a key frame."""
        if self._key_since_us is None:
            self._key_since_us = now_us

    def next(self, now_us: int, *, waiting: bool, again: bool, queue_us: int) -> Now | Later:
        """What to do now.

        ``waiting``: there is a frame that was not encoded yet. ``again``: there is one before it, which was encoded or
        at which an encoder failed. ``queue_us``: how long what was encoded waits in the network.
        """
        key = self.key_wanted
        if queue_us > BUSY_US and (waiting or key):
            patient = self._key_since_us is None or now_us - self._key_since_us < KEY_PATIENCE_US
            if patient:
                return Later(now_us + BUSY_AGAIN_US, "network" if waiting else None)
        if key and self._key_us is not None and now_us < self._key_us + KEY_AGAIN_US:
            return Later(self._key_us + KEY_AGAIN_US, "rate" if waiting else None)
        if waiting:
            # Half a period early is no new frame rate: what is due next counts from what was due, not from now.
            early_us = 0 if self._due_us is None else self._due_us - self._period_us // 2 - now_us
            if early_us > 0 and not key:
                return Later(now_us + early_us, "rate")
            return Now("fresh", key)
        if key and again:
            return Now("key", key=True)
        if self._encoded_us is None:
            return Later(None)
        at_us = self._encoded_us + (KEEP_ALIVE_US if self._refined else REFINE_AFTER_US)
        if now_us < at_us or queue_us > BUSY_US:
            return Later(max(at_us, now_us + BUSY_AGAIN_US))
        return Now("keep-alive" if self._refined else "refine", key=False)

    def encoded(self, now_us: int, why: Why, *, key: bool) -> None:
        """It was encoded; ``key`` if it became a key frame."""
        if key:
            self._key_since_us, self._key_us = None, now_us
        if why == "fresh":
            due_us = now_us if self._due_us is None else max(self._due_us, now_us - self._period_us)
            self._due_us = due_us + self._period_us
        # A key frame may be less sharp than what it replaces.
        self._refined = why in ("refine", "keep-alive")
        self._encoded_us = now_us

    @property
    def _period_us(self) -> int:
        return round(1e6 / self.fps)
