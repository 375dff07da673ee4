"""The examples run as they stand."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediacore.adb.client import AdbClient
from mediacore.settings import AdbSettings
from mediacore.testing import SimulatedDevice
from mediacore.testing.viewer import BuiltInViewer

EXAMPLES = Path(__file__).parent.parent / "examples"


@contextlib.asynccontextmanager
async def device_on_a_private_server() -> AsyncIterator[tuple[SimulatedDevice, dict[str, str]]]:
    """A device, and the environment in which the examples find it: theirs is the usual adb server."""
    async with (
        SimulatedDevice(size=(320, 640)) as device,
        AdbClient(AdbSettings(private=True, connect=(device.address,))) as adb,
    ):
        yield device, {**os.environ, "ANDROID_ADB_SERVER_PORT": str(adb.port)}


@pytest.fixture(autouse=True)
def default_engine_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANDROID_ADB_SERVER_PORT", raising=False)


async def test_packets() -> None:
    async with device_on_a_private_server() as (device, environment):
        process = await asyncio.create_subprocess_exec(
            sys.executable, EXAMPLES / "packets.py", device.address, "5", env=environment, stdout=-1, stderr=-1
        )
        output, errors = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0, errors.decode()
        lines = output.decode().split("\n")[:5]
        assert lines[0].split()[1] == "True"
        assert all(int(line.split()[2]) > 0 for line in lines)


async def test_frames() -> None:
    async with device_on_a_private_server() as (device, environment):
        process = await asyncio.create_subprocess_exec(
            sys.executable, EXAMPLES / "frames.py", device.address, "3", env=environment, stdout=-1, stderr=-1
        )
        output, errors = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0, errors.decode()
        lines = output.decode().split("\n")[:3]
        assert all(line.split(" ", 1)[1].startswith("(320, 640) ") for line in lines)


async def test_whep_service() -> None:
    async with device_on_a_private_server() as (device, environment):
        process = await asyncio.create_subprocess_exec(
            sys.executable, EXAMPLES / "whep_service.py", "0", env=environment, stdout=-1
        )
        try:
            assert process.stdout is not None
            line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
            url = line.split()[1].replace("SERIAL", device.address.replace(":", "%3A"))
            async with BuiltInViewer(url) as viewer:
                await viewer.wait_frames(5)
        finally:
            process.terminate()
            await process.wait()


async def test_publish() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, EXAMPLES / "publish.py", "0", stdout=-1)
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        url = line.partition("/#")[0] + "/api/v1/devices/publish%3Acolours/whep"
        async with BuiltInViewer(url) as first, BuiltInViewer(url) as second:
            await first.wait_frames(5)
            await second.wait_frames(5)
    finally:
        process.terminate()
        await process.wait()
