"""Streams of one's own: published by an engine, watched like devices."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from mediacore import Engine, EngineSettings
from mediacore import engine as engine_module
from mediacore.errors import CaptureError, DeviceNotFoundError, NoLocalAddressError, SetupError, UnsupportedError
from mediacore.media import DeviceState, Grants, Packet
from mediacore.stream import stream as stream_module

NOTHING = EngineSettings(use_adb=False)


def picture(n: int, *, key: bool) -> Packet:
    """Of VP8, whose first bit tells a key frame."""
    return Packet("video", "vp8", bytes([not key, n]), n * 1000, key, 1, n * 1000)


async def test_a_published_stream_is_listed_watched_and_ends_with_its_publisher() -> None:
    async with Engine(NOTHING) as engine:
        changes = aiter(engine.devices)
        async with engine.publish("mine", codec="vp8") as published:
            added = await asyncio.wait_for(anext(changes), 5)
            assert (added.kind, added.device.serial, added.device.state) == (
                "added",
                "publish:mine",
                DeviceState.DEVICE,
            )
            assert [device.serial for device in engine.devices.list()] == ["publish:mine"]
            async with engine.stream("publish:mine") as watched:
                assert watched is published
                tap = watched.packets()
                await published.push(picture(1, key=True))
                assert (await asyncio.wait_for(anext(tap), 5)).pts_us == 1000
            await published.push(picture(2, key=False))
            assert (await asyncio.wait_for(anext(tap), 5)).pts_us == 2000, "nobody's leaving ends it"
            assert [stream.serial for stream in engine.stats().streams] == ["publish:mine"]
        assert await asyncio.wait_for(published.wait_ended(), 5) is None
        assert [packet async for packet in tap] == []
        assert (await asyncio.wait_for(anext(changes), 5)).kind == "removed"
        assert engine.devices.list() == []
        assert engine.stats().streams == ()
        with pytest.raises(DeviceNotFoundError):
            async with engine.stream("publish:mine"):
                pass


async def test_a_picture_of_what_is_published(recordings: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "PICTURE_TIMEOUT_S", 0.2)
    data = await asyncio.to_thread(recordings(frames=1).read_bytes)
    async with Engine(NOTHING) as engine, engine.publish("mine") as published:
        with pytest.raises(CaptureError, match="nothing that could be shown"):
            await engine.screenshot("publish:mine")
        await published.push(Packet("video", "h264", data, 1, True, 1, 1))
        await published.wait_described(5)
        picture, kind = await engine.screenshot("publish:mine")
        assert (picture[:3], kind) == (b"\xff\xd8\xff", "image/jpeg")
        await published.push(Packet("video", "h264", b"\0\0\0\1\x65\0", 2, True, 1, 2))
        async with asyncio.timeout(5):
            while published.stats().frames != 2:
                await asyncio.sleep(0.001)  # nothing tells of a single unit
        with pytest.raises(CaptureError, match="nothing that could be shown"):
            await engine.screenshot("publish:mine")


async def test_a_name_is_published_once_at_a_time() -> None:
    async with Engine(NOTHING) as engine:
        async with engine.publish("mine"):
            with pytest.raises(SetupError, match="published already"):
                async with engine.publish("mine"):
                    pass
            assert not (await engine.devices.require("publish:mine")).size
        async with engine.publish("mine"):
            pass
        with pytest.raises(UnsupportedError, match="theora"):
            async with engine.publish("mine", codec="theora"):
                pass


async def test_who_publishes_into_a_drained_engine_is_told() -> None:
    async with Engine(NOTHING) as engine:
        async with engine.publish("mine", codec="vp8") as published:
            await engine.drain(1)
            assert published.ended
            with pytest.raises(UnsupportedError, match="not published any more"):
                await published.push(picture(1, key=True))
        with pytest.raises(SetupError, match="not open"):
            async with engine.publish("another"):
                pass


async def test_a_stream_of_a_device_takes_no_packets(recordings: Callable[..., Path]) -> None:
    async with (
        Engine(EngineSettings(recordings=(str(recordings()),), use_adb=False)) as engine,
        engine.stream("file:moving") as stream,
    ):
        with pytest.raises(UnsupportedError, match="a source of its own"):
            await stream.push(picture(1, key=True))


async def test_new_addresses_are_taken_when_nobody_needs_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop that changed its network offered viewers the address of the one before."""
    up = ["127.0.0.1"]
    monkeypatch.setattr(engine_module, "host_addresses", lambda: list(up))
    async with Engine(NOTHING) as engine:
        assert engine._loop is None, "no thread and no socket before somebody needs them"
        async with engine.publish("one"):
            first = engine._loop
            assert first is not None
            assert first.addresses == ("127.0.0.1",)
            up[:] = ["::1", "127.0.0.1"]
            async with engine.publish("two"):
                assert engine._loop is first, "streams go on"
        async with engine.publish("three"):
            assert engine._loop is not first
            assert engine._loop is not None
            assert engine._loop.addresses == ("::1", "127.0.0.1")
        assert not first.running


async def test_a_machine_without_addresses_captures_and_says_why_nobody_can_watch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none() -> list[str]:
        raise NoLocalAddressError("no network address is up")

    monkeypatch.setattr(engine_module, "host_addresses", none)
    async with Engine(NOTHING) as engine, engine.publish("mine", codec="vp8") as stream:
        tap = stream.packets()
        await stream.push(picture(1, key=True))
        await asyncio.wait_for(anext(tap), 5)
        with pytest.raises(NoLocalAddressError, match="no network address was up"):
            await engine.connect("publish:mine", "v=0")


@pytest.mark.parametrize(("grants", "heard"), [(Grants.ALL, True), (Grants.VIEW | Grants.CONTROL, False)])
async def test_sound_is_answered_to_who_may_hear_it(grants: Grants, heard: bool) -> None:
    path = Path(__file__).parent / "rtc/data/chromium-156-audio-video-data.sdp"
    offer = await asyncio.to_thread(path.read_text)
    async with Engine(NOTHING) as engine, engine.publish("mine", audio=True):
        session = await engine.connect("publish:mine", offer, grants=grants)
        (audio,) = [line for line in session.answer.splitlines() if line.startswith("m=audio")]
        assert (audio.split()[1] != "0") is heard
        await session.close()
