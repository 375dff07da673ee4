"""The source ``screenrecord``: the device's own encoder, its H.264 read from the program's standard output.

The program has habits that this source hides: SPS and PPS come once (they are put before every key frame), a key frame
comes every 10 s only, it ends after 180 s, and it does not follow a rotation. The answer to all of them is the same:
a second process is started, and the source switches at its first key frame, without a gap (make before break).
A static screen gives no picture at all, and none is invented.

Two runs exist at most: the current one, whose pictures are handed on, and the next one, which waits for its key frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections import Counter
from typing import TYPE_CHECKING

from mediacore.adb.shell import PersistentShell
from mediacore.capture.display import (
    Display,
    read_display,
    read_rotation,
    read_sdk,
    screenrecord_is_unlimited,
)
from mediacore.capture.shell_control import ShellControl
from mediacore.capture.source import SourceStats
from mediacore.control.mapping import PictureMapping
from mediacore.errors import AdbError, CaptureError, DeviceDisconnectedError, DeviceError, MediacoreError
from mediacore.h264 import AccessUnit, BurstFlush, ParameterSets
from mediacore.media import Applied, DropCause, Packet, StreamDescription, Target, Unsupported
from mediacore.media_loop import monotonic_us
from mediacore.settings import BITRATE_BPS, SIZE_PX

if TYPE_CHECKING:
    from mediacore.adb.client import AdbClient
    from mediacore.capture.source import PacketSink
    from mediacore.media_loop import MediaLoop, SourceReader
    from mediacore.settings import StreamSettings

log = logging.getLogger(__name__)

TIME_LIMIT_S = 180.0
"""The program's default and, on older devices, its longest run."""
OVERLAP_S = 2.0
"""The next run starts this long before the limit."""
RETRY_S = (0.1, 0.3, 0.6, 1.0, 1.0)
"""Pauses before a run that failed is started again. Together they cover an adb server that is killed and restarted;
when they are used up, the source ends with the last error."""
STEADY_RUN_US = 2_000_000
"""A run that ends sooner is a failure, whatever it gave; one that lasted so long starts their count anew."""


class _Run:
    """One process of screenrecord: makes packets of its access units."""

    def __init__(self, source: ScreenRecord, *, rotation: int, limited: bool, version: int) -> None:
        self._source = source
        self._parameter_sets = ParameterSets()
        self.rotation = rotation
        self.version = version
        self.limited = limited
        self.started_us = monotonic_us()
        self.reader: SourceReader | None = None
        self.has_key_frame = False
        self.units = 0

    @property
    def lasted(self) -> bool:
        """True if it was no failure, should it end now."""
        return monotonic_us() - self.started_us > STEADY_RUN_US

    @property
    def last_words(self) -> str:
        """What it wrote if that was no H.264 but text: an error message."""
        text = " ".join(self.reader.head.decode(errors="replace").split()) if self.reader and not self.units else ""
        return text if text.isprintable() else ""

    def unit(self, unit: AccessUnit, received_us: int) -> None:
        self.units += 1
        data = self._parameter_sets.complete(unit)
        self.has_key_frame = self.has_key_frame or (unit.is_random_access and unit.sps is not None)
        self._source.take(self, unit, data, received_us)

    def damaged(self) -> None:
        self._source.repair(self)

    def ended(self, error: OSError | None) -> None:
        self._source.run_ended(self, error)

    def close(self) -> None:
        reader, self.reader = self.reader, None  # they hold each other, and a reader has a large buffer
        if reader is not None:
            reader.close()


def _encodable(side: int) -> int:
    return min(max(side, SIZE_PX[0]), SIZE_PX[1]) & ~1


