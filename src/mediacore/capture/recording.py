"""The source ``recording``: a file (Annex B or MP4) played as a device, looped, in real time.

Annex B carries no times: access unit n of the file is shown at n / fps, with the rate that the SPS gives, else 30 per
second. MP4 has times of its own; those of decoding count, so that a file with B frames (no device sends them) plays in
the file's order at an even pace. A loop begins again one frame after the last picture, with a new epoch.
The file is read in blocks in a worker thread, at most ``READ_AHEAD`` access units ahead.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import stat
from collections import Counter
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
    Packet,
    StreamDescription,
    Target,
    Unsupported,
)
from mediacore.media_loop import monotonic_us

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mediacore.capture.source import PacketSink
    from mediacore.media_loop import MediaLoop

log = logging.getLogger(__name__)

READ_BYTES = 256 * 1024
READ_AHEAD = 16
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
    time_us: int
    """When it is shown, in µs after the start of the file."""
    duration_us: int
    """How long it is shown."""


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
        yield TimedUnit(unit, round(n * MICROSECONDS / rate), round(MICROSECONDS / rate))


def _read_mp4(path: Path) -> Iterator[TimedUnit]:
    parser = AccessUnitParser()
    with av.open(str(path)) as container:
        streams = [s for s in container.streams.video if s.codec_context.name == "h264"]
        if not streams:
            raise RecordingError(f"{path}: no H.264 video in it")
        to_annex_b = BitStreamFilterContext("h264_mp4toannexb", streams[0])
        first_us: int | None = None
        for packet in container.demux(streams[0]):
            ticks = packet.pts if packet.dts is None else packet.dts
            if ticks is None or packet.time_base is None:
                continue
            time_us = round(ticks * packet.time_base * MICROSECONDS)
            duration_us = round((packet.duration or 0) * packet.time_base * MICROSECONDS)
            first_us = time_us if first_us is None else first_us
            for converted in to_annex_b.filter(packet):
                for unit in parser.push(bytes(converted), complete=True):
                    yield TimedUnit(unit, time_us - first_us, duration_us or round(MICROSECONDS / DEFAULT_FPS))


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
    decoder = av.CodecContext.create("h264", "r")
    decoder.options = {"flags": "low_delay"}
    try:
        frames = [*decoder.decode(av.Packet(bytes(data))), *decoder.decode(None)]
    except av.error.FFmpegError as error:
        raise RecordingError(f"{path}: its first key frame cannot be decoded: {error}") from error
    if not frames or not isinstance(frames[0], av.VideoFrame):
        raise RecordingError(f"{path}: its first key frame cannot be decoded")
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)
    frame = frames[0].reformat(format="yuvj420p")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
    encoder.time_base = Fraction(1, 30)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


class Recording:
    """Plays one file; see the module's text."""

    kind = "recording"
    control = None

    def __init__(self, path: Path) -> None:
        self._path = path
        self._description: StreamDescription | None = None
        self._parameter_sets = ParameterSets()
        self._dropped: Counter[DropCause] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._sink: PacketSink | None = None
        self._epoch = 0

    @property
    def description(self) -> StreamDescription | None:
        """What is being played; None before the first key frame."""
        return self._description

    async def open(self, loop: MediaLoop, sink: PacketSink) -> None:
        """Start playing. Raises ``RecordingError`` if there is no H.264 in the file."""
        await asyncio.to_thread(first_key_frame, self._path)
        self._sink = sink
        self._task = asyncio.create_task(self._play())

    async def request_key_frame(self) -> bool:
        """False: a file has its key frames where it has them."""
        return False

    async def set_target(self, target: Target) -> Applied | Unsupported:
        """A file is played as it is."""
        return Unsupported("a recording is played as it was made")

    async def close(self) -> None:
        """Stop playing."""
        self._sink = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def stats(self) -> SourceStats:
        """Counts so far."""
        return SourceStats(max(0, self._epoch - 1), 0, dict(self._dropped))

    async def _play(self) -> None:
        start_us = monotonic_us()
        try:
            while True:
                self._epoch += 1
                self._parameter_sets = ParameterSets()
                start_us = await self._play_once(start_us)
                if self._description is None or self._description.epoch != self._epoch:
                    raise RecordingError(f"{self._path}: no H.264 key frame in it any more")
        except RecordingError as error:
            self._end(error)
        except Exception as error:
            log.exception("%s cannot be played", self._path)
            self._end(RecordingError(f"{self._path}: cannot be played: {error}"))

    def _end(self, error: RecordingError) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.ended(error)

    async def _play_once(self, start_us: int) -> int:
        """Play the file from its beginning; returns when its next loop has to begin."""
        units = read_recording(self._path)
        end_us = start_us
        while batch := await asyncio.to_thread(lambda: list(itertools.islice(units, READ_AHEAD))):
            for timed in batch:
                due_us = start_us + timed.time_us
                wait_us = due_us - monotonic_us()
                if wait_us < -MAX_LATE_US:
                    start_us -= wait_us
                    due_us -= wait_us
                elif wait_us > 0:
                    await asyncio.sleep(wait_us / MICROSECONDS)
                self._give(timed.unit, due_us)
                end_us = max(end_us, due_us + timed.duration_us)
        return end_us

    def _give(self, unit: AccessUnit, pts_us: int) -> None:
        if self._sink is None:
            return
        data = self._parameter_sets.complete(unit)
        starts = unit.is_random_access and unit.sps is not None
        if not starts and (self._description is None or self._description.epoch != self._epoch):
            self._dropped[DropCause.BEFORE_KEY_FRAME] += 1
            return
        if starts and unit.sps is not None:
            sps = unit.sps
            description = StreamDescription("h264", sps.width, sps.height, sps.profile_level_id, 0, self._epoch)
            if description != self._description:
                self._description = description
                self._sink.described(description)
        self._sink.packet(Packet("video", "h264", data, pts_us, unit.is_random_access, self._epoch, monotonic_us()))
