"""Times of frames that are encoded once more, in virtual time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from screen_frames import frame

from mediacore.encode.frame_times import LATE_US, NEAR_US, FrameTimes

NOW_US = 50_000_000_000


@pytest.mark.parametrize(
    ("age_us", "age_again_us"),
    [
        (40_000, 40_000),  # what comes next will be as old
        (2_000_000, LATE_US),  # it was the newest one when the encoder began
        (-20_000, 0),
        (NOW_US, NOW_US),  # a clock that began with the stream
        (-2 * NEAR_US, -2 * NEAR_US),
    ],
)
def test_a_frame_again(age_us: int, age_again_us: int) -> None:
    times, shown = FrameTimes(), frame(pts_us=NOW_US - age_us)
    assert times.fresh(shown, NOW_US) is shown
    again = times.again(shown, NOW_US + 1_000_000)
    assert again.pts_us == NOW_US + 1_000_000 - age_again_us
    assert again.y is shown.y


def test_times_grow() -> None:
    times, shown = FrameTimes(), frame(pts_us=NOW_US)
    given = [times.fresh(shown, NOW_US).pts_us]
    given += [times.again(shown, NOW_US).pts_us for _ in range(2)]
    given.append(times.fresh(replace(shown, pts_us=NOW_US - 1000), NOW_US).pts_us)
    assert given == [NOW_US, NOW_US + 1, NOW_US + 2, NOW_US + 3]


def test_a_clock_that_begins_anew_is_followed() -> None:
    times = FrameTimes()
    assert times.fresh(frame(pts_us=2 * NEAR_US), NOW_US).pts_us == 2 * NEAR_US
    assert times.fresh(frame(pts_us=7), NOW_US).pts_us == 7
