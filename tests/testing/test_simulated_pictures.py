"""screencap in a loop and the raw frames of screenrecord, as programs that capture simulated devices use them."""

import asyncio
import contextlib
import gzip
import io
import struct
from collections.abc import AsyncIterator

import av
import numpy as np
import pytest
from real_adb import Adb

from mediacore.adb.client import AdbClient
from mediacore.adb.stream import AdbStream
from mediacore.errors import SettingsError
from mediacore.settings import AdbSettings
from mediacore.testing import DeviceOptions, SimulatedDevice, barcode
from mediacore.testing.adb_transport import StreamClosedError
from mediacore.testing.phone import Phone

SIZE = (180, 320)
STATIC = DeviceOptions(size=SIZE, scene="static", screencap_jpeg=True)
TRAILER = b"\n--trailer--\n"


class Loop:
    """Shots of one connection."""

    def __init__(self, stream: AdbStream) -> None:
        self._stream = stream
        self._rest = b""

    async def shot(self) -> bytes:
        async with asyncio.timeout(10):
            await self._stream.write(b"\n")
            while TRAILER not in self._rest:
                data = await self._stream.read()
                if not data:
                    raise EOFError(self._rest)
                self._rest += data
        shot, _, self._rest = self._rest.partition(TRAILER)
        return shot


@contextlib.asynccontextmanager
async def opened(adb: Adb, phone: Phone, command: str) -> AsyncIterator[AdbStream]:
    client = AdbClient(AdbSettings(port=adb.port, start=False))
    async with await client.open(f"127.0.0.1:{phone.port}", f"exec:{command}") as stream:
        yield stream


@contextlib.asynccontextmanager
async def looping(adb: Adb, phone: Phone, command: str) -> AsyncIterator[Loop]:
    line = f"while read x; do {command} 2>/dev/null; echo; echo --trailer--; done"
    async with opened(adb, phone, line) as stream:
        yield Loop(stream)


def shown(pixels: np.ndarray) -> barcode.BarCode | None:
    """The bar code of RGB or RGBA pixels: green is as good as luma."""
    return barcode.read(np.ascontiguousarray(pixels[:, :, 1]))


def decoded(data: bytes) -> np.ndarray:
    with av.open(io.BytesIO(data)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


async def test_one_connection_gives_shot_after_shot_in_each_format(each_adb: Adb) -> None:
    async with each_adb.phone(STATIC) as phone:
        async with looping(each_adb, phone, "screencap") as loop:
            raw = await loop.shot()
            assert struct.unpack_from("<4I", raw) == (*SIZE, 1, 1)
            assert len(raw) == 16 + SIZE[0] * SIZE[1] * 4
            assert await loop.shot() == raw
        async with looping(each_adb, phone, "screencap | gzip -1") as loop:
            assert gzip.decompress(await loop.shot()) == raw
            assert gzip.decompress(await loop.shot()) == raw
        pixels = np.frombuffer(raw, np.uint8, offset=16).reshape(SIZE[1], SIZE[0], 4)[:, :, :3]
        async with looping(each_adb, phone, "screencap -p") as loop:
            assert np.array_equal(decoded(await loop.shot()), pixels)
        async with looping(each_adb, phone, "screencap -j") as loop:
            data = await loop.shot()
            assert data.startswith(b"\xff\xd8\xff\xe0")
            assert np.abs(decoded(data).astype(int) - pixels).mean() < 3
        assert phone.screencaps == 6


async def test_a_device_without_jpeg_says_so_and_the_loop_goes_on(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=SIZE, scene="static")) as phone:
        async with looping(adb, phone, "screencap -j") as loop:
            assert [await loop.shot(), await loop.shot()] == [b"", b""]
        done = await adb.on(phone, "shell", "screencap -j 2>&1 >/dev/null")
        assert b"invalid option" in done.stdout


