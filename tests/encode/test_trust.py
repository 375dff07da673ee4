"""What a failure costs an encoder, and what makes up for it."""

from __future__ import annotations

from mediacore.encode.trust import GOOD_FRAMES, MOST_FAILURES, Trust


def trusted() -> Trust:
    trust = Trust()
    trust.opened("a")
    return trust


def test_good_frames_make_up_for_failures_before_them() -> None:
    trust = trusted()
    for _ in range(3 * MOST_FAILURES):
        trust.failed("a")
        for _ in range(GOOD_FRAMES):
            trust.worked("a")
    assert trust.lost() == []


def test_a_few_good_frames_do_not() -> None:
    trust = trusted()
    for _ in range(MOST_FAILURES):
        assert trust.lost() == []
        trust.failed("a")
        for _ in range(GOOD_FRAMES - 1):
            trust.worked("a")
    assert trust.lost() == ["a"]


def test_what_is_lost_stays_so_however_well_others_work() -> None:
    trust = trusted()
    for _ in range(MOST_FAILURES):
        trust.failed("a")
    trust.opened("b")
    for _ in range(GOOD_FRAMES):
        trust.worked("b")
        trust.worked("a")
    assert trust.lost() == ["a"]


def test_what_was_never_open_is_lost_at_once() -> None:
    trust = trusted()
    trust.failed("b")
    assert trust.lost() == ["b"]
    assert trust.knows("a")
    assert not trust.knows("b")
