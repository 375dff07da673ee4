"""Frames for the tests of encoders, and what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np

from mediacore.media import Frame
from mediacore.testing.scenes import Planes, build_scene

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from mediacore.encode.encoder import EncodedFrame

SIZE = (320, 240)
PATCHES = [(180, 128, 128), (81, 90, 240), (145, 54, 34), (41, 240, 110), (210, 16, 146), (60, 160, 180)]
"""Y, U and V of a row of squares."""


def frame(size: tuple[int, int] = (16, 16), matrix: Literal["bt709", "bt601"] = "bt709", pts_us: int = 0) -> Frame:
    """A grey frame."""
    width, height = size
    block = np.full(width * height * 3 // 2, 128, np.uint8)
    return Frame.of_block(block.data, size, width, matrix=matrix, pts_us=pts_us)


def screen(number: int, size: tuple[int, int] = SIZE, matrix: Literal["bt709", "bt601"] = "bt709") -> Frame:
    """A frame of a list that scrolls, with patches of colour in the lower half."""
    width, height = size
    block = np.empty((height * 3 // 2, width), np.uint8)
    planes = Planes.of(block)
    build_scene("scroll", width, height).draw(planes, number)
    for place, colour in enumerate(PATCHES):
        left = place * width // len(PATCHES) // 2 * 2
        planes.fill(left, height // 2, left + width // len(PATCHES) // 2 * 2, height, colour)
    return Frame.of_block(block.data, size, width, matrix=matrix, pts_us=number * 33_333)


def decode(codec: str, encoded: Iterable[EncodedFrame]) -> list[av.VideoFrame]:
    """All that comes out of FFmpeg's decoder."""
    decoder = av.CodecContext.create("libdav1d" if codec == "av1" else codec, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    frames = [frame for each in encoded for frame in decoder.decode(av.Packet(bytes(each.data)))]
    return frames + list(decoder.decode(None))


def patches(picture: av.VideoFrame) -> list[tuple[float, float, float]]:
    """What became of the patches: mean of each one's middle."""
    found = []
    for place in range(len(PATCHES)):
        colour = []
        for plane, part in zip(picture.planes, (1, 2, 2), strict=True):
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            width, height = picture.width // part, picture.height // part
            side = width // len(PATCHES)
            left = place * side + side // 4
            colour.append(float(rows[height * 5 // 8 : height * 7 // 8, left : left + side // 2].mean()))
        found.append(tuple(colour))
    return found
