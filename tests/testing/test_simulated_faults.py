"""What can go wrong, on demand, as the real adb servers see it."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator

import pytest
from pictures import Decoder
from real_adb import Adb

from mediacore.adb.client import AdbClient
from mediacore.adb.stream import AdbStream
from mediacore.settings import AdbSettings
from mediacore.testing.encoder import nal_type, nal_units
from mediacore.testing.options import DeviceOptions
from mediacore.testing.phone import Phone

SIZE = (360, 640)
RECORD = "screenrecord --output-format=h264 --bit-rate 2M -"


def serial(phone: Phone) -> str:
    return f"127.0.0.1:{phone.port}"


@contextlib.asynccontextmanager
async def recorded(adb: Adb, phone: Phone) -> AsyncIterator[AdbStream]:
    client = AdbClient(AdbSettings(port=adb.port, start=False))
    async with asyncio.timeout(20), await client.open(serial(phone), f"exec:{RECORD}") as stream:
        await phone.wait_for_recordings(1)
        yield stream


async def rest(stream: AdbStream) -> bytes:
    data = b""
    while more := await stream.read():
        data += more
    return data


async def test_a_cut_breaks_an_access_unit_and_ends_only_its_stream(each_adb: Adb) -> None:
    async with each_adb.phone(DeviceOptions(size=SIZE)) as phone, recorded(each_adb, phone) as stream:
        first = await stream.read()
        phone.link.cut(unplug=False)
        *whole, cut = nal_units(first + await rest(stream))
        sizes = [len(unit) for unit in whole if nal_type(unit) == 1]
        assert nal_type(cut) == 1
        assert sizes == [] or len(cut) < max(sizes)
        assert (await each_adb.states())[serial(phone)] == "device"
        done = await each_adb.on(phone, "shell", "echo alive")
        assert done.stdout == b"alive\n"


async def test_an_unplugged_device_is_gone_in_the_middle_of_an_access_unit(each_adb: Adb) -> None:
    async with each_adb.phone(DeviceOptions(size=SIZE)) as phone, recorded(each_adb, phone) as stream:
        await stream.read()
        phone.link.cut(unplug=True)
        await rest(stream)
        await each_adb.wait_for(serial(phone), "offline")
        await phone.online()
        await each_adb.run("disconnect", serial(phone))
        await each_adb.run("connect", serial(phone))
        assert (await each_adb.on(phone, "shell", "echo back")).stdout == b"back\n"


async def test_an_offline_device_refuses_until_it_is_online(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=SIZE, scene="static")) as phone:
        phone.offline()
        await adb.wait_for(serial(phone), "offline")
        await adb.run("disconnect", serial(phone))
        refused = await adb.run("connect", serial(phone))
        assert b"failed to connect" in refused.stdout or b"Connection refused" in refused.stdout
        await phone.online()
        await phone.online()  # twice is the same
        await adb.run("connect", serial(phone))
        assert (await adb.states())[serial(phone)] == "device"


async def test_adb_finds_a_device_again_by_itself(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=SIZE, scene="static")) as phone:
        phone.drop()
        await adb.wait_for(serial(phone), "device")
        assert (await adb.on(phone, "shell", "echo back")).stdout == b"back\n"


async def test_an_unauthorized_device_is_listed_as_such_until_it_is_accepted(each_adb: Adb) -> None:
    from real_adb import running

    async with running(DeviceOptions(size=SIZE, scene="static", authorized=False)) as phone:
        await each_adb.run("connect", serial(phone))
        await each_adb.wait_for(serial(phone), "unauthorized")
        refused = await each_adb.on(phone, "shell", "echo in")
        assert refused.code == 1
        assert b"unauthorized" in refused.stderr
        phone.authorize(authorized=True)
        await each_adb.wait_for(serial(phone), "device")
        assert (await each_adb.on(phone, "shell", "echo in")).stdout == b"in\n"
        await each_adb.run("disconnect", serial(phone))


async def test_a_stalled_link_drops_frames_and_goes_on_with_new_ones(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=SIZE)) as phone, recorded(adb, phone) as stream:
        decoder = Decoder()
        shown = decoder.push(await stream.read())
        phone.link.stall(0.5)
        stalled = time.monotonic()
        while time.monotonic() - stalled < 0.9:
            shown += decoder.push(await stream.read())
        numbers = [picture.code.frame_number for picture in shown if picture.code]
        assert max(after - before for before, after in itertools.pairwise(numbers)) > 8
        assert phone.display.frame_number - numbers[-1] < 8  # it does not lag behind for ever
        phone.link.stall(60)
        phone.link.stall(0)
        await stream.read()


async def test_a_slow_link_pauses_inside_access_units(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=SIZE)) as phone, recorded(adb, phone) as stream:
        phone.link.pause(0.1)
        while len(nal_units(await stream.read())) > 0:
            pass  # until a piece comes that begins inside a NAL unit
        phone.link.pause(0)
        data = await stream.read() + await stream.read()
        assert nal_units(data)


@pytest.mark.parametrize("encode", ["live", "loop"])
async def test_a_freeze_holds_both_ways_of_encoding(adb: Adb, encode: str) -> None:
    options = DeviceOptions(size=SIZE, encode=encode, loop_s=1)  # type: ignore[arg-type]
    async with adb.phone(options) as phone, recorded(adb, phone) as stream:
        await stream.read()
        phone.freeze(frozen=True)
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(0.3):
                    await stream.read()
        sent = phone.frames_sent
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await stream.read()
        assert phone.frames_sent == sent
        phone.freeze(frozen=False)
        assert await stream.read()
