"""Where frames leave a source."""

import numpy as np

from mediacore.capture.frame_outlet import STALE_US, FrameOutlet
from mediacore.media import DropCause, Frame


def frame(number: int, *, pts_us: int, dirty_rows: tuple[int, int] | None = None, height: int = 4) -> Frame:
    block = np.full(6 * height, number, np.uint8)
    return Frame.of_block(block, (4, height), 4, matrix="bt709", pts_us=pts_us, dirty_rows=dirty_rows)


def test_frames_that_show_nothing_new_are_counted_only() -> None:
    pushed: list[Frame] = []
    outlet = FrameOutlet()
    outlet.open(pushed.append)
    assert outlet.size is None
    assert outlet.put(frame(1, pts_us=1, dirty_rows=(0, 0))), "the first one is news in any case"
    assert not outlet.put(frame(1, pts_us=2, dirty_rows=(0, 0)))
    assert not outlet.put(frame(1, pts_us=3)), "it is compared if nobody has done so"
    assert outlet.put(frame(2, pts_us=4))
    assert outlet.put(frame(2, pts_us=5, dirty_rows=(0, 2)))
    assert outlet.put(frame(2, pts_us=6, height=8))
    assert [(shown.pts_us, int(shown.y[0, 0])) for shown in pushed] == [(1, 1), (4, 2), (5, 2), (6, 2)]
    assert outlet.size == (4, 8)
    assert outlet.drops() == {DropCause.UNCHANGED: 2}


def test_the_newest_frame_is_pushed_again_for_who_has_not_seen_it() -> None:
    pushed: list[Frame] = []
    outlet = FrameOutlet()
    outlet.open(pushed.append)
    assert not outlet.put_again(5)
    outlet.put(frame(1, pts_us=10))
    assert outlet.put_again(20)
    assert outlet.put_again(15)
    outlet.put(frame(2, pts_us=12, dirty_rows=(2, 4)))
    assert [shown.pts_us for shown in pushed] == [10, 20, 21, 22], "times grow, whatever came when"
    assert [shown.dirty_rows for shown in pushed] == [None, None, None, (2, 4)]


def test_nothing_is_pushed_after_the_end() -> None:
    pushed: list[Frame] = []
    outlet = FrameOutlet()
    outlet.open(pushed.append)
    outlet.put(frame(1, pts_us=1))
    outlet.close()
    outlet.put(frame(2, pts_us=2))
    outlet.put_again(3)
    assert len(pushed) == 1
    outlet.drop(DropCause.CORRUPT)
    assert outlet.drops() == {DropCause.CORRUPT: 1}


def test_the_newest_frame_outlives_a_short_pause_only() -> None:
    """After hours without a viewer, the picture from before them was pushed as that of now."""
    pushed: list[Frame] = []
    outlet = FrameOutlet()
    outlet.open(pushed.append)
    outlet.put(frame(1, pts_us=1))
    outlet.pause(10)
    outlet.resume(10 + STALE_US)
    assert outlet.put_again(10 + STALE_US)
    outlet.pause(1_000_000)
    outlet.pause(1_000_001 + STALE_US)  # the pause is the same one
    assert not outlet.put_again(1_000_002 + STALE_US)
    outlet.resume(1_000_003 + STALE_US)
    assert not outlet.put_again(1_000_003 + STALE_US)
    assert [shown.pts_us for shown in pushed] == [1, 10 + STALE_US]


def test_after_a_pause_a_frame_is_pushed_though_nothing_has_changed() -> None:
    pushed: list[Frame] = []
    outlet = FrameOutlet()
    outlet.open(pushed.append)
    outlet.put(frame(1, pts_us=100))
    outlet.pause(0)
    outlet.resume(STALE_US + 1)
    assert outlet.size == (4, 4), "input goes on meaning the same place"
    assert outlet.put(frame(1, pts_us=50, dirty_rows=(0, 0)))
    assert not outlet.put(frame(1, pts_us=60))
    assert [(shown.pts_us, shown.dirty_rows) for shown in pushed] == [(100, None), (101, None)]
