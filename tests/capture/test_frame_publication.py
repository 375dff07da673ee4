"""Pictures that a program pushes: their times, and those who come late."""

import numpy as np
import pytest

from mediacore.capture.frame_publication import FramePublication
from mediacore.errors import MediacoreError, UnsupportedError
from mediacore.media import Applied, Frame, Target
from mediacore.media_loop import monotonic_us


def picture(pts_us: int) -> Frame:
    return Frame.of_block(np.zeros(96, np.uint8).data, (8, 8), 8, matrix="bt709", pts_us=pts_us, dirty_rows=(0, 0))


async def test_times_are_those_of_the_clock_and_grow() -> None:
    frames: list[Frame] = []
    ends: list[MediacoreError | None] = []
    source = FramePublication("publish:x")
    await source.open(frames.append, ends.append, fps=30)
    now_us = monotonic_us()
    for pts_us in (0, 0, now_us + 1_000_000, now_us + 1_000_000, now_us, -5):
        source.push(picture(pts_us))
    times_us = [frame.pts_us for frame in frames]
    assert now_us <= times_us[0] < now_us + 1_000_000
    assert times_us[2:5] == [now_us + 1_000_000 + n for n in range(3)]
    assert times_us == sorted(set(times_us))
    source.repeat()
    assert len(frames) == 7
    assert frames[-1].pts_us > frames[-2].pts_us
    assert frames[-1].dirty_rows is None, "it is new for who has not seen it"
    assert await source.set_target(Target(fps=3)) == Applied(Target(fps=3))
    await source.close()
    await source.close()
    assert ends == [None]
    source.repeat()
    with pytest.raises(UnsupportedError, match="not published any more"):
        source.push(picture(0))
    assert len(frames) == 7
