"""How long to wait before the next attempt: doubling, capped, with jitter."""

from __future__ import annotations

import random as _random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Backoff:
    """Pauses between attempts. Pure: it neither sleeps nor reads a clock, and its randomness is an argument.

    The n-th pause is between half and the whole of ``first_s * 2**n``, at most ``cap_s``; the jitter keeps many clients
    of one server from coming back in the same instant.
    """

    def __init__(
        self, first_s: float = 0.1, cap_s: float = 5.0, *, random: Callable[[], float] = _random.random
    ) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._random = random
        self._next_s = first_s

    def next_s(self) -> float:
        """The pause before the next attempt, in seconds."""
        whole_s = self._next_s
        self._next_s = min(self._cap_s, whole_s * 2)
        return whole_s * (0.5 + self._random() / 2)

    def reset(self) -> None:
        """An attempt succeeded: start again with the shortest pause."""
        self._next_s = self._first_s
