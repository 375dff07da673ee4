"""A viewer is told when its device goes away, and nothing is left of either."""

import asyncio

import pytest
from left_behind import fill_thread_pool, held, settled

from mediacore import AdbSettings, Engine, EngineSettings, StreamSettings
from mediacore.control.messages import Touch, TouchAction, encode
from mediacore.server.app import Server
from mediacore.server.settings import ServerSettings
from mediacore.testing import SimulatedDevice
from mediacore.testing.viewer import BuiltInViewer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]


async def test_the_viewer_is_told_and_everything_is_freed() -> None:
    async with SimulatedDevice(size=(320, 640)) as device:
        settings = EngineSettings(
            adb=AdbSettings(private=True, connect=(device.address,)), stream=StreamSettings(grace_s=0)
        )
        async with Engine(settings) as engine, Server(engine, ServerSettings(port=0)) as server:
            await engine.devices.refresh()
            async with engine.stream(device.address):
                pass  # the media loop stays when it has been used once
            async with asyncio.timeout(10):
                while engine.stats().streams:
                    await asyncio.sleep(0.02)  # the grace period's end has no event
            await fill_thread_pool()
            before = held()
            whep = f"{server.url}/api/v1/devices/{device.address.replace(':', '%3A')}/whep"
            async with BuiltInViewer(whep) as viewer:
                await viewer.wait_frames(5)
                await viewer.wait_channel()
                (session,) = [session for _, _, session in engine._sessions.snapshot()]
                await device.cut()
                await device.offline()
                assert await asyncio.wait_for(session.wait_closed(), 20) == "stream-ended"
                assert [e["reason"] for e in viewer.events if e["type"] == "closing"] == ["stream-ended"]
            after = await settled(before)
            assert after.tasks <= before.tasks
            assert after.threads <= before.threads
            assert after.fds <= before.fds
            assert engine.stats().streams == ()


async def test_a_viewer_that_leaves_with_a_finger_down_lifts_it() -> None:
    async with SimulatedDevice(size=(320, 640)) as device:
        settings = EngineSettings(adb=AdbSettings(private=True, connect=(device.address,)))
        async with Engine(settings) as engine, Server(engine, ServerSettings(port=0)) as server:
            await engine.devices.refresh()
            whep = f"{server.url}/api/v1/devices/{device.address.replace(':', '%3A')}/whep"
            async with BuiltInViewer(whep) as viewer:
                await viewer.wait_frames(2)
                await viewer.wait_channel()
                viewer.send(encode(Touch(TouchAction.DOWN, 1, 30_000, 30_000, 65_535, 320, 640)))
                async with asyncio.timeout(10):
                    while not await device.inputs():
                        await asyncio.sleep(0.02)  # the device is asked over its own channel
            async with asyncio.timeout(10):
                while "CANCEL" not in str(await device.inputs()):
                    await asyncio.sleep(0.02)
