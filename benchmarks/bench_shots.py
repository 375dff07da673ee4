"""How long does one picture of `screencap` take, from asking to I420, and in which format is it there first?

Peers: what scripts do, a process `adb exec-out screencap -p` per picture, PNG by Pillow, colours by PyAV; and a
connection per picture instead of a process, decoded natively. Through a real adb server from a simulated device of
720x1280 whose picture moves; its own share (drawing, compressing) is in all of them, so the ratios are those of a
device that costs little. Wall clock: most of the work is in other processes. The second test has a link of 300 Mb/s, as
USB 2 has.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import subprocess
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from mediacore.adb.client import AdbClient
from mediacore.adb.server import find_program
from mediacore.capture.shots import COMMANDS, SlotSize, open_shots
from mediacore.picture import decode_png
from mediacore.picture_reader import Shot
from mediacore.settings import AdbSettings
from mediacore.testing import SimulatedDevice

Image = pytest.importorskip("PIL.Image", reason="the peers are not installed: pip install -e '.[bench]'")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Race
    from mediacore.picture_reader import PictureReader

SIZE = (720, 1280)
PNG = "screencap -p"
OLD_WAY = "process per shot, Pillow"


def asked(reader: PictureReader) -> Shot:
    assert reader.request()
    shot = reader.next(10)
    assert isinstance(shot, Shot), shot
    return shot


@contextlib.contextmanager
def contestants(device: SimulatedDevice) -> Iterator[dict[str, Callable[[], object]]]:
    """By name: takes one picture."""
    with contextlib.ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())
        adb = AdbClient(AdbSettings(private=True, connect=(device.address,)))
        runner.run(adb.start())
        stack.callback(lambda: runner.run(adb.close()))
        command = [runner.run(find_program()), "-P", str(adb.port), "-s", device.address, "exec-out", PNG]

        def by_process() -> av.VideoFrame:
            data = subprocess.run(command, check=True, capture_output=True).stdout
            pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
            return av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="yuv420p", dst_colorspace="ITU709")

        def by_connection() -> object:
            return decode_png(runner.run(adb.exec_out(device.address, PNG)))

        found: dict[str, Callable[[], object]] = {OLD_WAY: by_process, "connection per shot, PNG": by_connection}
        slots = SlotSize()
        slots.fit(SIZE)
        for name in COMMANDS:
            reader = runner.run(open_shots(adb, device.address, name, slots=slots))
            stack.callback(reader.close)
            found[f"loop, {name}"] = lambda reader=reader: asked(reader)
        assert_right(found)
        runner.run(device.show("scroll"))
        yield found


def assert_right(found: dict[str, Callable[[], object]]) -> None:
    """Of a picture that stands still, all give the same luma; JPEG nearly."""
    exact = decode_luma(found["connection per shot, PNG"]())
    for name, take in found.items():
        off = np.abs(decode_luma(take()).astype(int) - exact)
        assert off.mean() < 1, name
        assert "jpeg" in name or off.max() <= 2, name


def decode_luma(picture: object) -> np.ndarray:
    if isinstance(picture, av.VideoFrame):
        return picture.to_ndarray()[: SIZE[1]]
    return (picture.frame if isinstance(picture, Shot) else picture).y


@pytest.mark.parametrize("link_bps", [0, 300_000_000], ids=["fast", "300 Mb/s"])
def test_one_shot(race: Race, link_bps: int) -> None:
    with (
        SimulatedDevice(size=SIZE, scene="static", screencap_jpeg=True, link_bps=link_bps) as device,
        contestants(device) as found,
    ):
        race(found, reference=OLD_WAY, unit=(1, "shot"))
