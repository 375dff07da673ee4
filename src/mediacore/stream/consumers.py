"""Those who take packets or frames of one stream in this process.

Policy: each owns its tap; one that is dropped without being closed ends by itself. When the stream ends all are told,
also those who come afterwards. Thread rule: one asyncio loop.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, TypeVar

from mediacore.stream.frame_tap import FrameTap
from mediacore.stream.packet_tap import PacketTap

if TYPE_CHECKING:
    from mediacore.errors import MediacoreError
    from mediacore.media_loop import MediaLoop
    from mediacore.stream.frame_fan import FrameFan
    from mediacore.stream.rendition import Rendition
    from mediacore.stream.renditions import Renditions

T = TypeVar("T", PacketTap, FrameTap)


class Consumers:
    """Made when the stream is opened.

    Args:
        loop: the media loop.
        renditions: whose packets there are.
        fan: where frames come from.
    """

    def __init__(self, loop: MediaLoop, renditions: Renditions, fan: FrameFan) -> None:
        self._loop = loop
        self._renditions = renditions
        self._fan = fan
        self._taps: weakref.WeakSet[PacketTap | FrameTap] = weakref.WeakSet()
        self._ended = False
        self._error: MediacoreError | None = None

    def packets(self, capacity: int, *, replay: bool) -> PacketTap:
        """Of the video as it comes, which is held meanwhile. Raises ``LimitError`` if its encoder is one too many."""
        renditions = self._renditions
        id, codec = self._id(renditions.video), renditions.video.codec
        if self._ended or not id:
            return self._tap(PacketTap(self._loop, id, codec, capacity=capacity, replay=replay))
        renditions.hold_video()
        try:
            tap = PacketTap(self._loop, id, codec, capacity=capacity, replay=replay, on_closed=renditions.release_video)
        except BaseException:
            renditions.release_video()
            raise
        return self._tap(tap)

    def sound(self, capacity: int) -> PacketTap:
        """Packets of sound."""
        audio = self._renditions.audio
        rendition = self._id(audio) if audio is not None else 0
        return self._tap(PacketTap(self._loop, rendition, "opus", capacity=capacity, replay=False))

    def frames(self, size: tuple[int, int] | None, capacity: int, *, fps: float) -> FrameTap:
        """Frames, at most so many per second."""
        gone = self._ended or not self._id(self._renditions.video)
        return self._tap(FrameTap(None if gone else self._fan, size=size, capacity=capacity, fps=fps))

    def end(self, error: MediacoreError | None) -> None:
        """The stream has ended."""
        self._ended = True
        self._error = error
        for tap in list(self._taps):
            tap.end(error)

    def end_packets(self, error: MediacoreError) -> None:
        """The packets of the video have ended, and nothing else."""
        for tap in list(self._taps):
            if isinstance(tap, PacketTap) and tap.rendition == self._renditions.video.id:
                tap.end(error)

    def _id(self, rendition: Rendition) -> int:
        return rendition.id if self._loop.running else 0

    def _tap(self, tap: T) -> T:
        self._taps.add(tap)
        if self._ended:
            tap.end(self._error)
        return tap
