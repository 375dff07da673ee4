"""A rendition whose packets are made here: its encoder, and those who take it.

Policy: the encoder runs while somebody takes the rendition, and never for one viewer alone. Frames that come while too
much waits on the way to the viewers are skipped before they are encoded. A rendition that fails tells those who take
it why, and leaves the others alone; who takes it afterwards starts another encoder. Thread rule: one asyncio loop; the
encoder's thread pushes into the media loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import TYPE_CHECKING

from mediacore.errors import LimitError
from mediacore.media import QueueStats, RenditionStats, Target
from mediacore.stream.encoding import Outlet

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.errors import MediacoreError
    from mediacore.media import Wanted
    from mediacore.media_loop import MediaLoop
    from mediacore.stream.encoder_limit import EncoderLimit
    from mediacore.stream.encoding import Encoding, StartEncoding
    from mediacore.stream.frame_fan import FrameConsumer, FrameFan
    from mediacore.stream.rendition import Rendition

RING = 2
"""Frames that wait for an encoder: it takes the newest."""
CLOSE_S = 2.0
"""For the frame that is being encoded at the end."""


class EncodedRendition:
    """One encoding that is made here.

    Args:
        loop: the media loop.
        rendition: what it fills.
        fan: where the frames come from.
        wanted: size and rate at most.
        target: bit rate and rate of the stream, which those of ``wanted`` are taken out of.
        ceiling_bps: the most that the bit rate will ever be.
        start: starts an encoder.
        limit: how many may run, together with others.
        on_failed: called when it gives nothing any more.
    """

    def __init__(
        self,
        loop: MediaLoop,
        rendition: Rendition,
        fan: FrameFan,
        *,
        wanted: Wanted,
        target: Target,
        ceiling_bps: int,
        start: StartEncoding,
        limit: EncoderLimit,
        on_failed: Callable[[MediacoreError], None] = lambda _: None,
    ) -> None:
        self.rendition = rendition
        self.wanted = wanted
        self.holders = 0
        """Who takes it now."""
        self.failure: MediacoreError | None = None
        """Why it gives nothing any more; None while it works."""
        self.failing: asyncio.Future[MediacoreError] = asyncio.get_running_loop().create_future()
        """Gets ``failure``; replaced by a new one when another encoder is started."""
        self._media_loop = loop
        self._fan = fan
        self._target = target
        self._ceiling_bps = ceiling_bps
        self._start = start
        self._limit = limit
        self._on_failed = on_failed
        self._consumer: FrameConsumer | None = None
        self._encoding: Encoding | None = None
        self._outlet: Outlet | None = None
        self._last = RenditionStats(rendition.codec, "", None, None, 0, 0, QueueStats(), 0, 0, None, 0)
        self._started = 0
        self._stopping: set[asyncio.Task[None]] = set()

    @property
    def target(self) -> Target:
        """What the encoder is told: the stream's, within what is wanted."""
        fps = [fps for fps in (self._target.fps, self.wanted.fps) if fps is not None]
        sizes = [size for size in (self._target.size, self.wanted.size) if size is not None]
        size = (min(size[0] for size in sizes), min(size[1] for size in sizes)) if sizes else None
        return dataclasses.replace(self._target, fps=min(fps, default=None), size=size)

    def hold(self) -> None:
        """Somebody more takes it; the first one, and the first after a failure, starts an encoder.

        Raises ``LimitError`` if that is one too many.
        """
        if not self.holders or self.failure is not None:
            self._begin()
        self.holders += 1

    def take_over(self, holders: int) -> None:
        """So many take it already; it fails at once if its encoder is one too many."""
        self.holders = holders
        if holders:
            try:
                self._begin()
            except LimitError as error:
                self.fail(error)

    def release(self) -> bool:
        """Somebody takes it no more; True if that was the last, and the encoder ends."""
        self.holders -= 1
        if self.holders == 0:
            self._end()
        return self.holders == 0

    async def request_key_frame(self) -> bool:
        """The encoder gives one with its next frame, or with the last one again. False while it does not run."""
        if self._encoding is None:
            return False
        self._encoding.request_key_frame()
        return True

    def set_target(self, target: Target) -> None:
        """What the stream is to be from now on; None leaves a value as it is."""
        old = self._target
        self._target = Target(target.bitrate_bps or old.bitrate_bps, target.fps or old.fps, target.size or old.size)
        if self._encoding is not None and self._consumer is not None:
            self._fan.set_fps(self._consumer, self.target.fps or 0.0)
            self._encoding.set_target(dataclasses.replace(self.target, key_frame=target.key_frame))

    def fail(self, error: MediacoreError) -> None:
        """It gives nothing any more; the first reason counts."""
        if self.failure is None:
            self.failure = error
            self._end()
            self.failing.set_result(error)
            self._on_failed(error)

    async def stop(self) -> None:
        """End the encoder, whoever takes it; the rendition itself stays."""
        self._end()
        if self._stopping:
            await asyncio.wait(self._stopping)

    def stats(self) -> RenditionStats:
        """Figures of the encoder that is at work, or of the last one that was."""
        figures = self.rendition.figures()
        viewers = int(figures.get("viewers", 0) + figures.get("taps", 0))
        if self._encoding is not None:
            return self._encoding.stats(viewers)
        failure = None if self.failure is None else str(self.failure)
        return dataclasses.replace(self._last, viewers=viewers, failure=failure)

    # ------------------------------------------------------------------------------------ its encoder

    def _begin(self) -> None:
        self._limit.take()
        try:
            self._start_encoder()
        except BaseException:
            self._end()
            self._limit.give_back()
            raise
        if self.failure is not None:
            self.failure = None
            self.failing = asyncio.get_running_loop().create_future()
        self._wake()  # the newest frame may be there already

    def _start_encoder(self) -> None:
        codec = self.rendition.codec
        self._outlet = Outlet(
            self._media_loop,
            self.rendition.id,
            first=not self._started,
            describes=codec != "h264",
            failed=self.fail,
        )
        self._started += 1
        self._consumer = self._fan.add(capacity=RING, fps=self.target.fps or 0.0, failed=self.fail, wake=self._wake)
        self._encoding = self._start(
            self._consumer.ring, self._outlet, codec=codec, target=self.target, ceiling_bps=self._ceiling_bps
        )

    def _wake(self) -> None:
        encoding = self._encoding
        if encoding is not None:
            encoding.wake()

    def _end(self) -> None:
        consumer, self._consumer = self._consumer, None
        encoding, self._encoding = self._encoding, None
        outlet, self._outlet = self._outlet, None
        if outlet is not None:
            outlet.shut()
        if consumer is not None:
            self._fan.remove(consumer)
        if encoding is not None:
            self._last = encoding.stats()
            task = asyncio.create_task(self._stop(encoding), name="encoder's end")
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)

    async def _stop(self, encoding: Encoding) -> None:
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await asyncio.to_thread(encoding.close)
        finally:
            self._limit.give_back()
