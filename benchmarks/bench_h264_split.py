"""How fast are Annex B streams split, from Python: start codes against bytes.find and re, access units against PyAV?

The content matters: screen content at a low bit rate is rich in zero bytes, which slows scanners that look for zeros;
video at a high bit rate is not. PyAV's parser is libavcodec's in C; it also derives slice type and picture order.
"""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from mediacore.h264 import AccessUnitParser, find_start_codes

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Race

STREAMS = {
    "screen": (720, 1280, 150, 4_000_000, "slices=1:keyint=300", 0),
    "screen, 4 slices": (720, 1280, 150, 4_000_000, "slices=4:aud=1:keyint=60", 0),
    "video, 20 Mb/s": (1080, 1920, 40, 20_000_000, "slices=1:keyint=300:cabac=1", 480),
}
"""Width, height, frames, bit rate, options of x264, rows of video (noise) in the picture."""


def page(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """A page to scroll: flat rows with a few lines of something like text in each."""
    pixels = np.full((height, width, 3), 245, np.uint8)
    top = 0
    while top < height - 200:
        row = int(rng.integers(80, 160))
        pixels[top : top + row] = rng.integers(180, 255, 3)
        for line in range(top + 8, top + 60, 22):
            length = int(rng.integers(width // 4, width - 20))
            ink = rng.random((14, length)) > 0.55
            pixels[line : line + 14, 10 : 10 + length][ink] -= 150
        top += row + 4
    return pixels


def encode(name: str) -> list[bytes]:
    """Access units of a phone's screen: a second of scrolling, a second still, a clock, perhaps a window of video."""
    width, height, frames, bit_rate, params, video_rows = STREAMS[name]
    rng = np.random.default_rng(1)
    pixels = page(width, 3 * height, rng)
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.time_base, codec.framerate, codec.bit_rate = Fraction(1, 30), Fraction(30, 1), bit_rate
    codec.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "x264-params": "threads=1:sliced-threads=0:" + params,
    }
    packets = []
    for number in range(frames):
        top = number // 60 * 180 + min(number % 60, 30) * 6
        picture = pixels[top : top + height].copy()
        picture[4:20, -90:-10] = number * 37 % 255
        picture[400 : 400 + video_rows] = rng.integers(0, 255, (video_rows, width, 3), dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = number
        packets += codec.encode(frame)
    return [bytes(packet) for packet in [*packets, *codec.encode(None)]]


@pytest.fixture(scope="module", params=STREAMS, ids=lambda name: re.sub(r"\W+", "-", name))
def units(request: pytest.FixtureRequest) -> list[bytes]:
    """The access units of one stream."""
    return encode(request.param)


def find_by_bytes_find(data: bytes) -> list[int]:
    codes = []
    at = data.find(b"\0\0\1")
    while at >= 0:
        codes.append(at)
        at = data.find(b"\0\0\1", at + 3)
    return codes


def find_by_re(data: bytes) -> list[int]:
    return [match.start() for match in re.finditer(rb"\x00\x00\x01", data)]


def test_start_codes(race: Race, units: list[bytes]) -> None:
    """Start codes of a whole stream, in MB of it."""
    data = b"".join(units)
    codes = find_start_codes(data)
    assert codes == find_by_bytes_find(data) == find_by_re(data)
    assert len(codes) >= len(units)
    race(
        {
            "mediacore": lambda: find_start_codes(data),
            "bytes.find": lambda: find_by_bytes_find(data),
            "re.finditer": lambda: find_by_re(data),
            "limit: memcpy": lambda: bytearray(data),
        },
        reference="mediacore",
        unit=(len(data) / 1e6, "MB"),
    )


def parse(chunks: list[bytes]) -> list[bytes | memoryview]:
    parser = AccessUnitParser()
    parsed = [unit for chunk in chunks for unit in parser.push(chunk)]
    last = parser.flush()
    return [unit.data for unit in parsed] + ([last.data] if last else [])


def parse_by_pyav(chunks: list[bytes]) -> list[bytes]:
    codec = av.CodecContext.create("h264", "r")
    packets = [packet for chunk in chunks for packet in codec.parse(chunk)]
    return [bytes(packet) for packet in packets + codec.parse(b"")]


def split_by_bytes_find(data: bytes) -> list[bytes]:
    """NAL units, no access units: what is done where no parser is at hand."""
    codes = [*find_by_bytes_find(data), len(data)]
    return [data[code + 3 : following] for code, following in pairwise(codes)]


@pytest.mark.parametrize("size", [65536, 1400], ids=["64KiB", "1400B"])
def test_access_units(race: Race, units: list[bytes], size: int) -> None:
    """Access units of a stream that comes in chunks, per unit."""
    data = b"".join(units)
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    assert [bytes(unit) for unit in parse(chunks)] == units == parse_by_pyav(chunks)

    def push_all() -> None:
        parser = AccessUnitParser()
        for chunk in chunks:
            parser.push(chunk)

    def pyav_parse_all() -> None:
        codec = av.CodecContext.create("h264", "r")
        for chunk in chunks:
            codec.parse(chunk)

    contestants: dict[str, Callable[[], object]] = {"mediacore": push_all, "PyAV parse": pyav_parse_all}
    if size == 65536:
        contestants["bytes.find, NAL units only"] = lambda: split_by_bytes_find(data)
    race(contestants, reference="mediacore", unit=(len(units), "unit"))
