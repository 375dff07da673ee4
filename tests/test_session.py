"""One viewer over a real connection: what it is told, what is told of it, and what becomes of it."""

import asyncio
import contextlib
import ctypes
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from mediacore import Engine, EngineSettings, Packet
from mediacore.h264 import AccessUnitParser
from mediacore.media import DropCause
from mediacore.media_loop import monotonic_us
from mediacore.server.app import Server
from mediacore.server.settings import ServerSettings
from mediacore.session import RTP_HZ, _now_on
from mediacore.stream.stream import Stream
from mediacore.testing.viewer import BuiltInViewer

pytestmark = pytest.mark.filterwarnings("default::ResourceWarning")  # aiortc's own sockets, freed late


@contextlib.asynccontextmanager
async def served(settings: EngineSettings) -> AsyncIterator[tuple[Engine, Callable[[str], str]]]:
    """An engine behind the bundled server, and the WHEP address of a device."""
    async with Engine(settings) as engine, Server(engine, ServerSettings(port=0)) as server:
        yield engine, lambda serial: f"{server.url}/api/v1/devices/{quote(serial, safe='')}/whep"


@contextlib.asynccontextmanager
async def pushing(stream: Stream, data: bytes) -> AsyncIterator[None]:
    """The same pictures again and again, 50 in a second; each pass is a group of pictures."""
    parser = AccessUnitParser()
    units = [*parser.push(data), parser.flush()]

    async def push() -> None:
        while True:
            for unit in units:
                assert unit is not None
                now_us = monotonic_us()
                await stream.push(Packet("video", "h264", unit.data, now_us, unit.is_idr, 1, now_us))
                await asyncio.sleep(0.02)  # the pace of the publisher

    task = asyncio.create_task(push())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def told(viewer: BuiltInViewer, kind: str) -> dict[str, Any]:
    """The first event of a kind."""
    async with asyncio.timeout(10), viewer._changed:
        await viewer._changed.wait_for(lambda: any(event["type"] == kind for event in viewer.events))
    return next(event for event in viewer.events if event["type"] == kind)


async def test_the_figures_of_a_viewer(recordings: Callable[..., Path]) -> None:
    settings = EngineSettings(recordings=(str(recordings()),), use_adb=False)
    async with served(settings) as (engine, url), BuiltInViewer(url("file:moving")) as viewer:
        await viewer.wait_frames(20)
        async with asyncio.timeout(10):
            while (session := engine.stats().sessions[0]).feedback is None or not session.stages:
                await asyncio.sleep(0.05)  # the viewer's first report comes when it likes
        assert session.state == "live"
        assert session.connect_ms is not None
        assert session.first_packet_ms is not None
        assert 0 < session.connect_ms <= session.first_packet_ms < 10_000
        assert session.pair is not None
        assert not session.pair.relayed
        assert session.packets_sent >= 20
        assert session.bytes_sent > 0
        assert session.feedback.loss == 0
        assert session.retransmitted == 0
        assert session.server_us is not None
        stages = session.stages
        assert stages["complete_to_sent"].p50_us <= stages["arrival_to_sent"].p95_us
        queue = session.queue
        assert queue.delivered >= 20
        assert queue.pushed == queue.delivered + queue.queued + sum(queue.dropped.values())
        (stream,) = engine.stats().streams
        assert stream.viewers == 1
        assert stream.fps == pytest.approx(30, abs=6)
        assert engine.stats().media_loop["wake_ups"] > 0


async def test_the_viewer_is_told_size_and_clock(recordings: Callable[..., Path]) -> None:
    settings = EngineSettings(recordings=(str(recordings()),), use_adb=False)
    async with served(settings) as (_, url), BuiltInViewer(url("file:moving")) as viewer:
        description = await told(viewer, "description")
        assert (description["width"], description["height"], description["rotation"]) == (160, 128, 0)
        clock = await told(viewer, "clock")
        assert abs(clock["pts_us"] - monotonic_us()) < 10_000_000
        assert 0 <= clock["rtp"] < 1 << 32


def test_the_clock_is_told_for_now_whatever_the_origin() -> None:
    """A viewer reckons with 32 bits: an origin of days ago was half a day off."""
    origin, week_us = 4_000_000_000, 7 * 86_400_000_000
    clock = _now_on((origin, monotonic_us() - week_us))
    assert abs(clock["pts_us"] - monotonic_us()) < 1_000_000
    expected = (origin + week_us * RTP_HZ // 1_000_000) % (1 << 32)
    assert (clock["rtp"] - expected) % (1 << 32) < RTP_HZ


async def test_a_published_stream_is_watched_by_two_and_ends_for_both(recordings: Callable[..., Path]) -> None:
    data = await asyncio.to_thread(recordings(frames=10, gop=10).read_bytes)
    asked = asyncio.Event()
    async with served(EngineSettings(use_adb=False)) as (engine, url):
        async with (
            engine.publish("mine", on_key_frame_request=asked.set) as stream,
            pushing(stream, data),
            BuiltInViewer(url("publish:mine")) as one,
            BuiltInViewer(url("publish:mine")) as other,
        ):
            await one.wait_frames(10)
            await other.wait_frames(10)
            assert stream.stats().viewers == 2
            await stream.request_key_frame()
            assert asked.is_set()
        async with asyncio.timeout(10):
            while engine.stats().sessions:
                await asyncio.sleep(0.01)  # sessions end by themselves
        assert engine.stats().streams == ()


async def test_the_end_of_a_published_stream_ends_its_viewers(recordings: Callable[..., Path]) -> None:
    data = await asyncio.to_thread(recordings(frames=10, gop=10).read_bytes)
    async with served(EngineSettings(use_adb=False)) as (engine, url), contextlib.AsyncExitStack() as publisher:
        stream = await publisher.enter_async_context(engine.publish("mine"))
        await publisher.enter_async_context(pushing(stream, data))
        async with BuiltInViewer(url("publish:mine")) as viewer:
            await viewer.wait_channel()
            await publisher.aclose()
            assert (await told(viewer, "closing"))["reason"] == "stream-ended"


async def test_pictures_go_on_while_the_interpreter_stands_still(recordings: Callable[..., Path]) -> None:
    """The queue was emptied by Python: whatever held it up held up each viewer."""
    settings = EngineSettings(recordings=(str(recordings(fps=50, frames=50, gop=50)),), use_adb=False)
    async with served(settings) as (engine, url), BuiltInViewer(url("file:moving")) as viewer:
        await viewer.wait_frames(10)
        await asyncio.sleep(0.6)  # what is read ahead is there
        before = engine.stats().sessions[0].queue
        ctypes.PyDLL(None).usleep(500_000)  # with the GIL held
        after = engine.stats().sessions[0].queue
        assert after.delivered - before.delivered >= 20
        assert after.dropped.get(DropCause.SLOW_CONSUMER, 0) == 0
