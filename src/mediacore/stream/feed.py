"""What fills a stream: the first of its sources that suits the device.

Policy: a source that fails before its first picture, though the device answers, is passed over for the next one, also
under the eyes of viewers: the stream and its renditions stay. Later failures end the stream. Thread rule: one asyncio
loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, TypeAlias

from mediacore.errors import CaptureError, CommandError, MediacoreError, UnsupportedError
from mediacore.stream.frame_origin import FrameOrigin
from mediacore.stream.packet_origin import PacketOrigin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import TypeIs

    from mediacore.capture.frame_source import FrameSource
    from mediacore.capture.source import Source

log = logging.getLogger(__name__)

Origin: TypeAlias = PacketOrigin | FrameOrigin

DOES_NOT_SUIT = (CaptureError, CommandError, UnsupportedError)
"""The device answers, and this source can get no picture of it: another may."""


class Feed:
    """From ``open`` to ``close``.

    Args:
        serial: the device.
        source: the first one.
        fallbacks: make further ones.
        origin_of: wires a source.
        on_end: called once when the stream is at its end.
    """

    def __init__(
        self,
        serial: str,
        source: Source | FrameSource,
        fallbacks: Sequence[Callable[[], Source | FrameSource]],
        *,
        origin_of: Callable[[Source | FrameSource], Origin],
        on_end: Callable[[MediacoreError | None], None],
    ) -> None:
        self._serial = serial
        self._first = source
        self._fallbacks = list(fallbacks)
        self._origin_of = origin_of
        self._on_end = on_end
        self._origin: Origin | None = None
        self._others: list[Origin] = []  # that go on beside it
        self._switching: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._wiring = False
        self._given_up: Origin | None = None  # it may still tell of its end while it is closed
        self._closed = False
        self.passed_over: tuple[str, ...] = ()
        """The sources that did not suit the device, each with its reason."""

    @property
    def origin(self) -> Origin:
        """The source that is at work, wired. Raises ``UnsupportedError`` before ``open``."""
        if self._origin is None:
            raise UnsupportedError(f"the stream of {self._serial} has not been opened")
        return self._origin

    def demand(self, fps: float) -> None:
        """So many frames per second are wanted of it; an origin that is just being wired finds out by itself."""
        if self._origin is not None and not self._wiring:
            self._origin.demand(fps)

    async def open(self) -> None:
        """Start the first source that can be started. Raises a ``DeviceError``, ``AdbError`` or ``RecordingError``."""
        await self._begin(self._first)

    async def add(self, source: FrameSource) -> None:
        """Go on with another source; the one before stays beside it, for its sound."""
        async with self._turn:
            if self._closed:
                raise UnsupportedError(f"the stream of {self._serial} has ended")
            if self._origin is not None:
                self._origin.demand(0)  # its packets are made of frames from now on: it gives none
                self._others.append(self._origin)
            await self._begin(source)

    async def close(self) -> None:
        """Stop all sources."""
        self._closed = True
        async with contextlib.AsyncExitStack() as rest:
            for origin in (*self._others, self._origin):
                if origin is not None:
                    rest.push_async_callback(origin.close)
            if self._switching is not None:
                self._switching.cancel()
                await asyncio.wait([self._switching])

    async def _begin(self, source: Source | FrameSource) -> None:
        while True:
            self._wiring = True
            try:
                self._origin = origin = self._origin_of(source)
            finally:
                self._wiring = False
            try:
                await origin.open(lambda error, origin=origin: self._ended(origin, error))  # type: ignore[misc]
                return
            except DOES_NOT_SUIT as error:
                if not self._fallbacks or origin is self._given_up:
                    raise
                self._given_up = origin
                await origin.close()
                source = self._next(origin, error)

    def _next(self, origin: Origin, error: MediacoreError) -> Source | FrameSource:
        log.warning("%s cannot be captured by %s, another source is tried: %s", self._serial, origin.kind, error)
        self.passed_over = (*self.passed_over, f"{origin.kind} failed: {error}")
        return self._fallbacks.pop(0)()

    def _ended(self, origin: Origin, error: MediacoreError | None) -> None:
        if origin is not self._origin or origin is self._given_up:
            return
        if self._fallbacks and not origin.has_given and not self._closed and isinstance(error, DOES_NOT_SUIT):
            self._given_up = origin
            self._switching = asyncio.create_task(self._fall_back(origin, error), name="another source")
        else:
            self._on_end(error)

    async def _fall_back(self, origin: Origin, error: MediacoreError) -> None:
        try:
            await origin.close()
            await self._begin(self._next(origin, error))
        except MediacoreError as failure:
            self._on_end(failure)
        except Exception as failure:  # the task's top frame
            log.exception("no other source could be started")
            self._on_end(CaptureError(self._serial, f"no other source could be started: {failure!r}"))


def gives_packets(source: Source | FrameSource) -> TypeIs[Source]:
    """True for one that gives packets, False for one that gives pictures."""
    return hasattr(source, "codec")
