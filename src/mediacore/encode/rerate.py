"""When an encoder that cannot follow a new rate is opened again, which costs a key frame. Sans-IO."""

from __future__ import annotations

DOWN, UP = 0.85, 1.25
"""Less than this share of the rate it is open for, or more: it is worth a key frame."""
DOWN_AFTER_US = 1_000_000
"""Least time between two openings, downwards: a full network cannot wait long."""
UP_AFTER_US = 4_000_000
"""The same, upwards: there is time to see whether it lasts."""


class Reopening:
    """Asked before each frame whether the encoder is to be replaced for the sake of its rate."""

    def __init__(self, opened_bps: int, now_us: int) -> None:
        self._bps, self._at_us = opened_bps, now_us

    def is_due(self, wanted_bps: int, now_us: int, *, key: bool) -> bool:
        """``key``: the next frame is a key frame anyway, so that it costs nothing."""
        if wanted_bps == self._bps:
            return False
        if key:
            return True
        share, open_us = wanted_bps / self._bps, now_us - self._at_us
        return (share < DOWN and open_us >= DOWN_AFTER_US) or (share > UP and open_us >= UP_AFTER_US)
