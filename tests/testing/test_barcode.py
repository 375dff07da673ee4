"""The bar code: what is drawn is read, in Python and by the page's reader, and damage is noticed."""

import json
import shutil
import subprocess
from fractions import Fraction
from importlib.resources import files

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediacore.testing import barcode, sei
from mediacore.testing.barcode import BarCode
from mediacore.testing.encoder import H264Encoder, project
from mediacore.testing.scenes import Planes, build_scene

SIZES = ((64, 128), (66, 130), (360, 640), (640, 360), (720, 1280), (1280, 720), (1080, 2400))


@pytest.mark.parametrize("size", SIZES)
@settings(max_examples=20, deadline=None)
@given(number=st.integers(0, 2**32 - 1), time_us=st.integers(0, 2**64 - 1))
def test_what_is_drawn_is_read(size: tuple[int, int], number: int, time_us: int) -> None:
    luma = np.full((size[1], size[0]), 90, np.uint8)
    barcode.draw(luma, number, time_us)
    assert barcode.read(luma) == BarCode(number, time_us)
    assert (luma[size[1] // barcode.STRIP :] == 90).all()


def test_the_layout_is_the_documented_one() -> None:
    luma = np.zeros((640, 320), np.uint8)
    barcode.draw(luma, 0x01020304, 0x05060708090A0B0C)
    cells = luma[5:40:10, 5::10] == barcode.WHITE
    body = bytes(range(1, 13))
    check = 0xFFFF
    for byte in body:
        check ^= byte << 8
        for _ in range(8):
            check = (check << 1 ^ (0x1021 if check & 0x8000 else 0)) & 0xFFFF
    assert np.packbits(cells).tobytes() == b"\xb5\xc3" + body + check.to_bytes(2, "big")
    assert set(np.unique(luma[:40])) == {barcode.BLACK, barcode.WHITE}


def test_damage_is_noticed() -> None:
    luma = np.zeros((640, 320), np.uint8)
    barcode.draw(luma, 7, 8)
    luma[20:30, 100:110] = 251 - luma[25, 105]
    assert barcode.read(luma) is None


@pytest.mark.parametrize("shape", [(640, 360), (10, 10), (64, 64)])
def test_a_picture_without_a_code_has_none(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    assert barcode.read(noise) is None


def test_a_picture_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        barcode.draw(np.zeros((100, 100), np.uint8), 1, 1)


def test_a_letter_boxed_turned_picture_is_read() -> None:
    inner = np.zeros((72 * 2, 128 * 2), np.uint8)
    barcode.draw(inner, 5, 6)
    block = np.full((144 * 3 // 2, 256), 128, np.uint8)
    block[:144] = inner
    outer = project(block, 1, (288, 512), (144, 256), "project")[:512]
    assert barcode.read(outer) == BarCode(5, 6)


@pytest.mark.parametrize("scene", ["static", "scroll", "video"])
def test_it_survives_half_size_at_500_kbps(scene: str) -> None:
    picture = build_scene(scene, 720, 1280)  # type: ignore[arg-type]
    encoder = H264Encoder((360, 640), 30, 500_000, "baseline")
    decoder = av.CodecContext.create("h264", "r")
    sizes, codes = [], []
    for number in range(60):
        block = np.empty((1920, 720), np.uint8)
        planes = Planes.of(block)
        picture.draw(planes, number)
        barcode.draw(planes.y, number, 1_700_000_000_000_000 + number * 33_333)
        unit = encoder.encode(project(block, 0, (360, 640), (720, 1280), "project"), key=number == 0)
        sizes.append(len(unit))
        codes += [barcode.read(frame.to_ndarray()[:640]) for frame in decoder.decode(av.Packet(unit))]
    codes += [barcode.read(frame.to_ndarray()[:640]) for frame in decoder.decode(None)]
    assert codes == [BarCode(number, 1_700_000_000_000_000 + number * 33_333) for number in range(60)]
    assert sum(sizes) * 8 * Fraction(30, 60) < 700_000


def test_the_page_reads_the_same() -> None:
    """The JavaScript reader against Python's drawing, where node is installed; the browser tests cover it elsewhere."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: the browser tests use this reader too")
    cases = []
    for width, height in SIZES:
        luma = np.zeros((height, width), np.uint8)
        barcode.draw(luma, 4_000_000_000, 1_764_000_000_123_456)
        strip = luma[: -(-height // barcode.STRIP)].astype(np.int32)
        full = np.clip((strip - 16) * 255 // 219, 0, 255)
        cases.append({"width": width, "height": height, "luma": full.reshape(-1).tolist()})
    script = f"""
      import {{ readFileSync }} from "node:fs";
      const source = {json.dumps(files("mediacore.testing").joinpath("barcode.js").read_text())};
      const {{ readBarCode }} = await import("data:text/javascript," + encodeURIComponent(source));
      const found = JSON.parse(readFileSync(0, "utf8")).map(({{ width, height, luma }}) => {{
        const data = new Uint8ClampedArray(luma.flatMap((value) => [value, value, value, 255]));
        const code = readBarCode({{ data, width }}, width, height);
        data.fill(255);
        const none = readBarCode({{ data, width }}, width, height);
        return [code.frameNumber, String(code.timeUs), code.timeMs, none];
      }});
      console.log(JSON.stringify(found));
    """
    done = subprocess.run(
        [node, "--input-type=module", "-e", script],
        input=json.dumps(cases).encode(),
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert json.loads(done.stdout) == [[4_000_000_000, "1764000000123456", 1764000000123.456, None]] * len(SIZES)


@given(number=st.integers(0, 2**32 - 1), time_us=st.integers(0, 2**64 - 1))
def test_a_mark_in_the_stream_is_read_and_patched(number: int, time_us: int) -> None:
    unit = bytearray(b"\0\0\0\1\x67abc" + sei.mark(0, 0) + b"\0\0\1\x41slice")
    sei.patch(unit, 8, number, time_us)
    assert sei.read(unit) == BarCode(number, time_us)
    assert unit.count(b"\0\0\1") == 3  # nothing in a mark looks like a start code
    assert unit.endswith(b"\0\0\1\x41slice")


def test_a_stream_without_a_mark_has_none() -> None:
    assert sei.read(b"\0\0\0\1\x65slice") is None
    assert sei.read(sei.mark(1, 2)[:-3]) is None
    assert sei.read(sei.mark(1, 2).replace(b"0", b"g")) is None
