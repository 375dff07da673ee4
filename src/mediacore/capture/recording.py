"""The source ``recording``: a file (Annex B or MP4) played as a device, looped, in real time.

Annex B carries no times: access unit n of the file is shown at n / fps, with the rate that the SPS gives, else 30 per
second. MP4 has times of its own; those of decoding count, so that a file with B frames (no device sends them) plays in
the file's order at an even pace. A loop begins again one frame after the last picture, with a new epoch.

The file is read in a worker thread, up to ``AHEAD_US`` before its pictures are due, and pushed into the media loop a
part at a time with the times at which they are to leave: nothing is woken per picture. Playing starts at a multiple of
the first picture's duration on the monotonic clock, so that recordings of one rate have their pictures due together.
"""

from __future__ import annotations

import asyncio
import logging
import math
import stat
from collections import Counter, deque
from dataclasses import dataclass, field
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
AHEAD_US = 12_000_000
"""Pictures are handed to the media loop so long before they are due at most, and ``BATCH_US`` less at least if they are
not more than ``AHEAD_BYTES``: Python may stand still meanwhile, for 8 s and more."""
AHEAD_BYTES = 8 << 20
"""No more bytes than this wait in the media loop, an access unit aside; it takes twice as many."""
BATCH_US = 2_000_000
BATCH_BYTES = 2 << 20
"""What is read and pushed at one time: half a turn of the asyncio loop a second."""
KEPT_BYTES = 8 << 20
"""A file of up to so many bytes is kept in memory while it plays, in parts that are ready to be pushed."""
FULL_S = 0.05
"""Pause before pictures that the media loop did not take are pushed again."""
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


@dataclass(slots=True)
class _Part:
    """A part of a file, to be pushed at one time."""

    first_us: float = -1.0
    """When its first picture is shown, after the start of the file."""
    first_duration_us: float = 0.0
    """How long that one is shown."""
    end_us: float = 0.0
    """When the one after the last is to be shown."""
    size: int = 0
    """Bytes of its pictures."""
    pictures: list[tuple[bytes | memoryview, float, bool]] = field(default_factory=list)
    """(data with parameter sets, time, is it one to begin with), from the first key frame on."""
    dropped: int = 0
    """Pictures before it."""


class _Reader:
    """Reads a file pass by pass and part by part, in a worker thread.

    A file of at most ``KEPT_BYTES`` is kept, and read again only when it has changed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state: tuple[int, int, int] | None = None  # of the file, before it was read
        self._units: Iterator[TimedUnit] = iter(())
        self._parameter_sets = ParameterSets()
        self._kept: list[_Part] | None = None  # of this pass so far; None: they are too many
        self._again: Iterator[_Part] | None = None  # the kept ones, in a pass that reads nothing
        self._read = False
        self.has_key_frame = False
        """There was one in this pass."""

    @property
    def reads(self) -> bool:
        """False if this pass is of what is kept: ``next_part`` does not wait for the file."""
        return self._again is None

    def begin(self) -> None:
        """Start a pass; ``RecordingError``."""
        try:
            found = self._path.stat()
        except OSError as error:
            raise RecordingError(f"{self._path}: cannot be read: {error.strerror or error}") from error
        state = (found.st_mtime_ns, found.st_size, found.st_ino)
        if self._read and self._kept is not None and state == self._state:
            self._again = iter(self._kept)
            return
        self._state, self._again, self._kept, self._read = state, None, [], False
        self._units = read_recording(self._path)
        self._parameter_sets = ParameterSets()
        self.has_key_frame = False

    def next_part(self) -> _Part | None:
        """None at the end of the pass; ``RecordingError``."""
        if self._again is not None:
            return next(self._again, None)
        part = self._read_part()
        if part is None:
            self._read = True
        elif self._kept is not None:
            self._kept.append(part)
            if sum(one.size for one in self._kept) > KEPT_BYTES:
                self._kept = None
        return part

    def _read_part(self) -> _Part | None:
        part = _Part()
        for timed in self._units:
            unit = timed.unit
            data = self._parameter_sets.complete(unit)
            if part.first_us < 0:
                part.first_us, part.first_duration_us = timed.time_us, timed.duration_us
            part.end_us = max(part.end_us, timed.time_us + timed.duration_us)
            self.has_key_frame = self.has_key_frame or (unit.is_random_access and unit.sps is not None)
            if self.has_key_frame:
                part.pictures.append((data, timed.time_us, unit.is_random_access))
                part.size += len(data)
            else:
                part.dropped += 1
            if part.size >= BATCH_BYTES or part.end_us - part.first_us >= BATCH_US:
                break
        return part if part.first_us >= 0 else None


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
        self._dropped: Counter[DropCause] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._loop: MediaLoop | None = None
        self._rendition = 0
        self._on_end: Callable[[MediacoreError | None], None] | None = None
        self._ahead: deque[tuple[float, int]] = deque()  # (last due time, bytes) of the parts pushed last

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
        reader = _Reader(self._path)
        try:
            while True:
                await asyncio.to_thread(reader.begin)
                end_us = await self._play_once(reader, end_us)
                if not reader.has_key_frame:
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

    async def _play_once(self, reader: _Reader, start_us: float) -> float:
        """Hand the file to the media loop from its beginning; the time at which its next pass has to begin."""
        aligned = False
        end_us = start_us
        while (part := await asyncio.to_thread(reader.next_part) if reader.reads else reader.next_part()) is not None:
            await self._wait_for_room()
            late_us = monotonic_us() - (start_us + part.first_us)
            if late_us > (MAX_LATE_US if aligned or self._ahead else 0):
                start_us += late_us
                aligned = False
            if not aligned:
                start_us = _next_multiple(start_us + part.first_us, part.first_duration_us) - part.first_us
                aligned = True
            await self._push(part, start_us)
            end_us = max(end_us, start_us + part.end_us)
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

    async def _push(self, part: _Part, start_us: float) -> None:
        if part.dropped:
            self._dropped[DropCause.BEFORE_KEY_FRAME] += part.dropped
        units = [(data, round(start_us + time_us), is_key) for data, time_us, is_key in part.pictures]
        if not units:
            return
        while units := units[self._native.push_all(self._rendition, units) :]:  # noqa: ASYNC110  # time makes room
            await asyncio.sleep(FULL_S)
        self._ahead.append((start_us + part.pictures[-1][1], part.size))
