"""The source ``screenrecord``: the device's own encoder, its H.264 read from the program's standard output.

The program has habits that this source hides: SPS and PPS come once (they are put before every key frame), a key frame
comes every 10 s only, it ends after 180 s, and it does not follow a rotation. The answer to all of them is the same: a
second process is started, and the media loop switches to it at its first key frame, without a gap (make before break).
A static screen gives no picture at all, and none is invented.

Two runs exist at most: the current one, whose pictures are handed on, and the next one, which waits for its key frame.
Their sockets belong to the media loop: what is decided here is when a process is started, and which.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import re
from collections import Counter
from typing import TYPE_CHECKING

from mediacore.capture.captured_device import CapturedDevice, words_of
from mediacore.capture.display import screenrecord_is_unlimited
from mediacore.capture.retries import Retries, lasted
from mediacore.capture.source import SourceStats
from mediacore.errors import AdbError, CaptureError, DeviceDisconnectedError, DeviceError, LimitError, MediacoreError
from mediacore.media import Applied, DropCause, StreamDescription, Target, Unsupported
from mediacore.media_loop import monotonic_us
from mediacore.settings import BITRATE_BPS, SIZE_PX

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.adb.client import AdbClient
    from mediacore.capture.display import Display
    from mediacore.capture.source import Control
    from mediacore.media_loop import MediaLoop
    from mediacore.settings import StreamSettings

log = logging.getLogger(__name__)

TIME_LIMIT_S = 180.0
"""The program's default and, on older devices, its longest run."""
OVERLAP_S = 2.0
"""The next run starts this long before the limit."""
ENCODER_REFUSALS = 2
"""So many runs in a row that say, before the first picture ever, that they get no encoder: waiting gives none."""
_REFUSAL = re.compile(r"unable to \w+ .*(codec|encoder)|encoder failed", re.IGNORECASE)
"""What the program says then (AOSP, screenrecord.cpp)."""
DROPS = {
    "before_key": DropCause.BEFORE_KEY_FRAME,
    "corrupt": DropCause.CORRUPT,
    "oversize": DropCause.OVERSIZE,
    "superseded": DropCause.SUPERSEDED,
}
"""The media loop's figures of a source that are access units it did not hand on."""


class _Run:
    """One process of screenrecord, and the media loop's source that reads it."""

    def __init__(self, source: ScreenRecord, *, rotation: int, limited: bool, version: int) -> None:
        self._source = source
        self.rotation = rotation
        self.version = version
        self.limited = limited
        self.started_us = monotonic_us()
        self.id = 0
        """The media loop's; 0 before there is one."""

    @property
    def lasted(self) -> bool:
        """True if it was no failure, should it end now."""
        return lasted(self.started_us)

    def current(self, epoch: int) -> None:
        self._source.run_took_over(self, epoch)

    def damaged(self) -> None:
        self._source.run_is_damaged(self)

    def ended(self, error_number: int, head: bytes, reason: str) -> None:
        self._source.run_ended(self, head, os.strerror(error_number) if error_number else reason)


def _encodable(side: int) -> int:
    return min(max(side, SIZE_PX[0]), SIZE_PX[1]) & ~1


