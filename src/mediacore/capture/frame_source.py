"""What a source of raw pictures is; its packets are made here, by the encoders of the stream's renditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.capture.source import Control, SourceStats
    from mediacore.errors import MediacoreError
    from mediacore.media import Applied, Frame, Target, Unsupported


class FrameSource(Protocol):
    """Gives frames of one device to a sink, from a thread of its own."""

    @property
    def kind(self) -> str:
        """``screencap`` or ``screenrecord-frames``."""

    @property
    def rotation(self) -> int:
        """Rotation of the device's display in degrees when the newest frame was taken."""

    @property
    def control(self) -> Control | None:
        """The way back to the device, if there is one."""

    async def open(
        self, push: Callable[[Frame], None], on_end: Callable[[MediacoreError | None], None], *, fps: float
    ) -> None:
        """Start; returns when the device has accepted.

        ``push`` takes each frame that differs from the one before, with its PTS on the monotonic clock; it is called
        from another thread and never waits. ``on_end`` is called on the asyncio loop, once, when no more come. ``fps``
        is as ``set_fps`` has it. Raises a ``DeviceError`` or ``AdbError`` if it cannot be started.
        """

    def set_fps(self, fps: float) -> None:
        """So many frames per second at most from now on; 0: nobody takes any, so the device is left in peace."""

    def repeat(self) -> None:
        """Somebody new needs the picture that is on the screen now, changed or not.

        After a pause that is a new one: what was on the screen before it may be gone.
        """

    async def set_target(self, target: Target) -> Applied | Unsupported:
        """Follow size and rate; the bit rate is the encoders' business."""

    async def close(self) -> None:
        """Stop and free everything; neither callback is called any more."""

    def stats(self) -> SourceStats:
        """Counts so far; ``SourceStats.capture`` tells the way that was chosen."""
