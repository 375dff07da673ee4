"""When frames are encoded, in virtual time."""

from __future__ import annotations

from itertools import pairwise

import pytest

from mediacore.encode.cadence import (
    BUSY_AGAIN_US,
    BUSY_US,
    KEEP_ALIVE_US,
    KEY_AGAIN_US,
    KEY_PATIENCE_US,
    REFINE_AFTER_US,
    Cadence,
    Later,
    Now,
)

SECOND = 1_000_000


class Screen:
    """Drives a cadence: frames arrive at given times, and each is encoded in no time."""

    def __init__(self, fps: float = 30.0) -> None:
        self.cadence, self.now_us, self.queue_us = Cadence(fps), 5 * SECOND, 0
        self.waiting = False
        self.done: list[tuple[int, str, bool]] = []
        self.holds: list[str | None] = []

    def run(self, until_us: int, arrivals: list[int] = []) -> None:  # noqa: B006 - read only
        """Arrivals are absolute times."""
        arrivals = sorted(arrivals)
        while True:
            while arrivals and arrivals[0] <= self.now_us:
                self.waiting = True
                arrivals.pop(0)
            what = self.cadence.next(self.now_us, waiting=self.waiting, again=bool(self.done), queue_us=self.queue_us)
            if isinstance(what, Now):
                self.waiting = self.waiting and what.why != "fresh"
                self.cadence.encoded(self.now_us, what.why, key=what.key)
                self.done.append((self.now_us, what.why, what.key))
                continue
            self.holds.append(what.hold)
            ahead = [at for at in (what.until_us, *arrivals[:1]) if at is not None]
            if not ahead or min(ahead) > until_us:
                self.now_us = until_us
                return
            assert min(ahead) > self.now_us, "it must not spin"
            self.now_us = min(ahead)


def test_nothing_before_the_first_frame() -> None:
    screen = Screen()
    screen.cadence.want_key(screen.now_us)
    screen.run(screen.now_us + 5 * SECOND)
    assert screen.done == []


def test_a_screen_that_stops_is_refined_and_then_kept_alive() -> None:
    screen = Screen()
    start = screen.now_us
    screen.run(start + 4 * SECOND, [start])
    assert [(at - start, why) for at, why, _ in screen.done] == [
        (0, "fresh"),
        (REFINE_AFTER_US, "refine"),
        (REFINE_AFTER_US + KEEP_ALIVE_US, "keep-alive"),
        (REFINE_AFTER_US + 2 * KEEP_ALIVE_US, "keep-alive"),
        (REFINE_AFTER_US + 3 * KEEP_ALIVE_US, "keep-alive"),
    ]


@pytest.mark.parametrize("after_us", [1, 1000, REFINE_AFTER_US + 1, KEEP_ALIVE_US + 1])
def test_a_change_after_a_pause_is_encoded_at_once(after_us: int) -> None:
    screen = Screen()
    start = screen.now_us
    screen.run(start + 3 * SECOND + after_us, [start])
    change = screen.now_us
    screen.run(change, [change])
    assert screen.done[-1] == (change, "fresh", False)


def test_the_frame_rate_is_kept_and_jitter_costs_no_frame() -> None:
    screen = Screen(30)
    start = screen.now_us
    jitter = [0, 9000, -7000, 4000, -12000, 11000]
    screen.run(start + 2 * SECOND, [start + round(i * SECOND / 30) + jitter[i % 6] for i in range(60)])
    fresh = [at for at, why, _ in screen.done if why == "fresh"]
    assert len(fresh) == 60
    quick = Screen(30)
    quick.run(start + 2 * SECOND, [start + round(i * SECOND / 60) for i in range(120)])
    assert 58 <= len([why for _, why, _ in quick.done if why == "fresh"]) <= 62
    assert "rate" in quick.holds


def test_another_rate_holds_at_once() -> None:
    screen = Screen(30)
    screen.cadence.fps = 10
    start = screen.now_us
    screen.run(start + 3 * SECOND, [start + round(i * SECOND / 30) for i in range(90)])
    assert 29 <= len([why for _, why, _ in screen.done if why == "fresh"]) <= 32


def test_a_key_frame_of_a_static_screen_comes_at_once_and_is_refined() -> None:
    screen = Screen()
    start = screen.now_us
    screen.run(start + 3 * SECOND, [start])
    screen.cadence.want_key(screen.now_us)
    wished = screen.now_us
    screen.run(wished + SECOND // 2)
    assert screen.done[-2:] == [(wished, "key", True), (wished + REFINE_AFTER_US, "refine", False)]


def test_a_wish_for_a_key_frame_does_not_wait_for_the_frame_rate() -> None:
    screen = Screen(1)
    start = screen.now_us
    screen.run(start + 1000, [start])
    screen.cadence.want_key(screen.now_us)
    screen.run(start + 2000, [start + 1500])
    assert screen.done == [(start, "fresh", False), (start + 1000, "key", True)]


def test_wishes_without_end() -> None:
    screen = Screen()
    start = screen.now_us
    screen.run(start, [start])
    for millisecond in range(1000):
        screen.cadence.want_key(screen.now_us)
        screen.run(start + millisecond * 1000, [start + millisecond * 1000])
    keys = [at for at, _, key in screen.done if key]
    assert len(keys) == 10
    assert min(b - a for a, b in pairwise(keys)) >= KEY_AGAIN_US
    assert screen.done[-1][0] - start >= SECOND - KEY_AGAIN_US


def test_a_full_network_holds_frames_and_a_key_frame_for_a_while() -> None:
    screen = Screen()
    start = screen.now_us
    screen.queue_us = BUSY_US + 1
    screen.run(start + SECOND, [start])
    assert screen.done == []
    assert set(screen.holds) == {"network"}
    screen.cadence.want_key(screen.now_us)
    wished = screen.now_us
    screen.run(wished + SECOND)
    ((at, why, key),) = screen.done
    assert (why, key) == ("fresh", True)
    assert KEY_PATIENCE_US <= at - wished <= KEY_PATIENCE_US + BUSY_AGAIN_US
    screen.queue_us = 0
    screen.run(screen.now_us + 2 * SECOND)
    assert [why for _, why, _ in screen.done[1:3]] == ["refine", "keep-alive"]


def test_a_full_network_gets_no_refinement() -> None:
    cadence = Cadence(30)
    cadence.encoded(0, "fresh", key=True)
    assert cadence.next(SECOND, waiting=False, again=True, queue_us=BUSY_US + 1) == Later(SECOND + BUSY_AGAIN_US)


def test_a_frame_at_which_the_encoder_failed_is_encoded_again() -> None:
    cadence = Cadence(30)
    assert cadence.next(0, waiting=False, again=True, queue_us=0) == Later(None)
    cadence.want_key(0)
    assert cadence.next(0, waiting=False, again=True, queue_us=0) == Now("key", key=True)
