"""The raw frames of screenrecord: runs, their first pictures, and frames that cannot be."""

import asyncio

import pytest
from taken_frames import SIZE, captured, number_of

from mediacore.capture import raw_screenrecord, retries
from mediacore.errors import CaptureError
from mediacore.media import DropCause
from mediacore.settings import StreamSettings


async def test_a_device_without_an_encoder_is_captured() -> None:
    async with captured("screenrecord-frames", video_encoder=False) as (_, _, sink):
        await sink.several(10)


async def test_a_device_without_raw_frames_ends_the_source_with_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "RETRY_S", (0.0,) * 5)
    async with captured("screenrecord-frames", screenrecord_frames=False) as (_, _, sink):
        error = await asyncio.wait_for(sink.error, 20)
        assert isinstance(error, CaptureError)
        assert "Unknown format 'frames'" in str(error)


async def test_frames_above_the_rate_are_counted() -> None:
    async with captured("screenrecord-frames", fps=5) as (_, source, sink):
        await sink.several(4)
        assert source.stats().dropped[DropCause.RATE] > 5


async def test_a_damaged_stream_is_started_again() -> None:
    async with captured("screenrecord-frames") as (device, source, sink):
        for number, spoil in enumerate(("resized", "words", "half"), 1):
            await sink.several(3)
            await device.spoil(spoil, 1, "screenrecord")
            async with asyncio.timeout(10):
                while source.stats().restarts < number:
                    await sink.take()
        numbers = [number_of(frame) for frame in await sink.several(5)]
        assert numbers == sorted(set(numbers))


async def test_one_shot_per_run_is_taken_and_no_more() -> None:
    async with captured("screenrecord-frames", StreamSettings(rotation_poll_s=0.1), scene="static") as (
        device,
        source,
        sink,
    ):
        await sink.take()
        assert (await device.stats())["screencaps"] == 1
        await device.rotate(90)
        while (await sink.take()).size != SIZE[::-1]:
            pass
        assert (await device.stats())["screencaps"] == 2
        assert source.stats().restarts == 1
        await device.wait_for_recordings(1)


async def test_a_spoilt_first_shot_is_taken_in_the_other_format() -> None:
    assert raw_screenrecord.FIRST_FORMATS == ("raw", "png")
    async with captured("screenrecord-frames", fps=0, scene="static") as (device, source, sink):
        # The first screencap of a simulated device draws, and so gives recordings a frame: this is the first.
        await source._capture.device.shell.run("screencap /sdcard/a.png")
        await device.spoil("half")
        source.set_fps(30)
        assert (await sink.take()).size == SIZE
        assert (await device.stats())["screencaps"] == 3


async def test_the_first_picture_of_a_run_does_not_wait_for_its_time() -> None:
    """It was kept back after a frame of the run before, and nobody was there to push it when it was time."""
    settings = StreamSettings(rotation_poll_s=0.1)
    async with captured("screenrecord-frames", settings, fps=0.1, scene="static") as (device, _, sink):
        await sink.take()
        await device.rotate(90)
        async with asyncio.timeout(8):
            while (await sink.take()).size != SIZE[::-1]:
                pass
