"""Streams of a phone's screen for the benchmarks: made by libx264 once, the same bytes every time, then cached.

What matters is the share of zero bytes: screen content at a low bit rate is rich in them, video at a high bit rate is
not. These are no streams of a phone's encoder, but their content is like a phone's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

FPS = 30


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a stream is made."""

    width: int
    height: int
    frames: int
    bit_rate: int
    x264: str
    """Options of the encoder beside those that all have."""
    video_rows: int = 0
    """Rows of the picture that show video: noise, new in each frame."""


VBV = "slices=1:scenecut=0:vbv-maxrate=2400:vbv-bufsize=800:"

STREAMS = {
    "screen_720p": Recipe(720, 1280, 150, 4_000_000, "slices=1:keyint=300"),
    "screen_720p_4_slices": Recipe(720, 1280, 150, 4_000_000, "slices=4:aud=1:keyint=60"),
    "screen_2Mbps_idr_2s": Recipe(720, 1280, 300, 2_000_000, f"{VBV}keyint=60:min-keyint=60", 200),
    "screen_2Mbps_idr_500ms": Recipe(720, 1280, 300, 2_000_000, f"{VBV}keyint=15:min-keyint=15", 200),
    "screen_1080p_large_idr": Recipe(1080, 1920, 60, 4_000_000, "slices=1:scenecut=0:keyint=30:min-keyint=30:qp=34"),
    "video_1080p_20Mbps": Recipe(1080, 1920, 60, 20_000_000, "slices=1:keyint=300:cabac=1", 480),
}
"""By name: an interface at a low bit rate, with one slice and with four, and a window of video at a high one."""


def access_units(name: str, cache: Path) -> list[bytes]:
    """The access units of a stream as Annex B; `cache` is a folder where it may already be."""
    recipe = STREAMS[name]
    key = hashlib.sha256(f"{recipe} {av.library_versions['libavcodec']}".encode()).hexdigest()[:12]
    path = cache / f"{name}.{key}.h264"
    sizes = path.with_suffix(".sizes")
    if not sizes.exists():
        units = _encode(recipe)
        path.write_bytes(b"".join(units))
        sizes.write_text("\n".join(str(len(unit)) for unit in units))  # last: its presence says that both are whole
        return units
    data = path.read_bytes()
    ends = accumulate(map(int, sizes.read_text().split()), initial=0)
    return [data[begin:end] for begin, end in pairwise(ends)]


def stream_file(name: str, cache: Path) -> Path:
    """The same stream as a file."""
    path = cache / f"{name}.h264"
    path.write_bytes(b"".join(access_units(name, cache)))
    return path


def _page(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Three screens to scroll: flat entries of a list, each with three lines of something like text."""
    pixels = np.full((3 * height, width), 235, np.uint8)
    top = 0
    while top < 3 * height - height // 8:
        entry = int(rng.integers(height // 16, height // 8))
        pixels[top : top + entry] = rng.integers(170, 240)
        for line in range(top + 8, top + min(entry - 14, 60), 22):
            letters = rng.random((14, int(rng.integers(width // 4, width - 20)))) > 0.55
            pixels[line : line + 14, 10 : 10 + letters.shape[1]][letters] = 40
        top += entry + 4
    return pixels


def _encode(recipe: Recipe) -> list[bytes]:
    """A second of scrolling, a second at rest, with a clock; perhaps a window of video."""
    rng = np.random.default_rng(1)
    page = _page(recipe.width, recipe.height, rng)
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = recipe.width, recipe.height, "yuv420p"
    codec.time_base, codec.framerate, codec.bit_rate = Fraction(1, FPS), Fraction(FPS, 1), recipe.bit_rate
    codec.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "x264-params": f"threads=1:sliced-threads=0:log-level=none:{recipe.x264}",
    }
    packets = []
    picture = np.full((recipe.height * 3 // 2, recipe.width), 128, np.uint8)
    for number in range(recipe.frames):
        second, frame_of_second = divmod(number, FPS)
        top = (second + 1) // 2 * 180 + (frame_of_second * 6 if second % 2 == 0 else 0)
        picture[: recipe.height] = page[top : top + recipe.height]
        picture[4:20, -90:-10] = 16 + number * 37 % 220
        picture[400 : 400 + recipe.video_rows] = rng.integers(16, 235, (recipe.video_rows, recipe.width))
        frame = av.VideoFrame.from_ndarray(picture, "yuv420p")
        frame.pts = number
        packets += codec.encode(frame)
    return [bytes(packet) for packet in [*packets, *codec.encode(None)]]
