"""screenrecord over the real adb server: its habits are hidden, its faults become clean ends."""

import asyncio
import contextlib
import itertools
import os
import signal
from collections.abc import AsyncIterator

import pytest
from taken import Taken, taken

from mediacore.adb.client import AdbClient
from mediacore.capture.screenrecord import ScreenRecord
from mediacore.control.messages import Touch, TouchAction
from mediacore.errors import DeviceDisconnectedError, DeviceNotFoundError
from mediacore.h264 import AccessUnitParser
from mediacore.media import Applied, Packet, Target
from mediacore.settings import AdbSettings, StreamSettings
from mediacore.testing import SimulatedDevice

SIZE = (320, 640)


async def several(sink: Taken, count: int) -> list[Packet]:
    return [await sink.take() for _ in range(count)]


@contextlib.asynccontextmanager
async def captured(
    scene: str = "scroll", settings: StreamSettings | None = None, **options: object
) -> AsyncIterator[tuple[SimulatedDevice, ScreenRecord, Taken]]:
    async with (
        SimulatedDevice(size=SIZE, scene=scene, **options) as device,
        AdbClient(AdbSettings(private=True, connect=(device.address,))) as adb,
    ):
        source = ScreenRecord(adb, device.address, settings or StreamSettings())
        async with taken(source) as sink:
            yield device, source, sink


async def test_packets_begin_with_a_key_frame_that_has_its_parameter_sets() -> None:
    async with captured() as (_, source, sink):
        packets = await several(sink, 20)
        assert packets[0].is_key
        (unit,) = AccessUnitParser().push(packets[0].data, complete=True)
        assert [kind for kind, *_ in unit.nal_units][:2] == [7, 8]
        assert source.description is not None
        assert source.description.size == SIZE
        times = [packet.pts_us for packet in packets]
        assert times == sorted(set(times))


async def test_a_key_frame_on_request_comes_from_a_second_run_without_a_gap() -> None:
    async with captured() as (_, source, sink):
        await several(sink, 10)
        assert await source.request_key_frame()
        packets = await several(sink, 60)
        (at,) = [n for n, packet in enumerate(packets) if packet.is_key]
        assert packets[at].epoch == packets[at - 1].epoch + 1 if at else True
        gaps = [b.pts_us - a.pts_us for a, b in itertools.pairwise(packets)]
        assert max(gaps) < 500_000
        assert source.stats().restarts == 1


async def test_many_requests_make_one_run() -> None:
    async with captured() as (_, source, sink):
        await several(sink, 5)
        for _ in range(20):
            await source.request_key_frame()
        await several(sink, 40)
        assert source.stats().restarts <= 2


async def test_bit_rate_and_size_change_on_the_way() -> None:
    async with captured() as (_, source, sink):
        await several(sink, 5)
        assert isinstance(await source.set_target(Target(bitrate_bps=500_000, size=(160, 320))), Applied)
        while source.description is None or source.description.size != (160, 320):
            await several(sink, 1)


async def test_a_turned_display_gives_a_new_size_before_its_first_packet() -> None:
    async with captured(settings=StreamSettings(rotation_poll_s=0.1)) as (device, source, sink):
        await several(sink, 5)
        first = await asyncio.wait_for(sink.descriptions.get(), 10)
        assert first.size == SIZE
        await device.rotate(90)
        second = await asyncio.wait_for(sink.descriptions.get(), 10)
        assert (second.size, second.rotation) == ((SIZE[1], SIZE[0]), 90)
        assert source.description == second


async def test_a_static_screen_gives_nothing_until_it_changes() -> None:
    async with captured("static") as (device, _, sink):
        await device.wait_for_recordings(1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(sink.tap), 0.7)
        await device.touch(100, 300)
        packet = await sink.take()
        assert packet.is_key


async def test_a_touch_reaches_a_still_screen_before_any_picture() -> None:
    """It used to be dropped: without a picture there was no size to map it from."""
    async with captured("static") as (device, source, sink):
        await device.wait_for_recordings(1)
        assert source.description is None
        assert source.control is not None
        await source.control.send(Touch(TouchAction.DOWN, 1, 32_768, 32_768, 65_535, *SIZE))
        packet = await sink.take()
        assert packet.is_key


async def test_an_unplugged_device_ends_the_source_with_its_reason() -> None:
    async with captured() as (device, _, sink):
        await several(sink, 5)
        await device.cut()
        await device.offline()
        error = await asyncio.wait_for(sink.error, 15)
        assert isinstance(error, DeviceDisconnectedError)


async def test_a_stream_that_is_cut_in_a_nal_unit_goes_on_with_a_key_frame() -> None:
    async with captured() as (device, source, sink):
        await several(sink, 5)
        await device.cut()
        while not (packet := await sink.take()).is_key:
            pass
        assert packet.epoch == 2
        assert source.stats().restarts >= 1
        await several(sink, 5)


async def test_a_killed_adb_server_is_started_again_and_the_stream_goes_on() -> None:
    async with (
        SimulatedDevice(size=SIZE) as device,
        AdbClient(AdbSettings(private=True, connect=(device.address,))) as adb,
        taken(ScreenRecord(adb, device.address, StreamSettings())) as sink,
    ):
        await several(sink, 5)
        assert adb.server_pid is not None
        os.kill(adb.server_pid, signal.SIGKILL)
        while (await sink.take()).epoch == 1:
            pass


async def test_an_unknown_serial_is_refused_by_name() -> None:
    async with AdbClient(AdbSettings(private=True)) as adb:
        source = ScreenRecord(adb, "no-such-device", StreamSettings())
        with pytest.raises(DeviceNotFoundError, match="no-such-device"):
            async with taken(source):
                pass
