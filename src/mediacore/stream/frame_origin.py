"""Where the pictures of a stream come from if they are captured raw: all its packets are encoded here.

Policy: the device is left in peace while nobody takes frames. The first picture is always taken: it tells what the
stream is, and that the source works. Thread rule: frames come in the source's thread, the rest is one asyncio loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from mediacore.media import Applied, StreamDescription, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.capture.frame_source import FrameSource
    from mediacore.capture.source import Control, SourceStats
    from mediacore.errors import MediacoreError
    from mediacore.media import Frame, Unsupported
    from mediacore.stream.encoded import EncodedRendition
    from mediacore.stream.frame_fan import FrameFan

ROTATION_FOLLOWS_S = (0.5, 2.0)
"""A turned picture may come before the source has found out how the display is turned, and be the last one for long."""


class FrameOrigin:
    """From ``open`` to ``close``.

    Args:
        source: gives the pictures.
        fan: where they go.
        primary: the stream's first rendition, encoded here while it is taken.
        fps: frames per second that the first picture is asked for with.
        on_described: called with each description that differs from the one before.
    """

    def __init__(
        self,
        source: FrameSource,
        fan: FrameFan,
        primary: EncodedRendition,
        *,
        fps: float,
        on_described: Callable[[StreamDescription], None],
    ) -> None:
        self._source = source
        self._fan = fan
        self._primary = primary
        self._fps = fps
        self._on_described = on_described
        self._loop = asyncio.get_running_loop()
        self._seen: tuple[tuple[int, int], int] | None = None  # size and rotation; belongs to the source's thread
        self._description: StreamDescription | None = None
        self._looks: list[asyncio.TimerHandle] = []
        self._open = False
        self._closed = False

    @property
    def kind(self) -> str:
        """Of the source."""
        return self._source.kind

    @property
    def control(self) -> Control | None:
        """The way back to the device, if there is one."""
        return self._source.control

    @property
    def has_given(self) -> bool:
        """True once there was a picture."""
        return self._description is not None

    @property
    def own_taps(self) -> int:
        """Consumers of the video that are our own."""
        return 0

    async def open(self, on_end: Callable[[MediacoreError | None], None]) -> None:
        """Start. Raises a ``DeviceError`` or ``AdbError``."""
        await self._source.open(self._push, on_end, fps=self._fan.fps or self._fps)
        self._open = True
        if self._fan.fps:
            self.demand(self._fan.fps)

    async def close(self) -> None:
        """Stop it."""
        self._open = False
        self._closed = True
        for look in self._looks:
            look.cancel()
        await self._source.close()

    def demand(self, fps: float) -> None:
        """So many frames per second are wanted now."""
        if not self._open or (not fps and not self.has_given):
            return
        resumed = fps > 0 and self._fan.newest is None
        self._source.set_fps(fps)
        if resumed:
            self._source.repeat()

    async def request_key_frame(self) -> bool:
        """The encoder gives one."""
        return await self._primary.request_key_frame()

    async def set_target(self, target: Target) -> Applied | Unsupported:
        """The size is the source's, if it can scale; bits and rate are the encoders', which have been told."""
        if target.size is not None:
            return await self._source.set_target(Target(size=target.size))
        return Applied(target)

    def described(self, width: int, height: int, profile_level_id: str, epoch: int) -> None:
        """What the packets of the video are from now on; the size that counts is that of the pictures."""
        del width, height
        if self._description is not None:
            self._describe(self._description.size, self._description.rotation, profile_level_id, epoch)

    def stats(self) -> SourceStats:
        """Of the source."""
        return self._source.stats()

    def _push(self, frame: Frame) -> None:
        seen = (frame.size, self._source.rotation)
        if seen != self._seen:
            self._seen = seen
            with contextlib.suppress(RuntimeError):  # the asyncio loop is closed
                self._loop.call_soon_threadsafe(self._first_of_its_kind, *seen)
        self._fan.push(frame)

    def _first_of_its_kind(self, size: tuple[int, int], rotation: int) -> None:
        if self._closed:
            return
        known = self._description
        profile, epoch = (known.profile_level_id, known.epoch) if known is not None else ("", 0)
        self._describe(size, rotation, profile, epoch)
        for wait_s in ROTATION_FOLLOWS_S:
            self._looks.append(self._loop.call_later(wait_s, self._look_at_rotation))
        if known is None and self._open and not self._fan.fps:
            self._source.set_fps(0)

    def _look_at_rotation(self) -> None:
        self._looks = [look for look in self._looks if look.when() > self._loop.time()]
        known = self._description
        if known is not None:
            self._describe(known.size, self._source.rotation, known.profile_level_id, known.epoch)

    def _describe(self, size: tuple[int, int], rotation: int, profile: str, epoch: int) -> None:
        codec = self._primary.rendition.codec
        description = StreamDescription(codec, *size, profile, rotation, epoch)
        if description != self._description:
            self._description = description
            self._on_described(description)
