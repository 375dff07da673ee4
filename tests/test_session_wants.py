"""A viewer that wants something else than what comes: another codec, size or rate, with its offer and afterwards."""

import asyncio
import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from left_behind import fill_thread_pool, held, settled

from mediacore import Engine, EngineSettings, StreamSettings, Wanted
from mediacore.errors import ConnectFailedError, UnsupportedError, WantedError
from mediacore.server.app import Server
from mediacore.server.settings import ServerSettings
from mediacore.session import Session
from mediacore.testing.viewer import BuiltInViewer

pytestmark = pytest.mark.filterwarnings("default::ResourceWarning")  # aiortc's own sockets, freed late
OFFER = (Path(__file__).parent / "rtc" / "data" / "gstreamer-like-video.sdp").read_text()


@contextlib.asynccontextmanager
async def served(recording: Path, **stream: Any) -> AsyncIterator[tuple[Engine, str]]:
    """An engine that plays a recording of 160x128, and its WHEP address."""
    settings = EngineSettings(recordings=(str(recording),), use_adb=False, stream=StreamSettings(**stream))
    async with Engine(settings) as engine, Server(engine, ServerSettings(port=0)) as server:
        yield engine, f"{server.url}/api/v1/devices/{quote(f'file:{recording.stem}', safe='')}/whep"


async def until(viewer: BuiltInViewer, condition: Callable[[], bool]) -> None:
    """Waits until it is true after a picture or an event."""
    async with asyncio.timeout(10), viewer._changed:
        await viewer._changed.wait_for(condition)


def renditions(viewer: BuiltInViewer) -> list[tuple[str, Any, Any]]:
    """(codec, size, fps) of each time that the viewer was told what it gets."""
    return [(told["codec"], told["size"], told["fps"]) for told in viewer.events if told["type"] == "rendition"]


def the_session(engine: Engine) -> Session:
    (session,) = (session for _, _, session in engine._sessions.snapshot())
    return session


async def test_what_comes_is_what_is_sent_if_nothing_is_wanted(recordings: Callable[..., Path]) -> None:
    async with served(recordings()) as (engine, url), BuiltInViewer(url) as viewer:
        await viewer.wait_frames(2)
        await until(viewer, lambda: renditions(viewer) == [("h264", None, None)])
        stats = engine.stats()
        assert (stats.sessions[0].codec, stats.sessions[0].wanted) == ("h264", Wanted())
        assert stats.streams[0].renditions == ()


async def test_a_codec_that_is_preferred_is_encoded_once_for_two_and_ends_with_the_last(
    recordings: Callable[..., Path],
) -> None:
    async with (
        served(recordings(), grace_s=0) as (engine, url),
        BuiltInViewer(f"{url}?codec=vp8,h264") as one,
        BuiltInViewer(f"{url}?codec=vp8") as other,
    ):
        await one.wait_frames(3)
        await other.wait_frames(3)
        assert one.size == other.size == (160, 128)
        await until(one, lambda: renditions(one) == [("vp8", None, None)])
        stats = engine.stats()
        assert [session.codec for session in stats.sessions] == ["vp8", "vp8"]
        (rendition,) = stats.streams[0].renditions
        assert (rendition.codec, rendition.size) == ("vp8", (160, 128))
        async with engine.stream("file:moving") as stream:
            await one.close()
            await other.close()
            async with asyncio.timeout(5):
                while stream.stats().renditions:
                    await asyncio.sleep(0.01)  # it ends in the background
            assert not stream.ended


async def test_a_preference_that_cannot_be_met_is_passed_over(recordings: Callable[..., Path]) -> None:
    async with served(recordings()) as (engine, url), BuiltInViewer(f"{url}?codec=av1") as viewer:
        await viewer.wait_frames(2)  # aiortc takes no AV1
        assert engine.stats().sessions[0].codec == "h264"


async def test_size_and_rate_come_with_the_offer(recordings: Callable[..., Path]) -> None:
    async with served(recordings()) as (engine, url), BuiltInViewer(f"{url}?size=80x80&fps=10") as viewer:
        await viewer.wait_frames(3)
        assert viewer.size == (80, 64)
        await until(viewer, lambda: renditions(viewer) == [("h264", [80, 80], 10)])
        assert engine.stats().sessions[0].wanted == Wanted((), (80, 80), 10)


async def test_a_viewer_moves_to_another_size_and_back(recordings: Callable[..., Path]) -> None:
    async with served(recordings()) as (engine, url), BuiltInViewer(url) as viewer:
        await viewer.wait_frames(2)
        await viewer.wait_channel()
        viewer.send(json.dumps({"v": 1, "type": "want", "size": [80, 80], "fps": None}))
        await until(viewer, lambda: viewer.size == (80, 64))
        viewer.send(json.dumps({"v": 1, "type": "want", "size": None, "fps": None}))
        await until(viewer, lambda: viewer.size == (160, 128))
        await until(viewer, lambda: renditions(viewer)[-2:] == [("h264", [80, 80], None), ("h264", None, None)])
        assert engine.stats().sessions[0].wanted == Wanted()


async def test_an_embedder_moves_a_viewer(recordings: Callable[..., Path]) -> None:
    async with served(recordings()) as (engine, url), BuiltInViewer(url) as viewer:
        await viewer.wait_frames(2)
        session = the_session(engine)
        await session.want(Wanted(("av1",), (96, 96)))
        await until(viewer, lambda: viewer.size == (96, 76))
        assert session.stats().codec == "h264", "the codec stays what was negotiated"
        with pytest.raises(WantedError, match="fps is 1000"):
            await session.want(Wanted(fps=1000))
        assert session.stats().wanted.size == (96, 96)
        await session.close()
        with pytest.raises(ConnectFailedError):
            await session.want(Wanted())


