"""Simulated devices behind the real adb servers: lists, shells, screenshots, and adbutils unmodified."""

import asyncio
import struct
from pathlib import Path

import adbutils
import av
import numpy as np
import pytest
from real_adb import Adb, burst_server, programs

from mediacore.testing import barcode
from mediacore.testing.adb_transport import AdbStream
from mediacore.testing.options import DeviceOptions

SMALL = DeviceOptions(size=(180, 320), scene="static")


async def test_two_devices_are_listed_at_once(each_adb: Adb) -> None:
    async with each_adb.phone(SMALL) as one, each_adb.phone(DeviceOptions(model="Other.Phone")) as two:
        lines = (await each_adb.run("devices", "-l")).stdout.decode().splitlines()
        for phone, model in ((one, "SimPhone"), (two, "Other.Phone")):
            (line,) = [line for line in lines if line.startswith(f"127.0.0.1:{phone.port} ")]
            assert line.split()[1:5] == ["device", "product:sim", f"model:{model.replace('.', '_')}", "device:sim0"]
        both = await asyncio.gather(*(each_adb.on(phone, "shell", "getprop ro.product.model") for phone in (one, two)))
        assert [done.stdout for done in both] == [b"SimPhone\n", b"Other.Phone\n"]


async def test_a_shell_separates_outputs_and_tells_the_exit_code(each_adb: Adb) -> None:
    async with each_adb.phone(SMALL) as phone:
        done = await each_adb.on(phone, "shell", "echo out; nothing; exit 7")
        assert done.code == 7
        assert done.stdout == b"out\n"
        assert done.stderr == b"/system/bin/sh: nothing: inaccessible or not found\n"


async def test_a_shell_takes_standard_input_to_its_end(each_adb: Adb) -> None:
    async with each_adb.phone(SMALL) as phone:
        data = bytes(range(256)) * 5000
        assert (await each_adb.on(phone, "shell", "cat", stdin=data)).stdout == data
        assert (await each_adb.on(phone, "shell", stdin=b"echo a\necho b; exit 3\n")).stdout == b"a\nb\n"


async def test_an_old_device_has_one_output_and_no_exit_code(each_adb: Adb) -> None:
    async with each_adb.phone(DeviceOptions(size=(128, 256), scene="static", features=())) as phone:
        done = await each_adb.on(phone, "shell", "echo out; nothing; exit 7")
        assert done.code == 0
        assert done.stdout == b"out\n/system/bin/sh: nothing: inaccessible or not found\n"


async def test_exec_is_binary_and_large(each_adb: Adb) -> None:
    async with each_adb.phone(SMALL) as phone:
        done = await each_adb.on(phone, "exec-out", "head -c 3000001 /dev/zero; printf 'x\\n'")
        assert done.stdout == bytes(3_000_001) + b"x\n"


@pytest.mark.parametrize(
    "options", [{"protocol_version": 0x01000000}, {"max_payload": 4096}, {"features": ("shell_v2",)}]
)
async def test_other_transports_carry_the_same(each_adb: Adb, options: dict[str, object]) -> None:
    async with each_adb.phone(DeviceOptions(size=(128, 256), scene="static", **options)) as phone:  # type: ignore[arg-type]
        data = bytes(range(256)) * 400
        assert (await each_adb.on(phone, "shell", "cat", stdin=data)).stdout == data


async def test_an_abstract_socket_is_reached_by_a_forward(adb: Adb) -> None:
    async def double(stream: AdbStream) -> None:
        while data := await stream.read():
            await stream.write(data * 2)

    async with adb.phone(SMALL) as phone:
        phone.abstract_sockets["double"] = double
        port = int((await adb.on(phone, "forward", "tcp:0", "localabstract:double")).stdout)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"ab")
        async with asyncio.timeout(5):
            assert await reader.readexactly(4) == b"abab"
        writer.close()
        await writer.wait_closed()
        await adb.on(phone, "forward", "--remove", f"tcp:{port}")


