"""The source ``screencap``: single shots of the screen, again and again, for devices whose encoder is no use.

All shots come through one connection to a loop on the device. Their format is the one that is there first
(``ShotChoice``), measured at the start and again when costs change; what is shot for that is shown too, if it is time.
How often is ``ShotPace``'s business: as often as wanted while the screen changes, twice a second while it does not, at
once after input. A shot that is damaged is counted and the next one taken; a connection that ends is opened again.

One thread asks for shots, takes them from the native reader, and pushes those that differ from the one before.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
import threading
from collections import deque
from typing import TYPE_CHECKING

from mediacore.capture.captured_device import words_of
from mediacore.capture.own_thread import in_own_thread, off_the_loop
from mediacore.capture.raw_capture import RawCapture
from mediacore.capture.shot_choice import MEASURED_SHOTS, ShotChoice, ShotCost
from mediacore.capture.shot_pace import ShotPace
from mediacore.capture.shots import SHOT_TIMEOUT_S, OversizeError, ended, open_shots
from mediacore.capture.source import SourceStats
from mediacore.errors import (
    AdbError,
    CaptureError,
    DeviceError,
    DeviceTimeoutError,
    MediacoreError,
)
from mediacore.media import Applied, DropCause
from mediacore.media_loop import monotonic_us
from mediacore.picture_reader import Damaged, Ended, Shot

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.adb.client import AdbClient
    from mediacore.capture.shots import ShotFormat
    from mediacore.capture.source import Control
    from mediacore.media import Frame, Target, Unsupported
    from mediacore.picture_reader import PictureReader
    from mediacore.settings import StreamSettings

log = logging.getLogger(__name__)

MAX_DAMAGED = 5
"""Damaged shots in a row, after which the connection counts as broken."""
IDLE_CHECK_US = 1_000_000
"""How soon the end of a connection is noticed through which nothing is asked."""


class Screencap:
    """Captures one device through ``screencap``; see the module's text."""

    kind = "screencap"

    def __init__(self, adb: AdbClient, serial: str, settings: StreamSettings) -> None:
        self._size = settings.size
        self._capture = RawCapture(adb, serial, settings, attempt=self._take, on_turned=self._look, on_input=self._look)
        self._serial = serial
        self._outlet = self._capture.outlet
        self._lock = threading.Lock()  # of the pace
        self._pace = ShotPace(settings.fps)
        self._woken = threading.Event()
        self._choice = ShotChoice()
        self._shot_size: tuple[int, int] | None = None
        self._changed = False  # whether the newest shot differed from the one before
        self._stopping = False
        self._reader: PictureReader | None = None
        self._runs = 0

    @property
    def rotation(self) -> int:
        """Rotation of the display in degrees, as it was seen last."""
        return self._capture.device.rotation

    @property
    def control(self) -> Control | None:
        """Input, through ``input`` commands in a shell that stays open."""
        return self._capture.device.control

    async def open(
        self, push: Callable[[Frame], None], on_end: Callable[[MediacoreError | None], None], *, fps: float
    ) -> None:
        """Start; see ``FrameSource``. What the formats cost is measured afterwards."""
        self.set_fps(fps)
        await self._capture.open(push, on_end)

    def set_fps(self, fps: float) -> None:
        """See ``FrameSource``; with 0 no shot is taken, and the connection stays."""
        if fps > 0:
            self._capture.want(fps)
        with self._lock:
            self._pace.set_fps(fps)
        self._woken.set()
        if fps <= 0:
            self._capture.want(fps)

    def repeat(self) -> None:
        """The newest shot is pushed again, if it is not from before a pause, and another one is taken at once."""
        self._capture.repeat()
        self._look()

    async def set_target(self, target: Target) -> Applied | Unsupported:
        """Rate and size are in force with the next shot."""
        if target.fps is not None:
            self.set_fps(target.fps)
        if target.size is not None:
            self._size = target.size
            if self._reader is not None:
                self._reader.set_size(target.size)
        if target.key_frame:
            self.repeat()
        return Applied(dataclasses.replace(target, size=self._size))

    async def close(self) -> None:
        """See ``FrameSource``."""
        self._stopping = True
        self._woken.set()
        await self._capture.close()

    def stats(self) -> SourceStats:
        """See ``FrameSource``."""
        capture = str(self._choice)
        if capture and self._pace.depth > 1:
            capture += ", two at a time"
        return SourceStats(max(0, self._runs - 1), 0, self._outlet.drops(), capture)

    def _look(self) -> None:
        with self._lock:
            self._pace.look(monotonic_us())
        self._woken.set()

    # ------------------------------------------------------------------------------------ connections

    async def _take(self) -> None:
        """Measure if that is to be done, and take shots until it is to be done again."""
        await self._capture.wanted.wait()
        await self._measure()
        best = self._choice.best
        assert best is not None
        self._runs += 1
        with self._lock:
            self._pace.start_over(monotonic_us())
        await self._in_thread(best, self._take_shots)

    async def _in_thread(self, shot_format: ShotFormat, work: Callable[[PictureReader, ShotFormat], None]) -> None:
        """``work`` with a connection for a format."""
        try:
            reader = await open_shots(
                self._capture.adb, self._serial, shot_format, slots=self._capture.slots, size=self._size
            )
        except (DeviceError, AdbError) as error:
            raise self._capture.gone(error) from error
        self._reader = reader

        def wake() -> None:
            reader.close()
            self._woken.set()

        try:
            await in_own_thread(
                functools.partial(work, reader, shot_format), name=f"screencap {self._serial}", wake=wake
            )
        finally:
            self._reader = None
            await off_the_loop(reader.close, name="the reader of screencap")

    async def _measure(self) -> None:
        """Find out what each format costs, if that is not known. Raises ``CaptureError`` if none gives a picture."""
        formats = self._choice.to_measure(monotonic_us(), changing=self._changed)
        for shot_format in formats:
            await self._measure_format(shot_format)
        if formats:
            self._choice.settled(monotonic_us())
        if self._choice.best is None:
            raise CaptureError(self._serial, f"screencap gives no pictures: {await self._words()}")
        if formats:
            log.info("screencap on %s: %s", self._serial, self._choice)

    async def _measure_format(self, shot_format: ShotFormat) -> None:
        try:
            await self._in_thread(shot_format, self._take_measured)
        except OversizeError:
            if await self._capture.slots.grow(self._capture.device):
                await self._measure_format(shot_format)
            else:
                self._choice.failed(shot_format)

    async def _words(self) -> str:
        """What the program says instead."""
        said = await self._capture.device.shell.run("screencap -p 2>&1 >/dev/null", timeout_s=SHOT_TIMEOUT_S)
        return words_of(said.stdout) or f"its exit code is {said.exit_code}"

    # ------------------------------------------------------------------------------------ in the thread

    def _take_measured(self, reader: PictureReader, shot_format: ShotFormat) -> None:
        costs: list[ShotCost] = []
        patience_us = self._choice.patience_us
        for _ in range(MEASURED_SHOTS):
            asked_us = monotonic_us()
            with self._lock:
                is_due = self._pace.due_us(0) <= asked_us
                if is_due:
                    self._pace.asked(asked_us)
            reader.request()
            item = reader.next(SHOT_TIMEOUT_S if patience_us is None else patience_us / 1e6)
            if reader.closed:
                return  # nothing is known of the format
            if isinstance(item, Shot):
                costs.append(ShotCost(item.complete_us - asked_us, item.decoded_us - item.complete_us))
                if is_due:
                    # The one before may not have been pushed.
                    self._outlet.put(dataclasses.replace(item.frame, dirty_rows=None))
                else:
                    self._outlet.drop(DropCause.RATE)
            elif item is None and not costs:
                self._choice.gave_up(shot_format, monotonic_us() - asked_us)
                return
            elif isinstance(item, Damaged):
                self._count(item)
        if costs:
            self._choice.measured(shot_format, costs)
        else:
            self._choice.failed(shot_format)

    def _take_shots(self, reader: PictureReader, shot_format: ShotFormat) -> None:
        del shot_format
        asked: deque[int] = deque()
        complete_us = damaged = 0
        while not (self._stopping or reader.closed):
            now_us = monotonic_us()
            measuring = bool(self._choice.to_measure(now_us, changing=self._changed))
            if measuring and not asked:
                return
            with self._lock:
                due_us = self._pace.due_us(len(asked))
                if due_us <= now_us and not measuring and reader.request():
                    self._pace.asked(now_us)
                    asked.append(now_us)
                    continue
            if due_us <= now_us:  # refused, or to be measured first: what is under way is waited for
                due_us = math.inf
                if not asked:
                    raise self._refused(reader)
            item = self._next(reader, asked, now_us, due_us)
            if isinstance(item, Shot):
                damaged = 0
                cost_us = item.decoded_us - max(asked.popleft(), complete_us)
                complete_us = item.complete_us
                self._choice.used(cost_us)
                self._changed = self._outlet.put(item.frame)
                with self._lock:
                    self._pace.came(monotonic_us(), changed=self._changed, took_us=cost_us)
                if item.frame.size != self._shot_size:
                    self._shot_size = item.frame.size
                    self._capture.device.look_at_display()
            elif item is not None:
                asked.popleft()
                # Where there is no memory, others keep frames: no fault of the device's, and no reason to hurry.
                if not (isinstance(item, Damaged) and item.cause == DropCause.POOL_EXHAUSTED):
                    damaged += 1
                    self._look()
                self._check(item, damaged)

    def _next(
        self, reader: PictureReader, asked: deque[int], now_us: int, due_us: float
    ) -> Shot | Damaged | Ended | None:
        """What comes until the next shot is due, or something else is to be done."""
        if not asked:
            self._woken.wait(min(max(0.0, due_us - now_us), IDLE_CHECK_US) / 1e6)
            self._woken.clear()
            item = reader.next(0)
            if isinstance(item, Ended):
                raise ended(self._serial, item, "screencap")
            return None
        deadline_us = asked[0] + SHOT_TIMEOUT_S * 1e6
        if now_us > deadline_us:
            raise DeviceTimeoutError(self._serial, f"no shot came within {SHOT_TIMEOUT_S:g} s")
        return reader.next(max(0.0, min(deadline_us, due_us) - now_us) / 1e6)

    def _refused(self, reader: PictureReader) -> DeviceError:
        """The error for a loop that takes no line from us: it has ended, or it hangs."""
        item = reader.next(IDLE_CHECK_US / 1e6)
        if isinstance(item, Ended):
            return ended(self._serial, item, "screencap")
        return DeviceTimeoutError(self._serial, "the loop of screencap takes no line any more")

    def _check(self, item: Damaged | Ended, damaged: int) -> None:
        """Raises if no more shots are to be had through this connection."""
        if isinstance(item, Ended):
            raise ended(self._serial, item, "screencap")
        self._count(item)
        if damaged >= MAX_DAMAGED:
            self._choice.forget()  # it may be the format that does not work any more
            raise CaptureError(self._serial, f"screencap gives damaged pictures: {item.detail}")

    def _count(self, item: Damaged) -> None:
        """Raises ``OversizeError``: a reader with more memory may take such pictures."""
        log.debug("a shot of %s is damaged: %s", self._serial, item.detail)
        self._outlet.drop(item.cause)
        if item.cause == DropCause.OVERSIZE:
            raise OversizeError(self._serial, f"the screen is larger than it was: {item.detail}")
