"""When shots are taken, in virtual time."""

import itertools

import pytest

from mediacore.capture.shot_pace import IDLE_US, QUIET_US, TRIAL_AGAIN_US, ShotPace


class Device:
    """Shots that each take their time, of a screen that changes when it is told to."""

    def __init__(self, pace: ShotPace, *, took_us: int = 10_000, trip_us: int = 0) -> None:
        self.pace = pace
        self.now_us = 0
        self.took_us = took_us
        self.trip_us = trip_us
        """What passes between a shot and the next if only one is under way."""
        self.asked: list[int] = []
        self.changing = True
        self._ready: list[int] = []

    def run(self, until_us: int) -> list[int]:
        """Takes shots until then; the times at which they were asked for."""
        before = len(self.asked)
        while True:
            due = self.pace.due_us(len(self._ready))
            came = self._ready[0] if self._ready else float("inf")
            at = min(max(due, self.now_us), came)
            if at > until_us:
                self.now_us = until_us
                return self.asked[before:]
            self.now_us = int(at)
            if came <= at:
                self._ready.pop(0)
                self.pace.came(self.now_us, changed=self.changing, took_us=self.took_us)
            else:
                begin = max(self.now_us + self.trip_us, self._ready[-1] if self._ready else 0)
                self._ready.append(begin + self.took_us)
                self.asked.append(self.now_us)
                self.pace.asked(self.now_us)


def gaps(times: list[int]) -> list[int]:
    return [after - before for before, after in itertools.pairwise(times)]


@pytest.mark.parametrize("fps", [1, 10, 30, 60])
def test_a_screen_that_changes_is_looked_at_as_often_as_wanted(fps: int) -> None:
    device = Device(ShotPace(fps))
    asked = device.run(2_000_000)
    assert len(asked) == pytest.approx(2 * fps, abs=1)
    assert max(gaps(asked)) <= 1e6 / fps + 1


def test_no_more_than_the_device_gives() -> None:
    device = Device(ShotPace(60), took_us=100_000)
    assert len(device.run(2_000_000)) in (20, 21)
    assert device.pace.depth == 1, "nothing is lost between two shots, so a second one under way gains nothing"


def test_two_are_under_way_where_that_gives_more_of_them() -> None:
    device = Device(ShotPace(60), took_us=50_000, trip_us=40_000)
    slow = len(device.run(500_000))
    device.run(3_000_000)
    assert device.pace.depth == 2
    assert len(device.run(3_500_000)) > slow * 1.5
    device.trip_us = 0
    device.run(3_500_000 + 2 * TRIAL_AGAIN_US)
    assert device.pace.depth == 1, "it is tried again, and the link is better now"


def test_two_are_never_under_way_where_the_rate_is_reached() -> None:
    device = Device(ShotPace(10), took_us=50_000, trip_us=10_000)
    device.run(10_000_000)
    assert device.pace.depth == 1


def test_a_still_screen_is_looked_at_less_and_less_and_twice_a_second_at_last() -> None:
    device = Device(ShotPace(30))
    device.changing = False
    device.pace.look(0)
    asked = device.run(10_000_000)
    early = [time for time in asked if time < QUIET_US]
    assert len(early) == pytest.approx(30, abs=2), "what an input leads to may take a second"
    late = gaps([time for time in asked if time > 5_000_000])
    assert set(late) == {IDLE_US}
    assert len(asked) < 30 + 2 * 10 + 7, "a few between the two"


def test_a_change_ends_idling_at_once() -> None:
    device = Device(ShotPace(30))
    device.changing = False
    device.run(10_000_000)
    device.changing = True
    assert len(device.run(11_000_000)) > 15
    assert max(gaps(device.run(12_000_000))) < 40_000


def test_input_is_followed_by_a_shot_at_once() -> None:
    device = Device(ShotPace(5))
    device.changing = False
    device.run(10_000_000)
    device.pace.look(device.now_us)
    assert device.run(10_010_000) == [10_000_000]


def test_input_during_a_shot_is_followed_by_another_one() -> None:
    """The one under way may have been taken before the input."""
    device = Device(ShotPace(1), took_us=300_000)
    device.run(100_000)
    device.pace.look(device.now_us)
    assert device.run(400_000) == [300_000]


def test_an_idle_device_that_is_slow_is_busy_half_of_the_time_at_most() -> None:
    device = Device(ShotPace(30), took_us=800_000)
    device.changing = False
    device.run(10_000_000)
    assert min(gaps(device.run(30_000_000))) >= 1_600_000


def test_nobody_takes_frames() -> None:
    device = Device(ShotPace(0))
    assert device.run(5_000_000) == []
    device.pace.set_fps(10)
    assert device.run(5_050_000) == [5_000_000]
    device.pace.set_fps(0)
    assert device.run(9_000_000) == []
    device.pace.look(device.now_us)
    assert device.run(9_500_000) == [], "an input alone wants no picture"


def test_another_connection_begins_with_a_shot() -> None:
    device = Device(ShotPace(1))
    device.run(100_000)
    device.pace.start_over(device.now_us)
    assert device.run(150_000) == [100_000]
