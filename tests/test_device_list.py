"""Devices and recordings as one list."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediacore.adb.devices import AdbDevice
from mediacore.device_list import DeviceList, recording_serials
from mediacore.errors import DeviceNotFoundError
from mediacore.media import DeviceState


def test_recordings_of_equal_stems_get_numbers() -> None:
    paths = [Path("a/clip.h264"), Path("b/clip.mp4"), Path("c/clip.tar.264"), Path("d/clip")]
    assert list(recording_serials(paths)) == ["file:clip", "file:clip-2", "file:clip.tar", "file:clip-3"]


async def test_recordings_need_no_adb() -> None:
    devices = DeviceList(None, {"file:clip": Path("clip.h264")})
    (device,) = devices.list()
    assert device.state is DeviceState.DEVICE
    assert device.size is None
    assert await devices.require("file:clip") == device
    with pytest.raises(DeviceNotFoundError, match="there are: file:clip"):
        await devices.require("file:other")
    await devices.close()


class SlowAdb:
    """An adb client that is asked for the devices, and is in no hurry."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()

    async def start(self) -> None:
        pass

    async def devices(self) -> list[AdbDevice]:
        self.asked.set()
        await self.answer.wait()
        return [AdbDevice("late", "device", "Late", "late", 1)]

    async def watch(self) -> AsyncIterator[list[AdbDevice]]:
        await asyncio.Event().wait()
        yield []


async def test_a_list_that_is_closed_during_a_refresh_starts_nothing_any_more() -> None:
    """The watch and the shell that began after the close were never ended."""
    adb = SlowAdb()
    devices = DeviceList(adb, {})
    refresh = asyncio.create_task(devices.refresh())
    await asyncio.wait_for(adb.asked.wait(), 5)
    await devices.close()
    before = asyncio.all_tasks() - {refresh}
    adb.answer.set()
    assert [device.serial for device in await refresh] == ["late"]
    assert asyncio.all_tasks() == before


async def test_iterating_a_closed_list_ends() -> None:
    """It waited for ever."""
    devices = DeviceList(None, {})
    await devices.close()
    assert [change async for change in devices] == []
