"""When a call is overdue, in virtual time."""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING

import pytest

from mediacore.encode.watchdog import Call, watch

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE_US = 300_000


class Machine:
    """A thread that watches one call, on a clock of its own; ``late_us``: how late each of its pauses ends."""

    def __init__(self, late_us: Iterator[int]) -> None:
        self.now_us = 0
        self.call = Call()
        self.given_up_us: int | None = None
        self._late_us = late_us

    def run(self) -> None:
        watch(self._look, DEADLINE_US, self._wait, lambda: self.now_us)

    def _wait(self, pause_s: float) -> bool:
        self.now_us += round(pause_s * 1e6) + next(self._late_us)
        return self.given_up_us is not None

    def _look(self, now_us: int, late_us: int) -> int | None:
        left_us = self.call.left_us(now_us, late_us)
        assert left_us is not None
        if left_us <= 0:
            self.given_up_us = now_us
            return None
        return left_us


@pytest.mark.parametrize(
    ("late_us", "given_up_after_us"),
    [
        (repeat(0), 300_000),
        (chain([1_000_000], repeat(0)), 1_300_000),  # the machine slept
        (repeat(50_000), 500_000),  # it is busy
    ],
)
def test_what_is_late_is_not_stuck(late_us: Iterator[int], given_up_after_us: int) -> None:
    """On a machine without a processor to spare, encoders that were well were given up."""
    machine = Machine(late_us)
    machine.call.begin(200_000, DEADLINE_US)  # in the middle of a pause
    machine.run()
    assert machine.given_up_us == 200_000 + given_up_after_us


def test_only_what_was_late_during_the_call_counts() -> None:
    call = Call()
    assert call.left_us(5, 1000) is None
    call.begin(1000, 300)
    assert call.left_us(1100, 900) == 300
    assert call.left_us(990, 50) == 410, "it began while who asks waited for the lock"
    call.end()
    assert call.left_us(1200, 0) is None
