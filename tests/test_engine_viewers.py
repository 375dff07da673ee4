"""Viewers of devices that are captured as pictures: over the server, with a built-in viewer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote

import pytest

from mediacore import AdbSettings, Engine, EngineSettings, StreamSettings
from mediacore.media import DeviceState
from mediacore.server.app import Server
from mediacore.server.settings import ServerSettings
from mediacore.testing import SimulatedDevice
from mediacore.testing.viewer import BuiltInViewer


async def until(true: Callable[[], object], deadline_s: float = 20.0) -> None:
    """Waits for what nothing tells of."""
    async with asyncio.timeout(deadline_s):
        while not true():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def served(device: SimulatedDevice, **settings: object) -> AsyncIterator[tuple[Engine, str]]:
    """An engine that knows the device, and the address that a viewer posts its offer to."""
    stream = StreamSettings(grace_s=0.1, bitrate_bps=2_000_000, rotation_poll_s=0.2, **settings)  # type: ignore[arg-type]
    engine_settings = EngineSettings(adb=AdbSettings(private=True, connect=(device.address,)), stream=stream)
    async with Engine(engine_settings) as engine, Server(engine, ServerSettings(port=0)) as server:
        await engine.devices.refresh()
        await until(lambda: any(known.state is DeviceState.DEVICE for known in engine.devices.list()))
        yield engine, f"{server.url}/api/v1/devices/{quote(device.address, safe='')}/whep"


def described(engine: Engine) -> tuple[tuple[int, int], int] | None:
    """Size and rotation of the one stream."""
    (stream,) = engine.stats().streams
    description = stream.description
    return (description.size, description.rotation) if description is not None else None


@pytest.mark.parametrize("source", ["screencap", "screenrecord-frames"])
async def test_a_viewer_sees_raw_pictures_and_the_turn_of_the_device(source: str) -> None:
    async with (
        SimulatedDevice(size=(320, 640), scene="scroll") as device,
        served(device, source=source) as (engine, whep),
    ):
        async with BuiltInViewer(whep) as viewer:
            await viewer.wait_frames(10, 20)
            assert viewer.frame is not None
            assert (viewer.frame.width, viewer.frame.height) == (320, 640)
            await device.rotate(90)
            await until(lambda: viewer.frame is not None and viewer.frame.width == 640)
            (stream,) = engine.stats().streams
            assert stream.source == source
            await until(lambda: described(engine) == ((640, 320), 90))
        await until(lambda: engine.stats().streams == ())


async def test_viewers_stay_while_another_source_is_found() -> None:
    async with (
        SimulatedDevice(size=(320, 640), scene="scroll", video_encoder=False) as device,
        served(device) as (engine, whep),
        BuiltInViewer(whep) as first,
        BuiltInViewer(whep) as second,
    ):
        await first.wait_frames(5, 20)
        await second.wait_frames(5, 20)
        (stream,) = engine.stats().streams
        assert stream.source == "screenrecord-frames"
        assert [rendition.viewers for rendition in stream.renditions] == [2]
        assert len(engine.stats().sessions) == 2


async def test_viewers_of_a_raw_source_are_told_when_the_device_is_gone() -> None:
    async with (
        SimulatedDevice(size=(320, 640), scene="scroll") as device,
        served(device, source="screencap") as (engine, whep),
        BuiltInViewer(whep) as viewer,
    ):
        await viewer.wait_frames(3, 20)
        await device.offline()
        await until(lambda: engine.stats().sessions == () and engine.stats().streams == ())