@pytest.mark.parametrize("command", ["screencap", "screencap -p", "screencap -j", "screencap | gzip -1"])
async def test_spoilt_shots_come_in_order_and_the_next_is_whole(adb: Adb, command: str) -> None:
    async with adb.phone(STATIC) as phone, looping(adb, phone, command) as loop:

        def unpacked(shot: bytes) -> bytes:
            return gzip.decompress(shot) if "gzip" in command else shot

        whole = unpacked(await loop.shot())
        for spoil in ("half", "words", "resized"):
            phone.spoils["screencap"].add(spoil, 1)
        half, words, resized = [unpacked(await loop.shot()) for _ in range(3)]
        assert half == whole[: len(whole) // 2]
        assert words.startswith(b"[Warning] Multiple displays")
        assert words.endswith(whole)
        assert resized != whole
        assert unpacked(await loop.shot()) == whole


async def test_a_shot_that_is_cut_ends_the_connection(adb: Adb) -> None:
    async with adb.phone(STATIC) as phone, looping(adb, phone, "screencap") as loop:
        phone.spoils["screencap"].add("cut", 1)
        with pytest.raises(EOFError):
            await loop.shot()


async def test_a_stream_that_ends_under_a_pipe_is_no_failure(adb: Adb, caplog: pytest.LogCaptureFixture) -> None:
    """The programs of a pipe are a group, and so was the error of the one that wrote: it was logged as a failure."""

    async def serve(stream: object) -> None:
        raise ExceptionGroup("a pipe", [StreamClosedError("the ADB stream is closed")])

    async with adb.phone(STATIC) as phone:
        phone.abstract_sockets["pipe"] = serve
        client = AdbClient(AdbSettings(port=adb.port, start=False))
        async with await client.open(f"127.0.0.1:{phone.port}", "localabstract:pipe") as stream:
            assert await stream.read() == b""
    assert "an ADB service failed" not in caplog.text


async def test_a_shot_takes_as_long_as_its_format_is_said_to(adb: Adb) -> None:
    options = DeviceOptions(size=SIZE, scene="static", screencap_s={"png": 0.3, "raw": 0.1})
    clock = asyncio.get_running_loop().time
    async with adb.phone(options) as phone:
        for command, least_s in {"screencap": 0.1, "screencap -p": 0.3}.items():
            async with looping(adb, phone, command) as loop:
                began = clock()
                await loop.shot()
                assert least_s <= clock() - began < least_s + 1


async def test_a_link_carries_what_its_rate_allows(adb: Adb) -> None:
    clock = asyncio.get_running_loop().time
    options = DeviceOptions(size=SIZE, scene="static", link_bps=4_000_000)
    async with adb.phone(options) as phone, looping(adb, phone, "screencap") as loop:
        began = clock()
        shot = await loop.shot()
        assert clock() - began >= len(shot) * 8 / 4e6


class Frames:
    """The raw frames of one screenrecord."""

    def __init__(self, stream: AdbStream) -> None:
        self.stream = stream

    async def next(self) -> np.ndarray:
        async with asyncio.timeout(10):
            length, width, height, stride, kind = struct.unpack("<5I", await self.stream.readexactly(20))
            assert (length, stride, kind) == (16 + width * height * 3, width * 3, 3)
            body = await self.stream.readexactly(length - 16)
        return np.frombuffer(body, np.uint8).reshape(height, width, 3)


@contextlib.asynccontextmanager
async def frames(adb: Adb, phone: Phone, words: str = "") -> AsyncIterator[Frames]:
    async with opened(adb, phone, f"screenrecord --output-format=frames {words} -") as stream:
        async with asyncio.timeout(10):
            await phone.wait_for_recordings(1)
        yield Frames(stream)


async def test_frames_come_with_each_change_and_only_then(each_adb: Adb) -> None:
    options = DeviceOptions(size=SIZE, video_encoder=False)
    async with each_adb.phone(options) as phone, frames(each_adb, phone) as recorded:
        numbers = []
        for _ in range(5):
            picture = await recorded.next()
            assert picture.shape == (SIZE[1], SIZE[0], 3)
            code = shown(picture)
            assert code is not None
            numbers.append(code.frame_number)
        assert numbers == sorted(set(numbers))
        await phone.display.show("static")
        while await recorded.stream.readable(timeout_s=0.3):  # no event tells of nothing
            await recorded.next()
        phone.touch("down", 90, 200)
        picture = await recorded.next()
        assert tuple(picture[200, 90] > 128) == (True, False, False)


async def test_frames_have_the_size_that_is_asked_for(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=SIZE)) as phone, frames(adb, phone, "--size 90x160") as recorded:
        assert (await recorded.next()).shape == (160, 90, 3)


async def test_a_turned_display_goes_on_in_the_old_size(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=SIZE)) as phone, frames(adb, phone) as recorded:
        await recorded.next()
        await phone.rotate(1)
        while (picture := await recorded.next())[: SIZE[1] // 4].max() > 40:
            pass
        assert picture.shape == (SIZE[1], SIZE[0], 3)


async def test_a_device_without_an_encoder_still_has_frames(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=SIZE, video_encoder=False)) as phone:
        done = await adb.on(phone, "shell", "screenrecord --output-format=h264 -")
        assert done.code == 1
        assert done.stderr.startswith(b"ERROR: unable to configure video/avc codec at 180x320")


async def test_spoilt_frames(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=SIZE)) as phone, frames(adb, phone) as recorded:
        await recorded.next()
        phone.spoils["screenrecord"].add("resized", 1)
        while True:
            length, _, height, stride, _ = struct.unpack("<5I", await recorded.stream.readexactly(20))
            await recorded.stream.readexactly(length - 16)
            if length != 16 + height * stride:
                break
        assert height == SIZE[1] * 2
    async with adb.phone(DeviceOptions(size=SIZE)) as phone, frames(adb, phone) as recorded:
        await recorded.next()
        phone.spoils["screenrecord"].add("cut", 1)
        data = b""
        async with asyncio.timeout(10):
            while more := await recorded.stream.read():
                data += more
        assert len(data) % (20 + SIZE[0] * SIZE[1] * 3) != 0


async def test_faults_of_pictures_are_a_method() -> None:
    async with SimulatedDevice(size=SIZE, scene="static") as device:
        await device.spoil("half")
        await device.spoil("words", 3, "screenrecord")
        assert (await device.stats())["screencaps"] == 0


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"screencap_s": {"gif": 1.0}}, "screencap_s knows no 'gif', only raw, png, jpeg"),
        ({"screencap_s": {"png": 61.0}}, "screencap_s of png is 61"),
        ({"link_bps": 5}, "link_bps is 5"),
    ],
)
def test_bad_costs_are_refused(changes: dict[str, object], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        DeviceOptions(**changes)  # type: ignore[arg-type]
