"""The source ``recording``: a file (Annex B or MP4) played as a device, looped, in real time.

Annex B carries no times: access unit n of the file is shown at n / fps, with the rate that the SPS gives, else 30 per
second. MP4 has times of its own; those of decoding count, so that a file with B frames (no device sends them) plays in
the file's order at an even pace. A loop begins again one frame after the last picture, with a new epoch.

The file is read in a worker thread, up to ``AHEAD_US`` before its pictures are due, and pushed into the media loop with
the times at which they are to leave: nothing is woken per picture. Playing starts at a multiple of the first picture's
duration on the monotonic clock, so that recordings of one rate have their pictures due together.
"""

from __future__ import annotations

import asyncio
import logging
import math
import stat
from collections import Counter, deque
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import av.error
from av.bitstream import BitStreamFilterContext
from av.video.codeccontext import VideoCodecContext

from mediacore.capture.source import SourceStats
from mediacore.errors import BitstreamError, RecordingError
from mediacore.h264 import AccessUnit, AccessUnitParser, ParameterSets
from mediacore.media import (
    MICROSECONDS,
    Applied,
    DropCause,
    StreamDescription,
    Target,
    Unsupported,
)
from mediacore.media_loop import monotonic_us

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mediacore import _core
    from mediacore.errors import MediacoreError
    from mediacore.media_loop import MediaLoop

log = logging.getLogger(__name__)

READ_BYTES = 256 * 1024
AHEAD_US = 2_000_000
"""Pictures are handed to the media loop so long before they are due at most: Python may stand still meanwhile."""
AHEAD_BYTES = 8 << 20
"""No more bytes than this wait in the media loop, an access unit aside; it takes twice as many."""
BATCH_US = 500_000
BATCH_BYTES = 2 << 20
"""What is read and pushed at one time: two turns of the asyncio loop a second."""
FULL_S = 0.05
"""Pause before a picture that the media loop did not take is pushed again."""
DEFAULT_FPS = 30.0
FPS_RANGE = (1.0, 240.0)
"""Outside of it, an SPS's timing is taken for a mistake."""
MAX_LATE_US = 1_000_000
"""Further behind than this (the machine slept), playing goes on from now instead of catching up."""
MP4_BRANDS = (b"ftyp", b"moov", b"mdat")


@dataclass(frozen=True, slots=True)
class TimedUnit:
    """One access unit of a file."""

    unit: AccessUnit
    """The access unit."""
    time_us: float
    """When it is shown, in µs after the start of the file."""
    duration_us: float
    """How long it is shown, in µs."""


def _annex_b_units(path: Path) -> Iterator[AccessUnit]:
    parser = AccessUnitParser()
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            yield from parser.push(block)
    if (last := parser.flush()) is not None:
        yield last


def _read_annex_b(path: Path) -> Iterator[TimedUnit]:
    fps: float | None = None
    for n, unit in enumerate(_annex_b_units(path)):
        if fps is None and unit.sps is not None:
            told = unit.sps.fps or 0.0
            fps = told if FPS_RANGE[0] <= told <= FPS_RANGE[1] else DEFAULT_FPS
        rate = fps or DEFAULT_FPS
        yield TimedUnit(unit, n * MICROSECONDS / rate, MICROSECONDS / rate)


def _read_mp4(path: Path) -> Iterator[TimedUnit]:
    parser = AccessUnitParser()
    with av.open(str(path)) as container:
        streams = [s for s in container.streams.video if s.codec_context.name == "h264"]
        if not streams:
            raise RecordingError(f"{path}: no H.264 video in it")
        to_annex_b = BitStreamFilterContext("h264_mp4toannexb", streams[0])
        first_us: float | None = None
        for packet in container.demux(streams[0]):
            ticks = packet.pts if packet.dts is None else packet.dts
            if ticks is None or packet.time_base is None:
                continue
            time_us = float(ticks * packet.time_base * MICROSECONDS)
            duration_us = float((packet.duration or 0) * packet.time_base * MICROSECONDS)
            first_us = time_us if first_us is None else first_us
            for converted in to_annex_b.filter(packet):
                for unit in parser.push(bytes(converted), complete=True):
                    yield TimedUnit(unit, time_us - first_us, duration_us or MICROSECONDS / DEFAULT_FPS)


