"""``screencap`` of a simulated device: PNG, JPEG, or raw pixels behind the header of its age (AOSP cmds/screencap)."""

from __future__ import annotations

import asyncio
import struct
import zlib
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias, cast

import av
import numpy as np
from av.video.reformatter import Interpolation

from mediacore.testing.adb_transport import StreamClosedError
from mediacore.testing.scenes import Planes

if TYPE_CHECKING:
    import numpy.typing as npt

    from mediacore.testing.faults import Spoil
    from mediacore.testing.options import ShotFormat
    from mediacore.testing.phone import Phone
    from mediacore.testing.screen import Picture
    from mediacore.testing.shell import Io

    Pixels: TypeAlias = npt.NDArray[np.uint8]

CONVERTED_PX = 8
EXACTLY = int(Interpolation.BILINEAR) | 0x40000 | 0x2000
"""SWS_ACCURATE_RND and SWS_FULL_CHR_H_INT (libswscale/swscale.h)."""
RGBA_8888 = 1
SRGB = 1
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_RGBA = 6
FINEST_JPEG = {"flags": "+qscale", "global_quality": "118", "qmin": "1", "qmax": "1"}
"""The least quantizer, as the program's quality of 100; FFmpeg counts it in units of 118."""
WORDS = (  # what the program says when there are several displays
    b"[Warning] Multiple displays were found, but no display id was specified! Defaulting to the first display found, "
    b"however this default is not guaranteed to be consistent across captures. A display id should be specified.\n"
)


def _converted(picture: Picture, pixel_format: str) -> Pixels:
    width, height = picture.size
    block = picture.block
    if width % CONVERTED_PX:
        # swscale's quick way leaves out what is right of the last whole group of pixels.
        block = np.empty((height * 3 // 2, -(-width // CONVERTED_PX) * CONVERTED_PX), np.uint8)
        wide, planes = Planes.of(block), Planes.of(picture.block)
        wide.y[:, :width], wide.y[:, width:] = planes.y, 0
        wide.u[:, : width // 2], wide.u[:, width // 2 :] = planes.u, 128
        wide.v[:, : width // 2], wide.v[:, width // 2 :] = planes.v, 128
    # swscale's own choice of arithmetic is up to 2 off.
    frame = av.VideoFrame.from_numpy_buffer(block, "yuv420p").reformat(format=pixel_format, interpolation=EXACTLY)
    return cast("Pixels", frame.to_ndarray())[:, :width]


def _rgba(picture: Picture) -> bytes:
    return _converted(picture, "rgba").tobytes()


def rgb888(picture: Picture) -> Pixels:
    """A frame as (height, width, 3) of red, green and blue."""
    return _converted(picture, "rgb24")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(picture: Picture, *, told_height: int | None = None) -> bytes:
    """A frame as an RGBA PNG; its header may tell of another height than it has."""
    width, height = picture.size
    rows = np.zeros((height, 1 + width * 4), np.uint8)  # each row begins with its filter, 0: none
    rows[:, 1:] = np.frombuffer(_rgba(picture), np.uint8).reshape(height, width * 4)
    header = struct.pack(">IIBBBBB", width, told_height or height, 8, PNG_RGBA, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 1)
    return PNG_SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def raw(picture: Picture, header_bytes: int, *, told_height: int | None = None) -> bytes:
    """A frame as RGBA rows without padding, behind {width, height, format} and, at 16 bytes, the colour space."""
    width, height = picture.size
    return struct.pack("<4I", width, told_height or height, RGBA_8888, SRGB)[:header_bytes] + _rgba(picture)


def jpeg(picture: Picture) -> bytes:
    """A frame as a JPEG of the finest quality, with half the chroma both ways."""
    context = av.CodecContext.create("mjpeg", "w")
    context.width, context.height = picture.size
    context.pix_fmt = "yuvj420p"
    context.time_base = Fraction(1)
    context.sample_aspect_ratio = Fraction(1)  # without, it would have no JFIF header
    context.thread_count = 1
    context.options = FINEST_JPEG
    # By way of RGB, which is what the program has: JPEG's matrix is its own.
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb888(picture)), "rgb24").reformat(format="yuvj420p")
    return b"".join(bytes(packet) for packet in context.encode(frame))


def _encoded(picture: Picture, shot_format: ShotFormat, header_bytes: int, spoil: Spoil | None) -> bytes:
    told_height = picture.size[1] * 2 if spoil == "resized" else None
    if shot_format == "png":
        return png(picture, told_height=told_height)
    if shot_format == "jpeg":
        data = jpeg(picture)
        return data if told_height is None else data[: len(data) // 2]
    return raw(picture, header_bytes, told_height=told_height)


class _UsageError(ValueError):
    """A bad command line; the text is what the program says of it."""


def _parse(args: list[str], *, takes_jpeg: bool) -> tuple[ShotFormat, str | None]:
    shot_format: ShotFormat = "raw"
    path = None
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "-p":
            shot_format = "png"
        elif word in ("-j", "--jpeg") and takes_jpeg:
            shot_format = "jpeg"
        elif word == "-d" and rest:
            rest.pop(0)
        elif word.startswith("-"):
            raise _UsageError(
                f"screencap: invalid option -- '{word[1:]}'\nusage: screencap [-p] [-d display-id] [FILENAME]\n"
            )
        else:
            path = word
            shot_format = "png" if path.endswith(".png") else shot_format
    return shot_format, path


async def screencap(phone: Phone, io: Io, args: list[str]) -> int:
    """The program: ``screencap [-p | -j] [-d ID] [FILE]``."""
    try:
        shot_format, path = _parse(args, takes_jpeg=phone.options.screencap_jpeg)
    except _UsageError as error:
        await io.complain(str(error))
        return 1
    clock = asyncio.get_running_loop().time
    ready = clock() + phone.options.screencap_s.get(shot_format, 0.0)
    phone.screencaps += 1
    picture = await phone.display.snapshot()
    spoil = phone.spoils["screencap"].take()
    data = await asyncio.to_thread(_encoded, picture, shot_format, phone.options.screencap_header, spoil)
    await asyncio.sleep(max(0.0, ready - clock()))
    if path is not None:
        phone.files[path] = data
        return 0
    if spoil == "words":
        await io.stdout.write(WORDS)
    if spoil in ("half", "cut"):
        await io.stdout.write(data[: len(data) // 2])
        if spoil == "cut":
            raise StreamClosedError("cut in the middle of a shot")
        return 1
    await io.stdout.write(data)
    return 0
