"""How fast do PNG files and raw pixels of an Android screen become I420, next to what else Python has for that?

The screens are drawn and compressed as `screencap -p` compresses them (screens.py). All peers run on one thread. OpenCV
takes one chroma sample of four and PyAV two of four, so both do less than the mean of 2x2 pixels that mediacore gives.
The limit is libdeflate inflating the image data, without checksum, filters and colour. The last test prints the means.
native/bench_picture.cpp has the stages, and the peers of C.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import geometric_mean
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from av.video.reformatter import Interpolation, VideoReformatter

from mediacore.picture import ScreenDecoder, convert, decode_png

cv2 = pytest.importorskip("cv2", reason="the peers are not installed: pip install -e '.[bench]'")
imagecodecs = pytest.importorskip("imagecodecs", reason="the peers are not installed: pip install -e '.[bench]'")

import screens  # noqa: E402  needs Pillow
from bench_native_rtp import build  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Race, Report

RESULTS = Path(__file__).parent / "results"
OURS = "mediacore"
LIMIT = "limit: libdeflate"
cv2.setNumThreads(1)

CASES = [
    pytest.param(kind, size, id=f"{kind}-{name}")
    for name, size in screens.SIZES.items()
    for kind in (*screens.KINDS, screens.NOISE)
]
RATIOS: dict[str, dict[str, dict[str, float]]] = {}
"""Of each test, by picture and contestant: time by that of mediacore."""


def keep(report: Report, test: str, picture: str, *, clock: str = "cpu") -> None:
    RATIOS.setdefault(test, {})[picture] = {name: report.ratio(name, clock=clock) for name in report.timings}


def image_data(data: bytes) -> bytes:
    """The DEFLATE data of a PNG."""
    at, stream = 8, b""
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IDAT":
            stream += data[at + 8 : at + 8 + length]
        at += length + 12
    return stream[2:-4]


def assert_right(y: np.ndarray, rgba: np.ndarray) -> None:
    """Luma of BT.709, limited range, of some rows."""
    exact = 16 + 219 / 255 * (rgba[::37, :, :3] @ np.array([0.2126, 0.7152, 0.0722]))
    assert np.abs(y[::37] - exact).max() < 1


def by_pyav(data: bytes, reformatter: VideoReformatter | None) -> av.VideoFrame:
    codec = av.CodecContext.create("png", "r")
    codec.thread_count = 1
    packet = av.Packet(data)
    frame = (codec.decode(packet) or codec.decode(None))[0]
    return reformatter.reformat(frame, format="yuv420p", threads=1) if reformatter else frame


@pytest.mark.parametrize(("kind", "size"), CASES)
def test_png(race: Race, kind: str, size: tuple[int, int]) -> None:
    """PNG bytes to I420."""
    data = screens.png(kind, size)
    assert_right(decode_png(data).y, screens.pixels(kind, size))
    encoded, reformatter = np.frombuffer(data, np.uint8), VideoReformatter()
    compressed = image_data(data)
    width, height = size
    inflated = bytearray(height * (1 + 4 * width))
    report = race(
        {
            OURS: lambda: decode_png(data),
            "OpenCV": lambda: cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2YUV_I420),
            "PyAV": lambda: by_pyav(data, reformatter),
            "PyAV, decode only": lambda: by_pyav(data, None),
            "imagecodecs + OpenCV": lambda: cv2.cvtColor(imagecodecs.spng_decode(data), cv2.COLOR_RGBA2YUV_I420),
            LIMIT: lambda: imagecodecs.deflate_decode(compressed, raw=True, out=inflated),
        },
        reference=OURS,
        rounds=7,
    )
    keep(report, "PNG", f"{kind} {width}x{height}")


@pytest.mark.parametrize("size", screens.SIZES.values(), ids=list(screens.SIZES))
def test_unchanged(race: Race, size: tuple[int, int]) -> None:
    """The same PNG again: compared, not decoded. The first is what a frame costs that did change."""
    data, other = screens.png("list", size), screens.png("list", size, "12:35")
    decoder, changing = ScreenDecoder(), ScreenDecoder()
    decoder.decode_png(data)
    assert decoder.decode_png(data).dirty_rows == (0, 0)
    turns = [data, other]

    def change() -> None:
        turns.reverse()
        changing.decode_png(turns[0])

    race({"a clock that changes": change, "unchanged": lambda: decoder.decode_png(data)}, reference="unchanged")


@pytest.mark.parametrize("kind", [*screens.KINDS, screens.NOISE])
def test_two_threads(race: Race, kind: str) -> None:
    """Two frames, one after the other or on two threads; the wall clock counts."""
    data = screens.png(kind, (1080, 2400))
    with ThreadPoolExecutor(2) as pool:
        report = race(
            {
                "one thread": lambda: [decode_png(data), decode_png(data)],
                "two threads": lambda: list(pool.map(decode_png, [data, data])),
            },
            reference="two threads",
            unit=(2, "frame"),
        )
    keep(report, "two threads", kind, clock="wall")


@pytest.mark.parametrize("size", screens.SIZES.values(), ids=list(screens.SIZES))
def test_raw(race: Race, size: tuple[int, int]) -> None:
    """RGBA pixels to I420."""
    rgba = np.ascontiguousarray(screens.pixels("thumbs", size))
    width, height = size
    data = rgba.tobytes()
    assert_right(convert(data, width, height).y, rgba)
    frame, reformatter = av.VideoFrame.from_ndarray(rgba, "rgba"), VideoReformatter()
    copy = np.empty_like(rgba)

    def from_ndarray() -> None:
        made = av.VideoFrame.from_ndarray(rgba, "rgba")
        reformatter.reformat(made, format="yuv420p", threads=1)

    report = race(
        {
            OURS: lambda: convert(data, width, height),
            "PyAV reformat": lambda: reformatter.reformat(frame, format="yuv420p", threads=1),
            "PyAV from_ndarray + reformat": from_ndarray,
            "OpenCV": lambda: cv2.cvtColor(rgba, cv2.COLOR_RGBA2YUV_I420),
            "limit: memcpy": lambda: np.copyto(copy, rgba),
        },
        reference=OURS,
    )
    keep(report, "raw RGBA", f"{width}x{height}")


@pytest.mark.parametrize("to", [(576, 1280), (540, 1200), (360, 800)], ids=lambda to: f"{to[0]}x{to[1]}")
def test_raw_scaled_down(race: Race, to: tuple[int, int]) -> None:
    """RGBA pixels of 1080x2400 to a smaller I420."""
    rgba = np.ascontiguousarray(screens.pixels("thumbs", (1080, 2400)))
    data = rgba.tobytes()
    assert convert(data, 1080, 2400, size=to).size == to
    frame, reformatter = av.VideoFrame.from_ndarray(rgba, "rgba"), VideoReformatter()

    def by_swscale(how: Interpolation) -> av.VideoFrame:
        return reformatter.reformat(frame, *to, format="yuv420p", interpolation=how, threads=1)

    def by_opencv() -> np.ndarray:
        return cv2.cvtColor(cv2.resize(rgba, to, interpolation=cv2.INTER_AREA), cv2.COLOR_RGBA2YUV_I420)

    report = race(
        {
            OURS: lambda: convert(data, 1080, 2400, size=to),
            "swscale, area": lambda: by_swscale(Interpolation.AREA),
            "swscale, bilinear": lambda: by_swscale(Interpolation.BILINEAR),
            "OpenCV, area": by_opencv,
        },
        reference=OURS,
    )
    keep(report, "raw RGBA, scaled down", f"to {to[0]}x{to[1]}")


def native_table(report: dict[str, Any]) -> Iterator[str]:
    contestants = report["contestants"]
    yield f"{report['title']}: CPU time per picture, ratio to {next(iter(contestants))}"
    for name, figures in contestants.items():
        yield f"  {name:26} {figures['cpu_ns'] / 1e6:10.3f} ms {figures['ratio_cpu']:8.2f}x"


@pytest.mark.timeout(900)
def test_native_stages(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The stages in C++, next to Debian's libdeflate inflating alone and libspng."""
    files = []
    for case in CASES:
        kind, size = case.values
        path = tmp_path / f"{case.id}.png"
        path.write_bytes(screens.png(kind, size))
        files.append(os.fspath(path))
    run = subprocess.run(
        [build("bench_picture"), "--json", *files], check=True, stdout=subprocess.PIPE, text=True, timeout=800
    )
    reports = json.loads(run.stdout)
    RESULTS.mkdir(exist_ok=True)
    RESULTS.joinpath("native_picture.json").write_text(json.dumps(reports, indent=2))
    for report in reports:
        whole = report["contestants"]["whole, BT.709"]
        RATIOS.setdefault("C++: whole / other", {})[report["title"]] = {
            name: whole["cpu_ns"] / figures["cpu_ns"] for name, figures in report["contestants"].items()
        }
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        for report in reports:
            print("", *native_table(report), sep="\n")


def means(pictures: dict[str, dict[str, float]], pick: Callable[[str], bool]) -> Iterator[str]:
    picked = [ratios for picture, ratios in pictures.items() if pick(picture)]
    for name in picked[0] if picked else ():
        values = [ratios[name] for ratios in picked]
        yield f"    {name:30} {geometric_mean(values):6.2f}x   ({min(values):.2f} to {max(values):.2f})"


def test_means(request: pytest.FixtureRequest) -> None:
    """Geometric means of the ratios of all tests above that were run."""
    if not RATIOS:
        pytest.skip("no test ran before this one")
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print()
        for test, pictures in RATIOS.items():
            print(f"{test}: time by mediacore's, geometric mean (least to most)")
            print(*means(pictures, lambda picture: screens.NOISE not in picture), sep="\n")
            if noisy := list(means(pictures, lambda picture: screens.NOISE in picture)):
                print("  noise, the worst case:", *noisy, sep="\n")
        RESULTS.mkdir(exist_ok=True)
        RESULTS.joinpath("picture_ratios.json").write_text(json.dumps(RATIOS, indent=2))