class ScreenRecord:
    """Captures one device through ``screenrecord``; see the module's text."""

    kind = "screenrecord"
    codec = "h264"
    has_audio = False
    key_frames_on_request = True
    push = None

    def __init__(self, adb: AdbClient, serial: str, settings: StreamSettings) -> None:
        self._adb = adb
        self._serial = serial
        self._bitrate_bps = settings.bitrate_bps
        self._size = settings.size
        self._idle_us = settings.idle_flush_us
        self._device = CapturedDevice(
            adb,
            serial,
            rotation_poll_s=settings.rotation_poll_s,
            picture_size=lambda: self._description.size if self._description is not None else None,
            on_turned=self._start_over,
        )
        self._description: StreamDescription | None = None
        self._loop: MediaLoop | None = None
        self._rendition = 0
        self._on_end: Callable[[MediacoreError | None], None] | None = None
        self._current: _Run | None = None
        self._next: _Run | None = None
        self._newest: _Run | None = None  # the one started last; it may have ended, and is kept for what it has learnt
        self._next_wanted = asyncio.Event()
        self._version = 0  # of what the next run is to be like
        self._unlimited = False
        self._last_words = ""
        self._refusals = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._retries = Retries()
        self._runs = 0
        self._retired: Counter[str] = Counter()  # figures of the runs that have ended

    @property
    def description(self) -> StreamDescription | None:
        """What is being captured; None before the first key frame."""
        return self._description

    @property
    def control(self) -> Control | None:
        """Input, through ``input`` commands in a shell that stays open."""
        return self._device.control

    async def open(
        self, loop: MediaLoop, rendition: int, audio: int, on_end: Callable[[MediacoreError | None], None]
    ) -> None:
        """Start the first process. Raises a ``DeviceError`` or ``AdbError`` if the device cannot be used."""
        del audio
        self._loop = loop
        self._rendition = rendition
        try:
            await self._device.open()
            self._on_end = on_end
            self._next = await self._start_run()
        except BaseException:
            await self.close()
            raise
        for work in (self._keep_running(), self._watch_time_limit()):
            self._tasks.append(asyncio.create_task(work))

    def described(self, width: int, height: int, profile_level_id: str, epoch: int) -> StreamDescription:
        """The size is the bit stream's, the rotation that of the display when the run was started."""
        rotation = self._current.rotation if self._current is not None else 0
        self._description = StreamDescription(self.codec, width, height, profile_level_id, rotation, epoch)
        return self._description

    async def request_key_frame(self) -> bool:
        """A second process is started, whose first picture is a key frame; requests until then are merged."""
        if self._on_end is None:
            return False
        self._next_wanted.set()
        return True

    async def set_target(self, target: Target) -> Applied | Unsupported:
        """Bit rate and size come with a new process, at its first key frame; the frame rate is the display's."""
        if target.fps is not None:
            return Unsupported("screenrecord encodes at the display's own frame rate")
        before = self._bitrate_bps, self._size
        if target.bitrate_bps is not None:
            self._bitrate_bps = min(max(target.bitrate_bps, BITRATE_BPS[0]), BITRATE_BPS[1])
        if target.size is not None:
            self._size = _encodable(target.size[0]), _encodable(target.size[1])
        if (self._bitrate_bps, self._size) != before:
            self._start_over()
        elif target.key_frame:
            await self.request_key_frame()
        return Applied(dataclasses.replace(target, bitrate_bps=self._bitrate_bps, size=self._size))

    async def close(self) -> None:
        """Stop the processes and close their sockets."""
        self._on_end = None
        runs = {run.id for run in (self._current, self._next, self._newest) if run is not None}
        self._current = self._next = self._newest = None
        async with contextlib.AsyncExitStack() as rest:  # which is freed even if this is cancelled
            rest.push_async_callback(self._device.close)
            if self._loop is not None:
                for run in runs:
                    rest.push_async_callback(self._loop.remove, run)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks.clear()

    def stats(self) -> SourceStats:
        """Counts so far."""
        figures = Counter(self._retired)
        for run in (self._current, self._next):
            if run is not None:
                figures.update(self._figures(run))
        dropped = {cause: figures[name] for name, cause in DROPS.items() if figures[name]}
        return SourceStats(max(0, self._runs - 1), figures["wrong_flushes"], dropped)

    # ------------------------------------------------------------------------------------ what the loop tells of a run

    def run_took_over(self, run: _Run, epoch: int) -> None:
        """The first key frame of the next run made it the current one; the former ends by itself."""
        if run is not self._next:
            return  # it was given up meanwhile
        if self._current is not None and self._current.lasted:
            self._retries.reset()
        log.debug("screenrecord on %s: epoch %d", self._serial, epoch)
        self._current, self._next = run, None

    def run_is_damaged(self, run: _Run) -> None:
        """A unit of the run was cut by a flush that came too early, or passed a limit: only a key frame heals that."""
        if run is self._current:
            self._next_wanted.set()

    def run_ended(self, run: _Run, head: bytes, why: str) -> None:
        """A process ended: at its limit, by itself, because the device went away, or because another took over."""
        expected = run is not self._current and run is not self._next
        self._retire(run)
        if expected:
            return
        self._last_words = words_of(head)
        refused = self._description is None and _REFUSAL.search(self._last_words) is not None
        self._refusals = self._refusals + 1 if refused else 0
        log.info("screenrecord on %s ended: %s %s", self._serial, why, self._last_words)
        self._retries.failed(run.started_us)
        if run is self._next:
            self._next = None
        elif run is self._current:
            self._current = None
        if self._next is None:
            self._next_wanted.set()

    def _figures(self, run: _Run) -> dict[str, int]:
        if self._loop is None or not self._loop.running:
            return {}
        try:
            return self._loop.native.source_figures(run.id)
        except KeyError:  # it went with its rendition
            return {}

    def _retire(self, run: _Run) -> None:
        """Keep the figures of a run that has ended, and let go of it, unless the next one shall learn from it."""
        self._retired.update(self._figures(run))
        if run is not self._newest and self._loop is not None:
            self._loop.discard(run.id)

    def _end_run(self, run: _Run) -> None:
        """End one that is not wanted any more."""
        if run is self._newest:
            self._newest = self._current
        self._retire(run)

    # ------------------------------------------------------------------------------------ runs

    def _start_over(self) -> None:
        """A run that waits, or is just being started, is one for values that no longer hold: start another instead."""
        self._version += 1
        if self._next is not None:
            self._end_run(self._next)
            self._next = None
        self._retries.reset()
        self._next_wanted.set()

    def _command(self, display: Display) -> str:
        words = ["screenrecord", "--output-format=h264", f"--bit-rate={self._bitrate_bps}"]
        if self._size is not None:
            words.append("--size={}x{}".format(*display.turned(self._size)))
        if self._unlimited:
            words.append("--time-limit=0")
        return " ".join([*words, "-"])

    async def _start_run(self) -> _Run:
        assert self._loop is not None
        display = self._device.display
        run = _Run(self, rotation=display.rotation, limited=not self._unlimited, version=self._version)
        sock = await self._adb.open_socket(self._serial, f"exec:{self._command(display)}")
        # Two runs overlap: each has its own pauses, and begins with what the one before has learnt of the link.
        before = self._newest
        learnt_from = before.id if before is not None else 0
        run.id = self._loop.add_source(sock, self._rendition, run, idle_us=self._idle_us, learnt_from=learnt_from)
        self._newest = run
        if before is not None and before is not self._current and before is not self._next:
            self._loop.discard(before.id)
        self._runs += 1
        return run

    async def _keep_running(self) -> None:
        """Starts the next run whenever one is wanted; gives up when the device does.

        As long as the current run lives, it is only the next one that is given up: some devices have one encoder.
        """
        while True:
            await self._next_wanted.wait()
            self._next_wanted.clear()
            error: MediacoreError = CaptureError(
                self._serial, f"screenrecord does not run: {self._last_words or 'it ends again and again'}"
            )
            while self._next is None:
                if self._retries.used_up or self._refusals >= ENCODER_REFUSALS:
                    if self._current is None:
                        self._give_up(error)
                        return
                    log.warning("the run of screenrecord stays as it is, another cannot be had: %s", error)
                    self._retries.reset()
                    break
                await self._retries.pause()
                try:
                    run = await self._start_run()
                except (DeviceError, AdbError) as failure:
                    log.info("screenrecord on %s does not start: %s", self._serial, failure)
                    error = DeviceDisconnectedError(self._serial, f"the device is gone: {failure}")
                    self._retries.failed()
                    continue
                except LimitError as failure:
                    error = failure
                    self._retries.failed()
                    continue
                if run.version == self._version:
                    self._next = run
                else:
                    self._end_run(run)

    def _give_up(self, error: MediacoreError) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(error)

    # ------------------------------------------------------------------------------------ looking after it

    async def _watch_time_limit(self) -> None:
        """Wants the next run shortly before the current one reaches its limit."""
        with contextlib.suppress(DeviceError, AdbError):
            self._unlimited = await screenrecord_is_unlimited(self._device.shell)
        while True:
            await asyncio.sleep(OVERLAP_S / 4)
            if self._current is None:
                continue
            age_us = monotonic_us() - self._current.started_us
            if age_us > (TIME_LIMIT_S - OVERLAP_S) * 1e6 and self._current.limited:
                self._next_wanted.set()
