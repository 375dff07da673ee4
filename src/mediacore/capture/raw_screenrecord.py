"""The source ``screenrecord-frames``: raw pictures of the display from one process on the device, no encoder needed.

A frame comes with each change of the screen, and none without one: a run's first picture, on a screen that does not
move, is a shot of ``screencap``. The program does not follow a rotation, so another run is started then, as for a new
size; the former goes on until that gives its first picture. Frames that come faster than they are wanted are skipped,
but never the last one of a movement. While nobody takes frames, nothing runs on the device.

One thread per run takes frames from the native reader and pushes them.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING

from mediacore.capture.own_thread import in_own_thread, off_the_loop
from mediacore.capture.rate_gate import RateGate
from mediacore.capture.raw_capture import RawCapture
from mediacore.capture.shots import SHOT_TIMEOUT_S, SLOTS, OversizeError, ended, open_shots
from mediacore.capture.source import SourceStats
from mediacore.errors import AdbError, DeviceError
from mediacore.media import Applied, DropCause
from mediacore.media_loop import monotonic_us
from mediacore.picture_reader import Damaged, Ended, FrameStream, PictureReader, Shot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mediacore.adb.client import AdbClient
    from mediacore.capture.shots import ShotFormat
    from mediacore.capture.source import Control
    from mediacore.errors import MediacoreError
    from mediacore.media import Frame, Target, Unsupported
    from mediacore.settings import StreamSettings

log = logging.getLogger(__name__)

NO_DEADLINE_S = 3600.0
"""A screen may stay as it is for hours; the end of a run wakes whoever waits."""
FIRST_FORMATS: tuple[ShotFormat, ...] = ("raw", "png")
"""The first picture's: the quickest mostly, and what every device has."""
FIRST_SLOTS = 3


class _Run:
    """One process of screenrecord and the reader of its frames."""

    def __init__(self, number: int, reader: PictureReader, size: tuple[int, int], rotation: int) -> None:
        self.number = number
        self.reader = reader
        self.size = size
        self.rotation = rotation
        self.began = asyncio.Event()
        """Set when its first picture is pushed."""
        self.tasks: list[asyncio.Task[None]] = []
        self.ending = False

    @property
    def frames(self) -> asyncio.Task[None]:
        """Ends with the run."""
        return self.tasks[0]

    def overflown(self) -> Counter[DropCause]:
        """Frames that a newer one replaced before the thread had taken them."""
        return Counter({DropCause.OVERFLOW: self.reader.stats.dropped.get(DropCause.OVERFLOW, 0)})

    async def end(self) -> None:
        self.ending = True
        try:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
        finally:
            await off_the_loop(self.reader.close, name="the reader of screenrecord")


