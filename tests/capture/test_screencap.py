"""screencap again and again: its formats, its pace, and what is wrong with single shots."""

import asyncio
import socket
import time

import pytest
from taken_frames import captured, has_dot, number_of

from mediacore.adb.client import AdbClient
from mediacore.capture import retries, shot_choice, shots
from mediacore.capture.screencap import Screencap
from mediacore.control.messages import Touch, TouchAction
from mediacore.errors import CaptureError, DeviceTimeoutError
from mediacore.media import DropCause
from mediacore.media_loop import monotonic_us
from mediacore.picture_reader import PictureReader, Shots, slot_bytes
from mediacore.settings import AdbSettings, StreamSettings

SIZE = (320, 640)


async def measured(source: object) -> str:
    """How pictures come, once that is known."""
    async with asyncio.timeout(15):
        while not (text := source.stats().capture):  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)  # nothing is pushed of a screen that stands still
    return str(text)


@pytest.mark.parametrize(
    ("device", "best"),
    [
        ({"screencap_s": {"png": 0.2}, "screencap_header": 12}, ("raw", "gzip")),
        ({"screencap_s": {"raw": 0.2}}, ("png",)),
        ({"screencap_s": {"raw": 0.2, "png": 0.2}, "screencap_jpeg": True}, ("jpeg",)),
        ({"screencap_s": {"png": 0.2}, "link_bps": 20_000_000}, ("gzip",)),
    ],
)
async def test_the_format_is_the_one_that_is_there_first(device: dict[str, object], best: tuple[str, ...]) -> None:
    async with captured("screencap", **device) as (_, source, sink):
        await sink.several(15)
        text = await measured(source)
        assert text.startswith(best), text
        assert ("no jpeg" in text) is not bool(device.get("screencap_jpeg"))
        await sink.several(5)


async def test_a_format_that_takes_much_too_long_is_not_waited_for() -> None:
    async with captured("screencap", screencap_s={"png": 5.0}) as (_, source, sink):
        async with asyncio.timeout(4):
            while "png > " not in source.stats().capture:
                await sink.take()


async def test_a_device_that_gets_slow_has_all_formats_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shot_choice, "SOONEST_US", 0)
    monkeypatch.setattr(shot_choice, "AGAIN_US", 300_000)
    async with captured("screencap") as (_, source, sink):
        await sink.several(15)
        before = await measured(source)
        async with asyncio.timeout(10):
            while source.stats().capture == before:
                await sink.take()
        await sink.several(5)
        assert source.stats().restarts >= 1


async def test_a_still_screen_is_left_alone_mostly() -> None:
    async with captured("screencap", scene="static") as (device, source, sink):
        await sink.take()
        await measured(source)
        await asyncio.sleep(2.5)  # it has become idle
        before = (await device.stats())["screencaps"]
        await asyncio.sleep(1.5)
        assert (await device.stats())["screencaps"] - before <= 4
        assert source.stats().dropped[DropCause.UNCHANGED] > 5


async def test_input_is_seen_before_the_next_look_is_due() -> None:
    async with captured("screencap", scene="static", fps=0.05) as (_, source, sink):
        await sink.take()
        await measured(source)
        assert source.control is not None
        await source.control.send(Touch(TouchAction.DOWN, 1, 32_768, 32_768, 65_535, *SIZE))
        assert has_dot(await sink.take())


def damage(source: Screencap) -> dict[DropCause, int]:
    """What was not pushed though it should have been, by cause."""
    fine = (DropCause.UNCHANGED, DropCause.RATE)
    return {cause: count for cause, count in source.stats().dropped.items() if cause not in fine}


@pytest.mark.parametrize(("png_s", "raw_s"), [(0.2, 0.0), (0.0, 0.2)])
async def test_damaged_shots_are_counted_and_the_next_one_is_taken(png_s: float, raw_s: float) -> None:
    async with captured("screencap", screencap_s={"png": png_s, "raw": raw_s}) as (device, source, sink):
        await sink.several(15)
        await measured(source)
        before = sum(damage(source).values())
        await device.spoil("half")
        await device.spoil("words")
        await device.spoil("resized")
        async with asyncio.timeout(10):
            while True:
                dropped = damage(source)
                if sum(dropped.values()) >= before + 2:
                    break
                await sink.take()
        numbers = [number_of(frame) for frame in await sink.several(5)]
        assert numbers == sorted(set(numbers))
        assert set(dropped) <= {DropCause.TRUNCATED, DropCause.CORRUPT, DropCause.OVERSIZE, DropCause.DEVICE_FAILED}
        assert not sink.error.done()


async def test_a_device_whose_shots_are_all_damaged_ends_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "RETRY_S", (0.0,))
    async with captured("screencap", scene="static") as (device, _, sink):
        await device.spoil("half", 1000)
        await device.show("scroll")
        error = await asyncio.wait_for(sink.error, 20)
        assert isinstance(error, CaptureError)
        assert "screencap gives" in str(error)


async def test_a_display_that_is_larger_than_it_was_is_captured_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A foldable that was unfolded: the frames' memory was made for the small display."""
    sizes = iter([1000])
    monkeypatch.setattr(shots, "slot_bytes", lambda *size: next(sizes, None) or slot_bytes(*size))
    async with captured("screencap") as (_, source, sink):
        assert {frame.size for frame in await sink.several(15)} == {SIZE}
        assert source.stats().dropped[DropCause.OVERSIZE] == 1
        assert next(sizes, None) is None


async def test_a_shot_that_could_not_be_asked_for_is_not_waited_for() -> None:
    """It was counted as being under way, and its time was waited for in vain."""
    ours, device = socket.socketpair()
    with device:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # the smallest there is
        reader = PictureReader(ours, Shots(b"a trailer"), slot_bytes=slot_bytes(*SIZE))
        try:
            while reader.request():
                pass
            source = Screencap(AdbClient(AdbSettings(private=True)), "a device", StreamSettings())
            source._choice.settled(monotonic_us())
            begin = time.monotonic()
            with pytest.raises(DeviceTimeoutError, match="takes no line"):
                await asyncio.to_thread(source._take_shots, reader, "raw")
            assert time.monotonic() - begin < shots.SHOT_TIMEOUT_S / 2
        finally:
            reader.close()
