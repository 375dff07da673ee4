"""``screenrecord`` of a simulated device, with the habits of the real one (AOSP frameworks/av, cmds/screenrecord).

SPS and PPS once, in the same write as the first IDR picture; an IDR picture every 10 s; nothing while nothing changes,
not even a first picture; one write per frame; a time limit. ``--output-format=frames`` gives raw RGB pictures, without
encoder and without limit. Only these two, and only to ``-``, are simulated.
"""

from __future__ import annotations

import asyncio
import re
import struct
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mediacore.testing import sei
from mediacore.testing.encoder import H264Encoder, project
from mediacore.testing.loop_encoder import LoopKey
from mediacore.testing.screencap import WORDS, rgb888

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.testing.faults import Spoil
    from mediacore.testing.phone import Phone
    from mediacore.testing.screen import Picture
    from mediacore.testing.shell import Io

BITRATE_BPS = (100_000, 200_000_000)
DEFAULT_BITRATE_BPS = 20_000_000
MAX_LIMIT_S = 180
KEY_FRAME_INTERVAL_S = 10.0
FORMATS = ("mp4", "h264", "webm", "3gpp", "frames", "raw-frames")
USAGE_ERROR, FAILURE = 2, 1
RGB_888 = 3
FRAME_HEADER = struct.Struct("<5I")
"""Length of what follows, width, height, bytes a row, format."""
LOOP_LAG_S = 1.0
"""A loop that is late by more begins again: a stalled link gets no burst of old pictures."""

HELP = """Usage: screenrecord [options] <filename>

Records the simulated device's display.

Options:
--size WIDTHxHEIGHT
    Set the video size, e.g. "1280x720". Default is the size of the display.
--bit-rate RATE
    Set the video bit rate in bits per second: 4000000 is the same as 4M. Default 20M.
--time-limit TIME
    Set the maximum recording time, in seconds.  Default is 180.{unlimited}
--output-format h264|frames
    Write a bare H.264 byte stream, or raw pictures; what is simulated, and only to "-".
--display-id ID
    Accepted and ignored: there is one display.
--verbose
    Accepted and ignored.
--help
    Show this message.

Recording continues until Ctrl-C is hit or the time limit is reached.
"""
UNLIMITED = " Set to 0\n    to remove the time limit."


class UsageError(ValueError):
    """A bad option; the text is what the program says of it."""


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """What the command line asks for."""

    size: tuple[int, int] | None = None
    bitrate_bps: int = DEFAULT_BITRATE_BPS
    limit_s: float = MAX_LIMIT_S
    output_format: str = "mp4"
    output: str | None = None
    help: bool = False


