"""The source ``publish``, for a program that pushes pictures: its packets are made here.

Policy: a picture is taken as it comes; the last one is kept, for who comes late. A time that is not of the monotonic
clock, as 0, is replaced by now.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mediacore.capture.source import SourceStats
from mediacore.errors import UnsupportedError
from mediacore.media import Applied, Frame, Target, Unsupported
from mediacore.media_loop import monotonic_us

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.errors import MediacoreError

NEAR_US = 10_000_000
"""A picture's time that is further from now than this is of another clock."""


class FramePublication:
    """Published pictures, from ``open`` to ``close``; all on the asyncio loop.

    Args:
        name: what it is called in errors.
    """

    kind = "publish"
    rotation = 0
    control = None

    def __init__(self, name: str) -> None:
        self._name = name
        self._push: Callable[[Frame], None] | None = None
        self._on_end: Callable[[MediacoreError | None], None] | None = None
        self._last: Frame | None = None

    async def open(
        self, push: Callable[[Frame], None], on_end: Callable[[MediacoreError | None], None], *, fps: float
    ) -> None:
        """Take pictures from now on; how many is the publisher's business."""
        del fps
        self._push, self._on_end = push, on_end

    def push(self, frame: Frame) -> None:
        """A picture in limited range and BT.709. Raises ``UnsupportedError`` after the end."""
        if self._push is None:
            raise UnsupportedError(f"{self._name} is not published any more")
        now_us = monotonic_us()
        if abs(frame.pts_us - now_us) > NEAR_US:
            frame = dataclasses.replace(frame, pts_us=now_us)
        if self._last is not None and frame.pts_us <= self._last.pts_us:
            frame = dataclasses.replace(frame, pts_us=self._last.pts_us + 1)
        self._last = frame
        self._push(frame)

    def set_fps(self, fps: float) -> None:
        """The publisher pushes as it likes."""

    def repeat(self) -> None:
        """The last picture once more."""
        if self._push is not None and self._last is not None:
            self.push(dataclasses.replace(self._last, pts_us=monotonic_us(), dirty_rows=None))

    async def set_target(self, target: Target) -> Applied | Unsupported:
        """What is pushed is encoded as the target has it."""
        return Applied(target)

    async def close(self) -> None:
        """Take nothing more; those who watch are told."""
        self._push = self._last = None
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(None)

    def stats(self) -> SourceStats:
        """There is nothing to count."""
        return SourceStats()
