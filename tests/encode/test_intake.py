"""What waits for an encoder, what is passed over, and that the counts add up."""

from __future__ import annotations

from dataclasses import replace

from screen_frames import frame

from mediacore.encode.intake import Intake
from mediacore.media import DropCause, Frame, QueueStats
from mediacore.ring import FrameRing

UNCHANGED = (0, 0)


def adds_up(stats: QueueStats) -> bool:
    return stats.pushed == stats.delivered + stats.queued + sum(stats.dropped.values())


def made(*frames: Frame, capacity: int = 8) -> tuple[FrameRing[Frame], Intake]:
    ring: FrameRing[Frame] = FrameRing(capacity)
    for each in frames:
        ring.push(each)
    return ring, Intake(ring)


def test_only_the_newest_is_taken_and_the_others_have_their_cause() -> None:
    for hold, cause in (("rate", DropCause.RATE), ("network", DropCause.NETWORK_BUSY), (None, DropCause.OVERFLOW)):
        newest = frame(pts_us=3)
        _, intake = made(frame(pts_us=1), frame(pts_us=2), newest)
        intake.collect(hold)
        assert intake.take() is newest
        assert not intake.waiting
        assert intake.stats() == QueueStats(3, 0, 1, {cause: 2})
        intake.encoded()
        assert intake.stats() == QueueStats(3, 1, 0, {cause: 2})


def test_an_unchanged_frame_is_passed_over() -> None:
    ring, intake = made(frame())
    intake.collect(None)
    intake.take()
    intake.encoded()
    ring.push(replace(frame(), dirty_rows=UNCHANGED))
    intake.collect(None)
    assert not intake.waiting
    assert intake.stats() == QueueStats(2, 1, 0, {DropCause.UNCHANGED: 1})


def test_unchanged_since_a_frame_that_was_never_encoded_is_a_change() -> None:
    """The ring dropped the change, and then a frame came like it."""
    ring, intake = made(frame(), capacity=1)
    intake.collect(None)
    intake.take()
    intake.encoded()
    ring.push(frame(pts_us=1))
    like_it = replace(frame(pts_us=2), dirty_rows=UNCHANGED)
    ring.push(like_it)
    intake.collect(None)
    assert intake.take() is like_it
    assert adds_up(intake.stats())


def test_the_first_frame_and_another_size_are_changes() -> None:
    ring, intake = made(replace(frame(), dirty_rows=UNCHANGED))
    intake.collect(None)
    assert intake.waiting
    intake.take()
    intake.encoded()
    ring.push(replace(frame((32, 16)), dirty_rows=UNCHANGED))
    intake.collect(None)
    assert intake.waiting


def test_what_is_lost_and_what_is_left_at_the_end() -> None:
    ring, intake = made(frame())
    intake.collect(None)
    intake.take()
    intake.lost(DropCause.ENCODER_FAILED)
    for _ in range(2):
        ring.push(frame())
        intake.collect(None)
    intake.take()
    ring.push(frame())
    intake.collect(None)
    ring.push(frame())
    intake.close()
    stats = intake.stats()
    assert stats.dropped == {DropCause.ENCODER_FAILED: 1, DropCause.OVERFLOW: 1, DropCause.CLOSED: 3}
    assert adds_up(stats)
    assert stats.queued == 0
