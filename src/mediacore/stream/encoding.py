"""An encoder at work for one rendition: what it is, how it is started, and where its frames go."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from typing import TYPE_CHECKING, Protocol

from mediacore.capture.frame_publication import NEAR_US
from mediacore.encode.choice import open_encoder
from mediacore.encode.worker import EncoderWorker
from mediacore.media_loop import monotonic_us

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.encode.desk import Open
    from mediacore.encode.encoder import EncodedFrame
    from mediacore.errors import MediacoreError
    from mediacore.media import Frame, RenditionStats, Target
    from mediacore.media_loop import MediaLoop
    from mediacore.ring import FrameRing


class Encoding(Protocol):
    """An encoder at work in a thread of its own: an ``encode.worker.EncoderWorker``."""

    def wake(self) -> None:
        """There is a frame; any thread."""

    def request_key_frame(self) -> None:
        """The next frame, or the last one again, as a key frame."""

    def set_target(self, target: Target) -> None:
        """Follow it."""

    def stats(self, viewers: int = 0) -> RenditionStats:
        """Figures; ``viewers`` is handed through."""

    def close(self) -> None:
        """End the thread; blocks for as long as a frame takes."""


class StartEncoding(Protocol):
    """Starts an encoder; see ``encode.worker``."""

    def __call__(
        self, ring: FrameRing[Frame], outlet: Outlet, *, codec: str, target: Target, ceiling_bps: int
    ) -> Encoding: ...


class Outlet:
    """Where the frames of one encoder go, from its start until it is shut: the next encoder's may come then.

    Any thread may call.
    """

    def __init__(
        self, loop: MediaLoop, rendition: int, *, first: bool, describes: bool, failed: Callable[[MediacoreError], None]
    ) -> None:
        self._media_loop = loop
        self._loop = asyncio.get_running_loop()
        self._rendition = rendition
        self._first = first  # the first epoch begins by itself
        self._describes = describes  # the packets do not tell their size
        self._failed = failed
        self._lock = threading.Lock()
        self._shut = False
        self._due: list[Callable[[], None]] = []  # what must be told before the next frame

    def push(self, frame: EncodedFrame) -> bool:
        """False if nobody takes it, or the media loop takes no more now."""
        now_us = monotonic_us()
        # A captured picture's time is when it came; that of a published packet may be of any clock.
        received_us = frame.pts_us if abs(frame.pts_us - now_us) <= NEAR_US else now_us
        with self._lock, contextlib.suppress(RuntimeError):
            if self._shut or not self._media_loop.running:
                return False
            self._tell_due()
            return self._media_loop.native.push(
                self._rendition, frame.data, pts_us=frame.pts_us, is_key=frame.is_key, received_us=received_us
            )
        return False

    def opened(self, size: tuple[int, int], name: str) -> None:
        """An encoder has been opened: what is pushed next begins with a key frame of this size."""
        del name
        with self._lock, contextlib.suppress(RuntimeError):
            if self._shut or not self._media_loop.running:
                return
            native, rendition = self._media_loop.native, self._rendition
            self._due = []
            if not self._first:
                self._due.append(functools.partial(native.new_epoch, rendition))
            self._first = False
            if self._describes:
                self._due.append(functools.partial(native.describe, rendition, width=size[0], height=size[1]))
            self._tell_due()

    def queue_us(self) -> int:
        """How long what waits for the fastest viewer will take, in µs: one who is slow must not hold up the others."""
        with contextlib.suppress(RuntimeError, KeyError):
            if self._media_loop.running:
                figures = self._media_loop.native.rendition_figures(self._rendition)
                return 0 if figures["taps"] else max(0, int(figures.get("least_queue_us", 0)))
        return 0

    def failed(self, error: MediacoreError) -> None:
        """The encoder gives nothing any more."""
        with contextlib.suppress(RuntimeError):  # the asyncio loop is closed
            self._loop.call_soon_threadsafe(self._tell, error)

    def shut(self) -> None:
        """Nothing goes through any more."""
        with self._lock:
            self._shut = True

    def _tell_due(self) -> None:
        """Raises ``RuntimeError`` if the media loop takes nothing now; what it has not taken stays due."""
        while self._due:
            self._due[0]()
            del self._due[0]

    def _tell(self, error: MediacoreError) -> None:
        if not self._shut:
            self._failed(error)


def start_encoder(only: str | None, open: Open = open_encoder) -> StartEncoding:  # noqa: A002 - it is what it does
    """Starts real ones; ``only``: the name of the one to use for its codec, None: the first that works."""

    def start(ring: FrameRing[Frame], outlet: Outlet, *, codec: str, target: Target, ceiling_bps: int) -> EncoderWorker:
        return EncoderWorker(
            ring,
            codec=codec,
            target=target,
            ceiling_bps=ceiling_bps,
            push=outlet.push,
            queue_us=outlet.queue_us,
            on_opened=outlet.opened,
            on_failed=outlet.failed,
            open=functools.partial(open, only=only),
        )

    return start