def _rate(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([mM]?)", text)
    value = int(float(found[1]) * (1_000_000 if found[2] else 1)) if found else 0
    low, high = BITRATE_BPS
    if not low <= value <= high:
        raise UsageError(f"Bit rate {value}bps outside acceptable range [{low},{high}]")
    return value


def _limit(text: str, *, unlimited: bool) -> float:
    value = int(text) if re.fullmatch(r"-?\d+", text) else -1
    if unlimited and value == 0:
        return 0
    if value < 0 or (not unlimited and not 1 <= value <= MAX_LIMIT_S):
        raise UsageError(f"Time limit {value}s outside acceptable range [{0 if unlimited else 1},{MAX_LIMIT_S}]")
    return value


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if not found or not int(found[1]) or not int(found[2]):
        raise UsageError(f"Invalid size '{text}', must be width x height")
    return int(found[1]), int(found[2])


def parse_options(args: list[str], *, unlimited: bool) -> RecordOptions:
    """Reads a command line; ``--name value`` and ``--name=value`` are the same.

    Raises:
        UsageError: an option or its value is not one of screenrecord's.
    """
    values: dict[str, str] = {}
    rest = list(args)
    output = None
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            output = word
            continue
        name, has_value, value = word[2:].partition("=")
        if name in ("help", "verbose", "bugreport"):
            values[name] = "1"
        elif name in ("size", "bit-rate", "time-limit", "output-format", "display-id"):
            if not has_value and not rest:
                raise UsageError(f"screenrecord: option '--{name}' requires an argument")
            values[name] = value if has_value else rest.pop(0)
        else:
            raise UsageError(f"screenrecord: unrecognized option '{word}'")
    output_format = values.get("output-format", "mp4")
    if output_format not in FORMATS:
        raise UsageError(f"Unknown format '{output_format}'")
    return RecordOptions(
        size=_size(values["size"]) if "size" in values else None,
        bitrate_bps=_rate(values["bit-rate"]) if "bit-rate" in values else DEFAULT_BITRATE_BPS,
        limit_s=_limit(values["time-limit"], unlimited=unlimited) if "time-limit" in values else MAX_LIMIT_S,
        output_format=output_format,
        output=output,
        help="help" in values,
    )


async def screenrecord(phone: Phone, io: Io, args: list[str]) -> int:
    """The program. Returns its exit code; ends early when the stream is closed."""
    try:
        options = parse_options(args, unlimited=phone.options.unlimited_screenrecord)
        if options.help:
            await io.say(HELP.format(unlimited=UNLIMITED if phone.options.unlimited_screenrecord else ""))
            return 0
        if options.output_format == "frames" and not phone.options.screenrecord_frames:
            raise UsageError("Unknown format 'frames'")
        if options.output is None:
            raise UsageError("Must specify output file (see --help).")
    except UsageError as error:
        await io.complain(f"{error}\n")
        return USAGE_ERROR
    if options.output_format not in ("h264", "frames") or options.output != "-":
        await io.complain("ERROR: only --output-format=h264 or frames to - is simulated\n")
        return FAILURE
    size = options.size or phone.display.size
    if options.output_format == "frames":
        await _record_frames(phone, io, (size[0] & ~1, size[1] & ~1))
        return 0
    # A loop on a static screen would move.
    looped = phone.options.encode == "loop" and phone.display.scene != "static"
    record = _record_loop if looped else _record_live
    try:
        _check_encoder(phone, size)
        async with asyncio.timeout(options.limit_s or None):
            await record(phone, io, options, size)
    except TimeoutError:
        return 0
    except ValueError as error:
        await io.complain(f"ERROR: unable to configure video/avc codec at {size[0]}x{size[1]} ({error})\n")
    return FAILURE


def _check_encoder(phone: Phone, size: tuple[int, int]) -> None:
    even = size[0] % 2 == size[1] % 2 == 0
    if not phone.options.video_encoder or not even or not all(64 <= side <= 4096 for side in size):
        raise ValueError("err=-38")


async def _record_live(phone: Phone, io: Io, options: RecordOptions, size: tuple[int, int]) -> None:
    told = phone.options
    encoder = H264Encoder(size, phone.display.fps, options.bitrate_bps, told.profile, told.colours)
    key_frame_due = 0.0

    def encode(picture: Picture) -> bytes:
        nonlocal key_frame_due
        now = time.monotonic()
        key = now >= key_frame_due
        if key:
            key_frame_due = now + KEY_FRAME_INTERVAL_S
        return encoder.encode(picture.block, key=key)

    await _record_each(phone, io, size, encode)


async def _record_frames(phone: Phone, io: Io, size: tuple[int, int]) -> None:
    def write(picture: Picture) -> bytes:
        spoil = phone.spoils["screenrecord"].take()
        if spoil == "cut":
            phone.link.cut(unplug=False)
        return _frame(picture, spoil)

    await _record_each(phone, io, size, write)


def _frame(picture: Picture, spoil: Spoil | None) -> bytes:
    """One raw frame as it is written, or what a fault leaves of it."""
    width, height = picture.size
    body = rgb888(picture).tobytes()
    told_height = height * 2 if spoil == "resized" else height
    data = FRAME_HEADER.pack(FRAME_HEADER.size - 4 + len(body), width, told_height, 3 * width, RGB_888) + body
    if spoil == "half":
        return data[: len(data) // 2]
    return WORDS + data if spoil == "words" else data


async def _record_each(phone: Phone, io: Io, size: tuple[int, int], write: Callable[[Picture], bytes]) -> None:
    """Whatever ``write``, in a thread, makes of each frame of the display from now on, in the size of the recording."""
    display = phone.display
    started_size, started_rotation = display.size, display.rotation

    def fitted(picture: Picture) -> bytes:
        turned = picture.rotation - started_rotation
        block = project(picture.block, turned, size, started_size, phone.options.rotation)
        return write(replace(picture, block=block))

    feed = await display.watch()
    try:
        with phone.recording():
            while True:
                picture = await feed.next()
                await phone.link.deliver(io.stdout, await asyncio.to_thread(fitted, picture))
                phone.count_frame()
    finally:
        phone.count_dropped(feed.dropped)
        display.unwatch(feed)


async def _record_loop(phone: Phone, io: Io, options: RecordOptions, size: tuple[int, int]) -> None:
    display, fps = phone.display, phone.display.fps
    frames = max(1, round(phone.options.loop_s * fps))
    told = phone.options
    key = LoopKey(display.scene, display.size, size, fps, options.bitrate_bps, told.profile, told.colours, frames)
    loop = await phone.pictures.loop(key)
    clock = asyncio.get_running_loop().time
    number, at, start = 0, 0, clock()
    with phone.recording():
        while True:
            stored, offset = await loop.unit(at)
            unit = bytearray(stored)
            sei.patch(unit, offset, number, time.time_ns() // 1000)
            await phone.link.deliver(io.stdout, loop.headers + bytes(unit) if number == 0 else bytes(unit))
            phone.count_frame()
            number, at = number + 1, at + 1
            late_s = clock() - (start + number / fps)
            if late_s > LOOP_LAG_S:
                skipped = int(late_s * fps)
                phone.count_dropped(skipped)
                number, at = number + skipped, 0
            await phone.unfrozen.wait()
            await asyncio.sleep(max(0.0, start + number / fps - clock()))