class RawScreenRecord:
    """Captures one device through ``screenrecord --output-format=frames``; see the module's text."""

    kind = "screenrecord-frames"

    def __init__(self, adb: AdbClient, serial: str, settings: StreamSettings) -> None:
        self._size = settings.size
        self._over = asyncio.Event()  # another run is wanted, or none
        self._capture = RawCapture(adb, serial, settings, attempt=self._record, on_turned=self._over.set)
        self._serial = serial
        self._outlet = self._capture.outlet
        self._lock = threading.Lock()  # of the gate, and of which run's frames are pushed
        self._gate = RateGate(settings.fps)
        self._began = 0
        self._run: _Run | None = None
        self._rotation = 0
        self._runs = 0

    @property
    def rotation(self) -> int:
        """Rotation of the display in degrees when the run began that gives the frames now."""
        return self._rotation

    @property
    def control(self) -> Control | None:
        """Input, through ``input`` commands in a shell that stays open."""
        return self._capture.device.control

    async def open(
        self, push: Callable[[Frame], None], on_end: Callable[[MediacoreError | None], None], *, fps: float
    ) -> None:
        """Start; see ``FrameSource``."""
        self.set_fps(fps)
        await self._capture.open(push, on_end)
        self._rotation = self._capture.device.rotation

    def set_fps(self, fps: float) -> None:
        """See ``FrameSource``; with 0 the run ends, and another one is started when frames are wanted again."""
        if fps > 0:
            self._capture.want(fps)
        with self._lock:
            self._gate.set_fps(fps)
        if fps <= 0:
            self._capture.want(fps)
            self._over.set()

    def repeat(self) -> None:
        """The newest frame is pushed again: it is what the screen shows, or the run would have given a newer one.

        After a pause it is not, and the run that is started then begins with a picture of its own.
        """
        self._capture.repeat()

    async def set_target(self, target: Target) -> Applied | Unsupported:
        """The rate is in force at once, the size with a new run."""
        if target.fps is not None:
            self.set_fps(target.fps)
        if target.size is not None and target.size != self._size:
            self._size = target.size
            self._over.set()
        if target.key_frame:
            self.repeat()
        return Applied(dataclasses.replace(target, size=self._size))

    async def close(self) -> None:
        """See ``FrameSource``."""
        async with contextlib.AsyncExitStack() as rest:  # which is freed even if this is cancelled
            rest.push_async_callback(self._end_run)
            await self._capture.close()

    def stats(self) -> SourceStats:
        """See ``FrameSource``."""
        return SourceStats(max(0, self._runs - 1), 0, self._drops())

    def _drops(self) -> Mapping[DropCause, int]:
        drops = Counter(self._outlet.drops()) + Counter({DropCause.RATE: self._gate.skipped})
        if self._run is not None:
            drops += self._run.overflown()
        return dict(drops)

    # ------------------------------------------------------------------------------------ runs

    async def _record(self) -> None:
        """One run, until another one is wanted; it is left running then. Raises when it ends by itself."""
        while not self._capture.wanted.is_set():
            await self._end_run()
            await self._capture.wanted.wait()
        self._over.clear()
        try:
            run = await self._start_run()
        except Exception:
            await self._end_run()
            raise
        before, self._run = self._run, run
        over = asyncio.create_task(self._over.wait())
        began = asyncio.create_task(run.began.wait())
        try:
            await asyncio.wait((run.frames, began, over), return_when=asyncio.FIRST_COMPLETED)
            await self._end(before)
            await asyncio.wait((run.frames, over), return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
            began.cancel()
            await self._end(before)
        if run.frames.done():
            await self._end_run()
            run.frames.result()

    async def _start_run(self) -> _Run:
        display = self._capture.device.display
        words = ["screenrecord", "--output-format=frames"]
        size = display.size
        if self._size is not None:
            size = display.turned(self._size)
            words.append("--size={}x{}".format(*size))
        try:
            sock = await self._capture.adb.open_socket(self._serial, f"exec:{' '.join(words)} -")
        except (DeviceError, AdbError) as error:
            raise self._capture.gone(error) from error
        self._runs += 1
        reader = PictureReader(sock, FrameStream(), slots=SLOTS, slot_bytes=self._capture.slots.bytes)
        run = _Run(self._runs, reader, size, display.rotation)
        loop = asyncio.get_running_loop()
        frames = in_own_thread(
            functools.partial(self._take_frames, run, loop), name=f"screenrecord {self._serial}", wake=reader.close
        )
        run.tasks.append(asyncio.create_task(frames))
        run.tasks.append(asyncio.create_task(self._take_first_picture(run)))
        return run

    async def _end_run(self) -> None:
        run, self._run = self._run, None
        await self._end(run)

    async def _end(self, run: _Run | None) -> None:
        if run is not None and not run.ending:
            await run.end()
            self._outlet.drop(DropCause.OVERFLOW, run.overflown()[DropCause.OVERFLOW])

    async def _take_first_picture(self, run: _Run) -> None:
        """A shot of the screen, which is shown if no frame of the run has come before it."""
        loop = asyncio.get_running_loop()
        for shot_format in FIRST_FORMATS:
            try:
                reader = await open_shots(
                    self._capture.adb,
                    self._serial,
                    shot_format,
                    slots=self._capture.slots,
                    count=FIRST_SLOTS,
                    size=run.size,
                )
            except (DeviceError, AdbError) as error:  # the run's end tells of it, if it matters
                log.debug("no first picture of %s: %s", self._serial, error)
                return
            except OSError as error:  # there is no thread or descriptor left
                log.warning("no first picture of %s: %s", self._serial, error)
                return
            try:
                take = functools.partial(self._take_shot, run, reader, loop)
                if await in_own_thread(take, name=f"screencap {self._serial}", wake=reader.close):
                    return
            finally:
                await off_the_loop(reader.close, name="the reader of screencap")

    # ------------------------------------------------------------------------------------ in the threads

    def _take_shot(self, run: _Run, reader: PictureReader, loop: asyncio.AbstractEventLoop) -> bool:
        reader.request()
        item = reader.next(SHOT_TIMEOUT_S)
        if not isinstance(item, Shot):
            return False
        with self._lock:
            if run.number > self._began and not run.ending:
                self._begin(run, loop)
                # Not kept back, as the thread of the run does not know of it, and would not wait for its time.
                self._outlet.put(self._gate.pass_now(item.frame, monotonic_us()))
        return True

    def _take_frames(self, run: _Run, loop: asyncio.AbstractEventLoop) -> None:
        while not (run.ending or run.reader.closed):
            with self._lock:
                wait_s = min((self._gate.due_us() - monotonic_us()) / 1e6, NO_DEADLINE_S)
            item = run.reader.next(max(0.0, wait_s))
            if isinstance(item, Ended):
                raise ended(self._serial, item, "screenrecord")
            if isinstance(item, Damaged):
                self._outlet.drop(item.cause)
                if item.cause == DropCause.OVERSIZE:
                    raise OversizeError(self._serial, f"the screen is larger than it was: {item.detail}")
                continue
            with self._lock:
                if run.number < self._began:
                    return
                now_us = monotonic_us()
                if item is None:
                    self._pass(self._gate.take(now_us))
                    continue
                if run.number > self._began:
                    self._begin(run, loop)
                self._pass(self._gate.offer(item.frame, now_us))

    def _begin(self, run: _Run, loop: asyncio.AbstractEventLoop) -> None:
        self._began = run.number
        self._rotation = run.rotation
        loop.call_soon_threadsafe(run.began.set)

    def _pass(self, frame: Frame | None) -> None:
        if frame is not None:
            self._outlet.put(frame)