async def test_a_png_shows_the_display(each_adb: Adb) -> None:
    async with each_adb.phone(DeviceOptions(size=(360, 640))) as phone:
        data = (await each_adb.on(phone, "exec-out", "screencap -p")).stdout
        decoder = av.CodecContext.create("png", "r")
        (picture,) = decoder.decode(av.Packet(data))
        assert (picture.width, picture.height, picture.format.name) == (360, 640, "rgba")
        code = barcode.read(picture.to_ndarray()[:, :, 1])
        assert code is not None
        assert code.frame_number == phone.display.frame_number


@pytest.mark.parametrize("header", [12, 16])
async def test_a_raw_picture_has_the_header_of_its_age(adb: Adb, header: int) -> None:
    async with adb.phone(DeviceOptions(size=(128, 256), scene="static", screencap_header=header)) as phone:  # type: ignore[arg-type]
        await phone.rotate(1)
        data = (await adb.on(phone, "exec-out", "screencap")).stdout
        assert len(data) == header + 128 * 256 * 4
        assert struct.unpack_from("<3I", data) == (256, 128, 1)
        pixels = np.frombuffer(data, np.uint8, offset=header).reshape(128, 256, 4)
        assert (pixels[:, :, 3] == 255).all()


async def test_a_picture_can_be_left_on_the_device(adb: Adb) -> None:
    async with adb.phone(SMALL) as phone:
        await adb.on(phone, "shell", "screencap -d 4619827259835644672 /sdcard/a.png")
        assert (await adb.on(phone, "exec-out", "cat /sdcard/a.png")).stdout.startswith(b"\x89PNG")
        assert (await adb.on(phone, "shell", "rm /sdcard/a.png; cat /sdcard/a.png")).code == 1


async def test_what_is_typed_is_recorded(each_adb: Adb) -> None:
    async with each_adb.phone(SMALL) as phone:
        await each_adb.on(phone, "shell", "input tap 10 20; input text 'it'\\''s'")
        assert [(event.kind, event.args) for event in phone.inputs] == [("tap", ("10", "20")), ("text", ("it's",))]


async def test_adbutils_unmodified(each_adb: Adb) -> None:
    def use(serial: str) -> dict[str, object]:
        device = adbutils.AdbClient(port=each_adb.port).device(serial)
        device.click(50, 60)
        return {
            "model": device.prop.model,
            "size": tuple(device.window_size()),
            "rotation": device.rotation(),
            "screenshot": device.screenshot(error_ok=False).size,
            "shell": [device.shell2("echo out; false").returncode, device.shell2("exit 3", v2=True).returncode],
            "is on": device.is_screen_on(),
        }

    async with each_adb.phone(DeviceOptions(size=(360, 640))) as phone:
        serial = f"127.0.0.1:{phone.port}"
        found = await asyncio.to_thread(use, serial)
        expected = {
            "model": "SimPhone",
            "size": (360, 640),
            "rotation": 0,
            "screenshot": (360, 640),
            "shell": [1, 3],
            "is on": True,
        }
        assert found == expected
        await phone.rotate(3)
        found = await asyncio.to_thread(use, serial)
        assert found == expected | {"size": (640, 360), "rotation": 3, "screenshot": (640, 360)}
        assert [event.args for event in phone.inputs] == [("50", "60")] * 2


@pytest.mark.parametrize("name", programs())
async def test_burst_mode(name: str, tmp_path: Path) -> None:
    """Without a round trip per piece: many bytes are under way in both directions."""
    with burst_server(programs()[name], tmp_path) as adb:
        async with adb.phone(SMALL) as phone:
            data = bytes(range(256)) * 20_000
            assert (await adb.on(phone, "shell", "cat", stdin=data)).stdout == data
            assert (await adb.on(phone, "exec-out", "head -c 9000000 /dev/zero")).stdout == bytes(9_000_000)
            assert (await adb.on(phone, "shell", "exit 5")).code == 5
