"""A gate that keeps frames to a rate, in virtual time."""

import numpy as np
import pytest

from mediacore.capture.rate_gate import RateGate, rows_of_both
from mediacore.media import Frame


def frame(number: int, dirty_rows: tuple[int, int] | None = None) -> Frame:
    block = np.full(24, number % 256, np.uint8)
    return Frame.of_block(block, (4, 4), 4, matrix="bt709", pts_us=number, dirty_rows=dirty_rows)


@pytest.mark.parametrize(
    ("before", "after", "both"),
    [
        ((0, 4), (8, 10), (0, 10)),
        ((4, 20), (8, 10), (4, 20)),
        ((0, 0), (8, 10), (8, 10)),
        ((8, 10), (0, 0), (8, 10)),
        ((0, 0), (0, 0), (0, 0)),
        (None, (8, 10), None),
        ((8, 10), None, None),
    ],
)
def test_rows_of_two_changes(
    before: tuple[int, int] | None, after: tuple[int, int] | None, both: tuple[int, int] | None
) -> None:
    assert rows_of_both(before, after) == both


def test_frames_that_come_at_their_rate_pass_at_once() -> None:
    gate = RateGate(10)
    for number in range(20):
        now_us = number * 100_000 + number % 3 * 5_000
        given = gate.offer(frame(number), now_us) or gate.take(number * 100_000 + 20_000)
        assert given is not None
        assert given.pts_us == number
    assert gate.skipped == 0


def test_of_too_many_frames_the_newest_passes_when_it_is_time() -> None:
    gate = RateGate(10)
    passed = []
    for at_ms in range(0, 1000, 10):
        given = gate.offer(frame(at_ms, (at_ms, at_ms + 2)), at_ms * 1000)
        if given is not None:
            passed.append((given.pts_us, given.dirty_rows))
    assert [pts for pts, _ in passed] == list(range(0, 1000, 100))
    assert passed[1][1] == (10, 102), "the rows of those that were skipped are its own now"
    assert gate.skipped == 100 - 10 - 1


def test_the_last_frame_of_a_movement_is_not_lost() -> None:
    gate = RateGate(10)
    assert gate.offer(frame(1), 0) is not None
    assert gate.offer(frame(2), 10_000) is None
    assert gate.due_us() == 100_000
    assert gate.take(99_999) is None
    last = gate.take(100_000)
    assert last is not None
    assert last.pts_us == 2
    assert gate.due_us() == float("inf")
    assert gate.take(1_000_000) is None


def test_nothing_passes_while_nobody_takes_frames() -> None:
    gate = RateGate(10)
    assert gate.offer(frame(1), 0) is not None
    assert gate.offer(frame(2), 10_000) is None
    gate.set_fps(0)
    assert gate.take(10_000_000) is None
    assert gate.offer(frame(3), 20_000_000) is None
    assert gate.due_us() == float("inf")


def test_a_frame_that_does_not_wait_takes_the_place_of_the_one_that_does() -> None:
    gate = RateGate(10)
    assert gate.offer(frame(1), 0) is not None
    assert gate.offer(frame(2), 10_000) is None
    assert gate.pass_now(frame(3), 20_000).pts_us == 3
    assert gate.take(1_000_000) is None
    assert gate.skipped == 1
    assert gate.offer(frame(4), 110_000) is None
    assert gate.offer(frame(5), 120_000) is not None


def test_a_frame_that_comes_while_none_is_wanted_does_not_pass_later() -> None:
    """It waited until frames were wanted again, and then showed a screen that was gone."""
    gate = RateGate(10)
    assert gate.offer(frame(1), 0) is not None
    gate.set_fps(0)
    assert gate.offer(frame(2, (0, 2)), 10_000) is None
    gate.set_fps(10)
    assert gate.take(5_000_000) is None
    assert gate.skipped == 1
    given = gate.offer(frame(3, (2, 4)), 5_000_000)
    assert given is not None
    assert given.dirty_rows is None, "its rows tell of a frame that was forgotten"
    given = gate.offer(frame(4, (2, 4)), 5_100_000)
    assert given is not None
    assert given.dirty_rows == (2, 4)
