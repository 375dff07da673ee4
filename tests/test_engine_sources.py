"""Devices captured each way, and what is made of it: codecs, sizes, frames."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import av
import pytest

from mediacore import AdbSettings, Engine, EngineSettings, StreamSettings
from mediacore.errors import LimitError
from mediacore.media import DeviceState, Packet, Wanted
from mediacore.stream.packet_tap import PacketTap
from mediacore.stream.stream import Stream
from mediacore.testing import SimulatedDevice

SIZE = (192, 320)


@contextlib.asynccontextmanager
async def streamed(device: SimulatedDevice, **settings: object) -> AsyncIterator[Stream]:
    stream_settings = StreamSettings(grace_s=0.1, bitrate_bps=2_000_000, **settings)  # type: ignore[arg-type]
    engine_settings = EngineSettings(adb=AdbSettings(private=True, connect=(device.address,)), stream=stream_settings)
    async with Engine(engine_settings) as engine:
        await engine.devices.refresh()
        async with asyncio.timeout(20):
            changes = aiter(engine.devices)
            while not any(known.state is DeviceState.DEVICE for known in engine.devices.list()):
                await anext(changes)
        async with engine.stream(device.address) as stream:
            yield stream


def decoded(codec: str, packet: Packet) -> av.VideoFrame:
    """The picture of a key frame."""
    assert packet.is_key
    decoder = av.CodecContext.create("libdav1d" if codec == "av1" else codec, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    (frame,) = [*decoder.decode(av.Packet(bytes(packet.data))), *decoder.decode(None)]
    return frame


@contextlib.contextmanager
def tapped(stream: Stream, rendition: int, codec: str) -> "contextlib.AbstractContextManager[PacketTap]":
    assert stream._loop is not None
    with PacketTap(stream._loop, rendition, codec, capacity=64) as tap:
        yield tap


@contextlib.asynccontextmanager
async def described(stream: Stream) -> AsyncIterator[None]:
    assert await stream.wait_described(10) is not None
    yield


@pytest.mark.parametrize("source", ["screencap", "screenrecord-frames"])
async def test_raw_pictures_become_h264(source: str) -> None:
    async with SimulatedDevice(size=SIZE, scene="scroll") as device, streamed(device, source=source) as stream:
        packets = stream.packets()
        async with asyncio.timeout(20):
            first = await anext(packets)
            for _ in range(5):
                last = await anext(packets)
        frame = decoded("h264", first)
        assert (frame.width, frame.height) == SIZE
        assert last.pts_us > first.pts_us
        stats = stream.stats()
        assert stats.source == source
        (rendition,) = stats.renditions
        assert (rendition.codec, rendition.viewers, rendition.size) == ("h264", 1, SIZE)
        frames = rendition.frames
        assert frames.pushed == frames.delivered + frames.queued + sum(frames.dropped.values())
        description = await stream.wait_described(5)
        assert description is not None
        assert (description.size, description.profile_level_id[:4]) == (SIZE, "42c0")


async def test_a_device_without_an_encoder_is_captured_as_pictures() -> None:
    async with SimulatedDevice(size=SIZE, scene="scroll", video_encoder=False) as device, streamed(device) as stream:
        packets = stream.packets()
        packet = await asyncio.wait_for(anext(packets), 20)
        assert decoded("h264", packet).width == SIZE[0]
        stats = stream.stats()
        assert stats.source == "screenrecord-frames"
        assert "screenrecord failed" in stats.capture
        assert "unable to configure video/avc codec" in stats.capture


@pytest.mark.parametrize("codec", ["vp8", "vp9", "av1"])
async def test_what_the_device_encodes_is_encoded_again_for_who_cannot_take_it(codec: str) -> None:
    codecs = ("h264", "vp8", "vp9", "av1")
    async with (
        SimulatedDevice(size=SIZE, scene="scroll") as device,
        streamed(device, transcode_codecs=codecs) as stream,
        stream.take(codec) as rendition,
    ):
        assert stream.codecs() == codecs
        with tapped(stream, rendition, codec) as tap:
            async with asyncio.timeout(20):
                first = await anext(tap)
                for _ in range(5):
                    await anext(tap)
        frame = decoded(codec, first)
        assert (frame.width, frame.height) == SIZE
        assert stream.stats().renditions[0].codec == codec


async def test_a_smaller_size_and_rate_beside_the_stream_as_it_comes(recordings: Callable[..., Path]) -> None:
    path = recordings(size=(320, 240), frames=60)
    settings = EngineSettings(recordings=(str(path),), use_adb=False)
    async with (
        Engine(settings) as engine,
        engine.stream("file:moving") as stream,
        described(stream),
        stream.take("h264", Wanted(size=(160, 160), fps=10)) as small,
        stream.take("h264", Wanted(size=(320, 240))) as whole,
    ):
        assert whole == stream.rendition
        with tapped(stream, small, "h264") as tap, stream.frames((100, 100)) as frames:
            async with asyncio.timeout(20):
                packets = [await anext(tap) for _ in range(8)]
                frame = await anext(frames)
        assert frame.size == (100, 74)
        picture = decoded("h264", packets[0])
        assert (picture.width, picture.height) == (160, 120)
        pace_us = (packets[-1].pts_us - packets[2].pts_us) / 5
        assert pace_us > 70_000, "ten a second, not thirty"


async def test_encoders_are_bounded_over_all_streams(recordings: Callable[..., Path]) -> None:
    """Each stream could have eight, and there may be as many streams as anybody likes."""
    settings = EngineSettings(recordings=(str(recordings()),), use_adb=False, max_encoders=2)
    async with (
        Engine(settings) as engine,
        engine.stream("file:moving") as stream,
        engine.publish("mine") as other,
        stream.take("vp8"),
    ):
        async with stream.take("vp9"):
            with pytest.raises(LimitError, match="max_encoders"):
                async with stream.take("vp8", Wanted(fps=5)):
                    pass
            with pytest.raises(LimitError, match="max_encoders"):
                async with other.take("vp8"):
                    pass
            async with stream.take("vp8"), stream.take("h264"):
                pass  # what there is already, and what comes as it is
        async with asyncio.timeout(10):
            while engine._encoders.running > 1:
                await asyncio.sleep(0.01)  # nothing tells of it
        async with other.take("vp8"):
            pass


async def test_a_late_viewer_of_a_static_screen_gets_a_picture_at_once() -> None:
    async with (
        SimulatedDevice(size=SIZE, scene="static") as device,
        streamed(device, source="screencap") as stream,
        stream.take("h264"),
    ):
        with stream.packets() as packets:
            await asyncio.wait_for(anext(packets), 20)
        await asyncio.sleep(1)  # the screen stands still
        with stream.packets() as late:
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            assert (await asyncio.wait_for(anext(late), 5)).is_key
            assert loop.time() - began_s < 0.5
        began_s = loop.time()
        async with stream.take("vp8") as rendition:
            with tapped(stream, rendition, "vp8") as tap:
                assert (await asyncio.wait_for(anext(tap), 5)).is_key
            assert loop.time() - began_s < 2
