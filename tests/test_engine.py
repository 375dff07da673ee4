"""The engine as embedders use it: streams are shared, sessions end cleanly, faults have names."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mediacore import AdbSettings, Engine, EngineSettings, StreamSettings
from mediacore.control.messages import Text
from mediacore.errors import (
    DeviceNotFoundError,
    DeviceOfflineError,
    DeviceUnauthorizedError,
    LimitError,
    NoCommonCodecError,
    NotGrantedError,
    SdpError,
    SdpTooLargeError,
    SetupError,
    UnsupportedError,
)
from mediacore.media import CloseReason, DeviceState, Grants, Target, Unsupported
from mediacore.testing import SimulatedDevice


@contextlib.asynccontextmanager
async def engine_with(*devices: SimulatedDevice, **changes: object) -> AsyncIterator[Engine]:
    settings = EngineSettings(
        adb=AdbSettings(private=True, connect=tuple(device.address for device in devices)),
        stream=StreamSettings(grace_s=0.1),
    )
    async with Engine(settings.replace(**changes)) as engine:
        await engine.devices.refresh()
        yield engine


async def known(engine: Engine, serial: str, state: DeviceState = DeviceState.DEVICE) -> None:
    """Waits until a device is in a state."""
    async with asyncio.timeout(10):
        changes = aiter(engine.devices)
        while not any(device.serial == serial and device.state is state for device in engine.devices.list()):
            await anext(changes)


async def test_two_streams_run_side_by_side_without_mixing() -> None:
    async with (
        SimulatedDevice(size=(320, 640), scene="scroll") as tall,
        SimulatedDevice(size=(640, 320), scene="video") as wide,
        engine_with(tall, wide) as engine,
    ):
        await known(engine, tall.address)
        await known(engine, wide.address)
        async with engine.stream(tall.address) as first, engine.stream(wide.address) as second:
            queues = {first: first.packets(), second: second.packets()}
            for _ in range(30):
                for queue in queues.values():
                    await asyncio.wait_for(anext(queue), 10)
            assert first.description is not None
            assert second.description is not None
            assert first.description.size == (320, 640)
            assert second.description.size == (640, 320)
            assert [s.serial for s in engine.stats().streams] == [tall.address, wide.address]


async def test_a_stream_is_shared_and_ends_after_its_last_holder(recordings: Callable[..., Path]) -> None:
    settings = EngineSettings(recordings=(str(recordings()),), use_adb=False, stream=StreamSettings(grace_s=0.05))
    async with Engine(settings) as engine:
        async with engine.stream("file:moving") as first, engine.stream("file:moving") as second:
            assert first is second
        async with engine.stream("file:moving") as third:
            assert third is first, "within the grace period it goes on"
        async with asyncio.timeout(5):
            assert await third.wait_ended() is None
        assert engine.stats().streams == ()


async def test_faults_have_names() -> None:
    async with (
        SimulatedDevice(size=(320, 640)) as good,
        SimulatedDevice(size=(320, 640), authorized=False) as locked,
        engine_with(good, locked) as engine,
    ):
        await known(engine, good.address)
        await known(engine, locked.address, DeviceState.UNAUTHORIZED)
        with pytest.raises(DeviceNotFoundError, match="no such device"):
            await engine.connect("nobody", "v=0")
        with pytest.raises(DeviceUnauthorizedError, match="accept"):
            await engine.connect(locked.address, "v=0")
        with pytest.raises(SdpError):
            await engine.connect(good.address, "this is no SDP")
        with pytest.raises(SdpTooLargeError):
            await engine.connect(good.address, "v=0\r\n" + "a=x\r\n" * 20_000)
        assert engine.stats().sessions == ()
        assert engine.stats().sessions_failed == engine.stats().sessions_total == 2
        await good.offline()
        async with asyncio.timeout(15):
            changes = aiter(engine.devices)
            while any(d.serial == good.address and d.state is DeviceState.DEVICE for d in engine.devices.list()):
                await anext(changes)
        with pytest.raises((DeviceOfflineError, DeviceNotFoundError)):
            await engine.connect(good.address, "v=0")


@pytest.mark.parametrize("given", [("h264", "vp8", "vp9", "av1"), ()])
async def test_an_offer_without_a_common_codec_is_refused_with_both_lists(
    recordings: Callable[..., Path], given: tuple[str, ...]
) -> None:
    offer = Path(__file__).parent.joinpath("rtc/data/chromium-156-video-data.sdp").read_text()
    for codec in ("H264", "VP8", "VP9", "AV1") if given else ("H264",):
        offer = offer.replace(f"{codec}/90000", "H263/90000")
    stream = StreamSettings(transcode_codecs=given)
    settings = EngineSettings(recordings=(str(recordings()),), use_adb=False, stream=stream)
    async with Engine(settings) as engine:
        with pytest.raises(NoCommonCodecError) as caught:
            await engine.connect("file:moving", offer)
        assert any("H263" in codec for codec in caught.value.offered)
        assert any("H264" in codec for codec in caught.value.available)
        assert any("VP8" in codec for codec in caught.value.available) is bool(given)


async def test_a_viewer_that_does_not_take_h264_is_served_all_the_same(recordings: Callable[..., Path]) -> None:
    offer = Path(__file__).parent.joinpath("rtc/data/chromium-156-video-data.sdp").read_text()
    stream = StreamSettings(transcode_codecs=("vp9", "vp8"))
    settings = EngineSettings(recordings=(str(recordings()),), use_adb=False, stream=stream)
    async with Engine(settings) as engine:
        session = await engine.connect("file:moving", offer.replace("H264/90000", "H263/90000"))
        (running,) = engine.stats().streams
        assert [rendition.codec for rendition in running.renditions] == ["vp9"]
        await session.close()
        assert engine.stats().streams[0].renditions == ()


async def test_the_limit_of_viewers_and_a_closed_engine_refuse(recordings: Callable[..., Path]) -> None:
    settings = EngineSettings(recordings=(str(recordings()),), use_adb=False, max_sessions=1)
    engine = Engine(settings)
    with pytest.raises(SetupError, match="async with"):
        async with engine.stream("file:moving"):
            pass
    async with engine:
        engine._sessions.put("someone", object())
        with pytest.raises(LimitError, match="max_sessions"):
            await engine.connect("file:moving", "v=0")
        engine._sessions.remove("someone")
        with pytest.raises(NotGrantedError, match="view"):
            await engine.connect("file:moving", "v=0", grants=Grants.CONTROL)


async def test_screenshots(recordings: Callable[..., Path]) -> None:
    async with (
        SimulatedDevice(size=(320, 640)) as device,
        engine_with(device, recordings=(str(recordings()),)) as engine,
    ):
        await known(engine, device.address)
        assert await engine.screenshot("file:moving") == (await engine.screenshot("file:moving"))
        data, kind = await engine.screenshot("file:moving")
        assert (data[:3], kind) == (b"\xff\xd8\xff", "image/jpeg")
        data, kind = await engine.screenshot(device.address)
        assert (data[:4], kind) == (b"\x89PNG", "image/png")


async def test_the_size_of_a_device_becomes_known() -> None:
    async with SimulatedDevice(size=(320, 640)) as device, engine_with(device) as engine:
        async with asyncio.timeout(10):
            changes = aiter(engine.devices)
            while not any(listed.size == (320, 640) for listed in engine.devices.list()):
                await anext(changes)


async def test_what_a_recording_can_and_cannot_do(recordings: Callable[..., Path]) -> None:
    async with (
        Engine(EngineSettings(recordings=(str(recordings()),), use_adb=False)) as engine,
        engine.stream("file:moving") as stream,
    ):
        assert (await stream.screenshot()).startswith(b"\xff\xd8\xff")
        assert await stream.request_key_frame() is False
        assert isinstance(await stream.set_target(Target(fps=10)), Unsupported)
        with pytest.raises(UnsupportedError, match="recording"):
            await stream.control(Text("hello"))
        description = await stream.wait_described(5)
        assert description is not None
        assert description.size == (160, 128)
        packet = await anext(stream.packets())
        assert packet.is_key
        assert packet.to_av().is_keyframe
        stats = stream.stats()
        assert (stats.source, stats.key_frames) == ("recording", 1)


async def test_a_session_that_nothing_is_heard_of_is_closed(recordings: Callable[..., Path]) -> None:
    offer = Path(__file__).parent.joinpath("rtc/data/chromium-156-video-data.sdp").read_text()
    settings = EngineSettings(
        recordings=(str(recordings()),), use_adb=False, session_idle_s=0.4, session_idle_check_s=0.01
    )
    async with Engine(settings) as engine:
        session = await engine.connect("file:moving", offer)
        assert await session.wait_closed() is CloseReason.IDLE
        assert engine.session(session.secret) is None
        assert engine.stats().sessions == ()


async def test_a_session_that_is_touched_stays(recordings: Callable[..., Path]) -> None:
    """What the UDP port does for each authentic STUN message is done here by hand."""
    offer = Path(__file__).parent.joinpath("rtc/data/chromium-156-video-data.sdp").read_text()
    settings = EngineSettings(
        recordings=(str(recordings()),), use_adb=False, session_idle_s=1.0, session_idle_check_s=0.01
    )
    async with Engine(settings) as engine:
        session = await engine.connect("file:moving", offer)
        for _ in range(15):
            await asyncio.sleep(0.1)  # time is what this is about
            assert engine._sessions.touch(session.id)
        await session.close()
        assert await session.wait_closed() is CloseReason.REQUESTED