class ScreenRecord:
    """Captures one device through ``screenrecord``; see the module's text."""

    kind = "screenrecord"

    def __init__(self, adb: AdbClient, serial: str, settings: StreamSettings) -> None:
        self._adb = adb
        self._serial = serial
        self._bitrate_bps = settings.bitrate_bps
        self._size = settings.size
        self._flush = BurstFlush(idle_us=settings.idle_flush_us)
        self._rotation_poll_s = settings.rotation_poll_s
        self._shell = PersistentShell(adb, serial)
        self._control: ShellControl | None = None
        self._display: Display | None = None
        self._description: StreamDescription | None = None
        self._loop: MediaLoop | None = None
        self._sink: PacketSink | None = None
        self._current: _Run | None = None
        self._next: _Run | None = None
        self._next_wanted = asyncio.Event()
        self._version = 0  # of what the next run is to be like
        self._unlimited = False
        self._last_words = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._failures = 0
        self._runs = 0
        self._wrong_flushes = 0
        self._dropped: Counter[DropCause] = Counter()
        self._epoch = 0
        self._last_pts_us = 0

    @property
    def description(self) -> StreamDescription | None:
        """What is being captured; None before the first key frame."""
        return self._description

    @property
    def control(self) -> ShellControl | None:
        """Input, through ``input`` commands in a shell that stays open."""
        return self._control

    async def open(self, loop: MediaLoop, sink: PacketSink) -> None:
        """Start the first process. Raises a ``DeviceError`` or ``AdbError`` if the device cannot be used."""
        self._loop = loop
        try:
            self._display = await read_display(self._shell, self._serial)
            sdk = await read_sdk(self._shell)
            self._control = ShellControl(self._adb, self._serial, sdk=sdk, mapping=self._mapping)
            self._sink = sink
            self._next = await self._start_run()
        except BaseException:
            await self.close()
            raise
        for work in (self._keep_running(), self._watch_rotation(), self._watch_time_limit()):
            self._tasks.append(asyncio.create_task(work))

    async def request_key_frame(self) -> bool:
        """A second process is started, whose first picture is a key frame; requests until then are merged."""
        if self._sink is None:
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
        self._sink = None
        for run in (self._current, self._next):
            if run is not None:
                run.close()
        self._current = self._next = None
        async with contextlib.AsyncExitStack() as rest:  # which is freed even if this is cancelled
            rest.push_async_callback(self._shell.close)
            if self._control is not None:
                rest.push_async_callback(self._control.close)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks.clear()

    def stats(self) -> SourceStats:
        """Counts so far."""
        return SourceStats(max(0, self._runs - 1), self._wrong_flushes, dict(self._dropped))

    # ------------------------------------------------------------------------------------ what a run tells

    def take(self, run: _Run, unit: AccessUnit, data: bytes | memoryview, received_us: int) -> None:
        """An access unit of a run. The first key frame of the next run makes it the current one."""
        if self._sink is None:
            return
        if not run.has_key_frame:
            self._dropped[DropCause.BEFORE_KEY_FRAME] += 1
            return
        if run is self._next:
            self._switch_to(run)
        if run is not self._current:
            self._dropped[DropCause.SUPERSEDED] += 1
            return
        if unit.is_random_access:
            self._describe(run, unit)
        # Arrival is the only time there is; two units of one burst still need different times.
        pts_us = max(received_us, self._last_pts_us + 1)
        self._last_pts_us = pts_us
        self._sink.packet(Packet("video", "h264", data, pts_us, unit.is_random_access, self._epoch, received_us))

    def repair(self, run: _Run) -> None:
        """A unit of the run was cut by a flush that came too early: only a key frame heals that."""
        self._wrong_flushes += 1
        if run is self._current:
            self._next_wanted.set()

    def run_ended(self, run: _Run, error: OSError | None) -> None:
        """A process ended: at its limit, by itself, or because the device went away."""
        self._last_words = run.last_words
        run.close()
        log.info("screenrecord on %s ended after %d units %s", self._serial, run.units, error or self._last_words)
        self._failures = 0 if run.lasted else self._failures + 1
        if run is self._next:
            self._next = None
        elif run is self._current:
            self._current = None
        if self._next is None:
            self._next_wanted.set()

    # ------------------------------------------------------------------------------------ runs

    def _switch_to(self, run: _Run) -> None:
        if self._current is not None:
            self._current.close()
            if self._current.lasted:
                self._failures = 0
        self._current, self._next = run, None
        self._epoch += 1

    def _describe(self, run: _Run, unit: AccessUnit) -> None:
        if unit.sps is None or self._sink is None:
            return
        description = StreamDescription(
            "h264", unit.sps.width, unit.sps.height, unit.sps.profile_level_id, run.rotation, self._epoch
        )
        if description != self._description:
            self._description = description
            self._sink.described(description)

    def _start_over(self) -> None:
        """A run that waits, or is just being started, is one for values that no longer hold: start another instead."""
        self._version += 1
        if self._next is not None:
            self._next.close()
            self._next = None
        self._failures = 0
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
        assert self._display is not None
        # Two runs overlap: each has its own, with what the one before has learnt of the link.
        self._flush = self._flush.for_new_stream()
        run = _Run(self, rotation=self._display.rotation, limited=not self._unlimited, version=self._version)
        sock = await self._adb.open_socket(self._serial, f"exec:{self._command(self._display)}")
        run.reader = self._loop.add_source(sock, run, self._flush)
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
                if self._failures > len(RETRY_S):
                    if self._current is None:
                        self._give_up(error)
                        return
                    log.warning("the run of screenrecord stays as it is, another cannot be had: %s", error)
                    self._failures = 0
                    break
                if self._failures:
                    await asyncio.sleep(RETRY_S[self._failures - 1])
                try:
                    run = await self._start_run()
                except (DeviceError, AdbError) as failure:
                    log.info("screenrecord on %s does not start: %s", self._serial, failure)
                    error = DeviceDisconnectedError(self._serial, f"the device is gone: {failure}")
                    self._failures += 1
                    continue
                if run.version == self._version:
                    self._next = run
                else:
                    run.close()

    def _give_up(self, error: MediacoreError) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.ended(error)

    # ------------------------------------------------------------------------------------ looking after it

    def _mapping(self) -> PictureMapping | None:
        if self._display is None:
            return None
        # Before the first picture the viewer sees the screenshot, and touching it may be what makes something move.
        picture = self._description.size if self._description is not None else self._display.size
        return PictureMapping(picture, self._display.size)

    async def _watch_rotation(self) -> None:
        while True:
            await asyncio.sleep(self._rotation_poll_s)
            rotation: int | None = None
            with contextlib.suppress(DeviceError, AdbError):  # the runs notice it too, and they decide
                rotation = await read_rotation(self._shell)
            if rotation is not None and self._display and rotation != self._display.rotation:
                log.info("%s turned to %d degrees", self._serial, rotation)
                self._display = dataclasses.replace(self._display, rotation=rotation)
                self._start_over()

    async def _watch_time_limit(self) -> None:
        """Wants the next run shortly before the current one reaches its limit."""
        with contextlib.suppress(DeviceError, AdbError):
            self._unlimited = await screenrecord_is_unlimited(self._shell)
        while True:
            await asyncio.sleep(OVERLAP_S / 4)
            if self._current is None:
                continue
            age_us = monotonic_us() - self._current.started_us
            if age_us > (TIME_LIMIT_S - OVERLAP_S) * 1e6 and self._current.limited:
                self._next_wanted.set()
