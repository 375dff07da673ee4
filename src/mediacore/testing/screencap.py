"""``screencap`` of a simulated device: PNG, or raw pixels behind the header of its age (AOSP cmds/screencap)."""

from __future__ import annotations

import asyncio
import struct
import zlib
from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from mediacore.testing.phone import Phone
    from mediacore.testing.screen import Picture
    from mediacore.testing.shell import Io

RGBA_8888 = 1
SRGB = 1
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_RGBA = 6


def _rgba(picture: Picture) -> bytes:
    frame = av.VideoFrame.from_numpy_buffer(picture.block, "yuv420p")
    return frame.reformat(format="rgba").to_ndarray().tobytes()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(picture: Picture) -> bytes:
    """A frame as an RGBA PNG."""
    width, height = picture.size
    rows = np.zeros((height, 1 + width * 4), np.uint8)  # each row begins with its filter, 0: none
    rows[:, 1:] = np.frombuffer(_rgba(picture), np.uint8).reshape(height, width * 4)
    header = struct.pack(">IIBBBBB", width, height, 8, PNG_RGBA, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 1)
    return PNG_SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def raw(picture: Picture, header_bytes: int) -> bytes:
    """A frame as RGBA rows without padding, behind {width, height, format} and, at 16 bytes, the colour space."""
    return struct.pack("<4I", *picture.size, RGBA_8888, SRGB)[:header_bytes] + _rgba(picture)


async def screencap(phone: Phone, io: Io, args: list[str]) -> int:
    """The program: ``screencap [-p] [-d ID] [FILE]``."""
    as_png, path = False, None
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "-p":
            as_png = True
        elif word == "-d" and rest:
            rest.pop(0)
        elif word.startswith("-"):
            await io.complain(
                f"screencap: invalid option -- '{word[1:]}'\nusage: screencap [-p] [-d display-id] [FILENAME]\n"
            )
            return 1
        else:
            path = word
    picture = await phone.display.snapshot()
    if as_png or (path or "").endswith(".png"):
        data = await asyncio.to_thread(png, picture)
    else:
        data = await asyncio.to_thread(raw, picture, phone.options.screencap_header)
    if path is None:
        await io.stdout.write(data)
    else:
        phone.files[path] = data
    return 0