async def test_a_burst_of_wishes_costs_two_changes_and_the_newest_counts(recordings: Callable[..., Path]) -> None:
    async with served(recordings()) as (engine, url), BuiltInViewer(url) as viewer:
        await viewer.wait_frames(2)
        await viewer.wait_channel()
        for side in range(64, 124):
            viewer.send(json.dumps({"v": 1, "type": "want", "size": [side, side], "fps": None}))
        await until(viewer, lambda: renditions(viewer)[-1:] == [("h264", [123, 123], None)])
        assert len(renditions(viewer)) <= 4
        assert engine.stats().sessions[0].wanted.size == (123, 123)


async def test_a_wish_that_is_refused_is_told_and_changes_nothing(recordings: Callable[..., Path]) -> None:
    async with served(recordings(), transcode_codecs=()) as (engine, url), BuiltInViewer(url) as viewer:
        await viewer.wait_frames(2)
        await viewer.wait_channel()
        viewer.send(json.dumps({"v": 1, "type": "want", "size": [80, 80], "fps": None}))
        await until(viewer, lambda: any(event["type"] == "unsupported" for event in viewer.events))
        (refusal,) = (event for event in viewer.events if event["type"] == "unsupported")
        assert refusal["what"] == "want"
        assert "h264" in refusal["reason"]
        frames = viewer.frames
        await viewer.wait_frames(frames + 3)
        assert viewer.size == (160, 128)
        with pytest.raises(UnsupportedError):
            await the_session(engine).want(Wanted(fps=5))


async def test_a_viewer_goes_on_as_it_was_when_its_encoder_fails(recordings: Callable[..., Path]) -> None:
    async with served(recordings(), encoder="nonesuch") as (engine, url), BuiltInViewer(url) as viewer:
        await viewer.wait_frames(2)
        await viewer.wait_channel()
        viewer.send(json.dumps({"v": 1, "type": "want", "size": [80, 80], "fps": None}))
        await until(viewer, lambda: any(event["type"] == "unsupported" for event in viewer.events))
        (refusal,) = (event for event in viewer.events if event["type"] == "unsupported")
        assert refusal["what"] == "want"
        assert "nonesuch" in refusal["reason"]
        assert renditions(viewer)[-1] == ("h264", None, None)
        frames = viewer.frames
        await viewer.wait_frames(frames + 3)
        assert viewer.size == (160, 128)
        assert engine.stats().sessions[0].wanted == Wanted()


async def test_a_viewer_whose_codec_cannot_be_encoded_is_told_why_it_ends(recordings: Callable[..., Path]) -> None:
    async with served(recordings(), encoder="nonesuch") as (engine, url), BuiltInViewer(f"{url}?codec=vp8") as viewer:
        await until(viewer, lambda: any(event["type"] == "closing" for event in viewer.events))
        (closing,) = (event for event in viewer.events if event["type"] == "closing")
        assert closing["reason"] == "stream-ended"
        assert "nonesuch" in closing["detail"]
        async with asyncio.timeout(5):
            while engine.stats().sessions:
                await asyncio.sleep(0.01)  # it ends by itself


async def test_viewers_that_want_this_and_that_leave_nothing_behind(recordings: Callable[..., Path]) -> None:
    async with served(recordings(), grace_s=60) as (engine, url):

        async def watch(n: int) -> None:
            async with BuiltInViewer(f"{url}?codec={('vp8', 'h264')[n % 2]}&size=96x96") as viewer:
                await viewer.wait_frames(1)
                session = the_session(engine)
                await session.want(Wanted(size=(80, 80), fps=(None, 7.0, 10.0)[n % 3]))
                await session.want(Wanted())
                if n % 4 == 3:
                    await session.close()
            async with asyncio.timeout(10):
                while engine.stats().sessions or engine.stats().streams[0].renditions:
                    await asyncio.sleep(0.01)  # they end in the background

        await fill_thread_pool()
        await watch(0)
        await watch(1)
        before = held()
        for n in range(12):
            await watch(n)
        after = await settled(before)
        assert (after.tasks, after.threads) == (before.tasks, before.threads)
        assert after.fds <= before.fds


def refused(url: str, offer: str) -> tuple[int, dict[str, Any]]:
    """Status and problem of an offer."""
    request = urllib.request.Request(url, offer.encode(), {"Content-Type": "application/sdp"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, {}
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


async def test_a_viewer_without_any_common_codec_learns_both_lists(recordings: Callable[..., Path]) -> None:
    async with served(recordings()) as (engine, url):
        status, problem = await asyncio.to_thread(refused, url, OFFER.replace("H264", "H265"))
        assert status == 406
        assert problem["code"] == "no_common_codec"
        assert problem["offered"] == ["H265"]
        assert {name.split()[0] for name in problem["available"]} == {"H264", "VP8", "VP9", "AV1"}
        assert engine.stats().sessions == ()
        status, problem = await asyncio.to_thread(refused, f"{url}?fps=0", OFFER)
        assert (status, problem["code"]) == (400, "wanted")
        assert engine.stats().sessions_total == 1


async def test_what_is_not_encoded_for_viewers_is_not_offered(recordings: Callable[..., Path]) -> None:
    async with served(recordings(), transcode_codecs=("vp8",)) as (_, url):
        _, problem = await asyncio.to_thread(refused, url, OFFER.replace("H264", "H265"))
        assert {name.split()[0] for name in problem["available"]} == {"H264", "VP8"}