def read_recording(path: Path) -> Iterator[TimedUnit]:
    """The access units of a file with their times; raises ``RecordingError`` if it is neither Annex B nor MP4."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise RecordingError(f"{path}: not a regular file")
        with path.open("rb") as file:
            head = file.read(12)
        yield from _read_mp4(path) if head[4:8] in MP4_BRANDS else _read_annex_b(path)
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror or error}") from error
    except BitstreamError as error:
        raise RecordingError(f"{path}: not a usable H.264 stream: {error}") from error
    except av.error.FFmpegError as error:
        raise RecordingError(f"{path}: not a usable MP4 file: {error}") from error


def first_key_frame(path: Path) -> tuple[AccessUnit, bytes | memoryview]:
    """The first key frame of a file and its bytes with SPS and PPS; ``RecordingError`` if there is none."""
    parameter_sets = ParameterSets()
    for timed in read_recording(path):
        data = parameter_sets.complete(timed.unit)
        if timed.unit.is_random_access and timed.unit.sps is not None:
            return timed.unit, data
    raise RecordingError(f"{path}: no H.264 key frame in it")


def picture_of(path: Path) -> bytes:
    """The first picture of a recording as JPEG, for a poster."""
    _, data = first_key_frame(path)
    picture = jpeg_of("h264", data)
    if picture is None:
        raise RecordingError(f"{path}: its first key frame cannot be decoded")
    return picture


def jpeg_of(codec: str, data: bytes | memoryview) -> bytes | None:
    """A key frame as JPEG; None if it cannot be decoded."""
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.options = {"flags": "low_delay"}
    try:
        frames = [*decoder.decode(av.Packet(bytes(data))), *decoder.decode(None)]
    except av.error.FFmpegError as error:
        log.info("a key frame of %s cannot be decoded: %s", codec, error)
        return None
    if not frames:
        return None
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)
    frame = frames[0].reformat(format="yuvj420p")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
    encoder.time_base = Fraction(1, 30)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def _next_multiple(time_us: float, step_us: float) -> float:
    """The first multiple of the step that is not before the time, give or take the rounding of a microsecond."""
    return math.ceil((time_us - 1) / step_us) * step_us


def _read_batch(units: Iterator[TimedUnit]) -> list[TimedUnit]:
    """The next part of a file; empty at its end."""
    batch: list[TimedUnit] = []
    size = 0
    for timed in units:
        batch.append(timed)
        size += len(timed.unit.data)
        if size >= BATCH_BYTES or timed.time_us + timed.duration_us - batch[0].time_us >= BATCH_US:
            break
    return batch


class Recording:
    """Plays one file; see the module's text."""

    kind = "recording"
    codec = "h264"
    has_audio = False
    key_frames_on_request = False
    push = None
    control = None

    def __init__(self, path: Path) -> None:
        self._path = path
        self._description: StreamDescription | None = None
        self._parameter_sets = ParameterSets()
        self._dropped: Counter[DropCause] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._loop: MediaLoop | None = None
        self._rendition = 0
        self._on_end: Callable[[MediacoreError | None], None] | None = None
        self._has_key_frame = False  # in this pass
        self._ahead: deque[tuple[float, int]] = deque()  # (due time, bytes) of what was pushed last

    @property
    def description(self) -> StreamDescription | None:
        """What is being played; None before the first key frame."""
        return self._description

    async def open(
        self, loop: MediaLoop, rendition: int, audio: int, on_end: Callable[[MediacoreError | None], None]
    ) -> None:
        """Start playing. Raises ``RecordingError`` if there is no H.264 in the file."""
        del audio
        await asyncio.to_thread(first_key_frame, self._path)
        self._loop, self._rendition, self._on_end = loop, rendition, on_end
        self._task = asyncio.create_task(self._play())

    def described(self, width: int, height: int, profile_level_id: str, epoch: int) -> StreamDescription:
        """As the file has it; a recording is never turned."""
        self._description = StreamDescription(self.codec, width, height, profile_level_id, 0, epoch)
        return self._description

    async def request_key_frame(self) -> bool:
        """False: a file has its key frames where it has them."""
        return False

    async def set_target(self, target: Target) -> Applied | Unsupported:
        """A file is played as it is."""
        return Unsupported("a recording is played as it was made")

    async def close(self) -> None:
        """Stop playing."""
        self._on_end = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def stats(self) -> SourceStats:
        """Counts so far."""
        epoch = self._description.epoch if self._description is not None else 0
        return SourceStats(max(0, epoch - 1), 0, dict(self._dropped))

    async def _play(self) -> None:
        end_us: float = monotonic_us()
        try:
            while True:
                self._parameter_sets = ParameterSets()
                self._has_key_frame = False
                end_us = await self._play_once(end_us)
                if not self._has_key_frame:
                    raise RecordingError(f"{self._path}: no H.264 key frame in it any more")
                self._native.new_epoch(self._rendition)
        except RecordingError as error:
            await self._end(error)
        except Exception as error:
            log.exception("%s cannot be played", self._path)
            await self._end(RecordingError(f"{self._path}: cannot be played: {error}"))

    async def _end(self, error: RecordingError) -> None:
        """Told when what was read before has been played."""
        if self._ahead:
            await asyncio.sleep((self._ahead[-1][0] - monotonic_us()) / MICROSECONDS)
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(error)

    async def _play_once(self, start_us: float) -> float:
        """Hand the file to the media loop from its beginning; the time at which its next pass has to begin."""
        units = read_recording(self._path)
        aligned = False
        end_us = start_us
        while batch := await asyncio.to_thread(_read_batch, units):
            await self._wait_for_room()
            late_us = monotonic_us() - (start_us + batch[0].time_us)
            if late_us > (MAX_LATE_US if aligned or self._ahead else 0):
                start_us += late_us
                aligned = False
            if not aligned:
                start_us = _next_multiple(start_us + batch[0].time_us, batch[0].duration_us) - batch[0].time_us
                aligned = True
            for timed in batch:
                await self._push(timed.unit, start_us + timed.time_us)
                end_us = max(end_us, start_us + timed.time_us + timed.duration_us)
        return end_us

    @property
    def _native(self) -> _core.MediaLoop:
        assert self._loop is not None
        return self._loop.native

    async def _wait_for_room(self) -> None:
        while True:
            now_us = monotonic_us()
            while self._ahead and self._ahead[0][0] < now_us:
                self._ahead.popleft()
            over_us = self._ahead[-1][0] - now_us - (AHEAD_US - BATCH_US) if self._ahead else 0
            if over_us <= 0 and sum(size for _, size in self._ahead) <= AHEAD_BYTES - BATCH_BYTES:
                return
            await asyncio.sleep(max(over_us / MICROSECONDS, FULL_S))

    async def _push(self, unit: AccessUnit, due_us: float) -> None:
        data = self._parameter_sets.complete(unit)
        self._has_key_frame = self._has_key_frame or (unit.is_random_access and unit.sps is not None)
        if not self._has_key_frame:
            self._dropped[DropCause.BEFORE_KEY_FRAME] += 1
            return
        at_us = round(due_us)
        while not self._native.push(  # noqa: ASYNC110  # time makes room, nothing tells of it
            self._rendition, data, pts_us=at_us, is_key=unit.is_random_access, due_us=at_us, received_us=at_us
        ):
            await asyncio.sleep(FULL_S)
        self._ahead.append((due_us, len(data)))
