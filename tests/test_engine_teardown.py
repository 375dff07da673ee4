"""What an engine leaves behind when things end at the wrong moment: nothing. A source whose steps the test decides."""

import asyncio
import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

from mediacore import Engine, EngineSettings, StreamSettings
from mediacore import engine as engine_module
from mediacore.capture.source import SourceStats
from mediacore.errors import ConnectFailedError, MediacoreError, RecordingError, SetupError
from mediacore.media import Applied, Target, Unsupported
from mediacore.media_loop import MediaLoop
from mediacore.rtc.viewer import Viewer

OFFER = Path(__file__).parent.joinpath("rtc/data/chromium-156-video-data.sdp")


class Source:
    """Opens and closes when the test lets it."""

    kind = "recording"
    codec = "h264"
    has_audio = False
    key_frames_on_request = False
    push = None
    description = None
    control = None
    made: ClassVar[list["Source"]] = []

    def __init__(self, path: Path) -> None:
        self.on_end: Callable[[MediacoreError | None], None] | None = None
        self.opening, self.closing = asyncio.Event(), asyncio.Event()
        self.closed = False
        self.error: MediacoreError | None = None
        Source.made.append(self)

    async def open(
        self, loop: MediaLoop, rendition: int, audio: int, on_end: Callable[[MediacoreError | None], None]
    ) -> None:
        self.on_end = on_end
        self.opening.set()
        await self.let_open()
        if self.error is not None:
            raise self.error

    async def close(self) -> None:
        self.closing.set()
        await self.let_close()
        self.closed = True

    async def request_key_frame(self) -> bool:
        return False

    async def set_target(self, target: Target) -> Applied | Unsupported:
        return Unsupported("a test")

    def stats(self) -> SourceStats:
        return SourceStats()

    async def let_open(self) -> None:
        pass

    async def let_close(self) -> None:
        pass


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> list[Source]:
    """The sources that the engine makes."""
    made: list[Source] = []
    monkeypatch.setattr(Source, "made", made)
    monkeypatch.setattr(engine_module, "Recording", Source)
    return made


def settings(*names: str, grace_s: float = 0.0) -> EngineSettings:
    return EngineSettings(recordings=names or ("a.h264",), use_adb=False, stream=StreamSettings(grace_s=grace_s))


async def hold(engine: Engine, serial: str, until: asyncio.Event) -> None:
    async with engine.stream(serial):
        await until.wait()


async def made(sources: list[Source], count: int = 1) -> Source:
    async with asyncio.timeout(5):
        while len(sources) < count:
            await asyncio.sleep(0)
    return sources[count - 1]


async def test_a_stream_that_opens_while_the_engine_closes_is_not_left_running(
    sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was put among the streams after they had been ended, and ran on."""
    go_on = asyncio.Event()
    monkeypatch.setattr(Source, "let_open", lambda _: go_on.wait())
    async with Engine(EngineSettings(recordings=("a.h264",), use_adb=False)) as engine:
        holding = asyncio.create_task(hold(engine, "file:a", asyncio.Event()))
        source = await made(sources)
        draining = asyncio.create_task(engine.drain(0.05))
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(SetupError):
            await asyncio.wait_for(holding, 5)
        await draining
    assert source.closed
    assert engine.stats().streams == ()


async def test_an_engine_waits_for_a_stream_that_its_grace_period_is_ending(
    sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was gone from the streams already, so nobody waited: its tasks outlived the engine."""
    go_on = asyncio.Event()
    monkeypatch.setattr(Source, "let_close", lambda _: go_on.wait())
    engine = Engine(settings())
    await engine.__aenter__()
    async with engine.stream("file:a"):
        pass
    await asyncio.wait_for(sources[0].closing.wait(), 5)
    leaving = asyncio.create_task(engine.__aexit__(None, None, None))
    for _ in range(50):
        await asyncio.sleep(0)
    assert not leaving.done()
    go_on.set()
    await asyncio.wait_for(leaving, 5)
    assert sources[0].closed


async def test_streams_are_ended_side_by_side(sources: list[Source], monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, fifty stalled devices took fifty times as long as the budget."""
    all_of_them = asyncio.Barrier(3)
    monkeypatch.setattr(Source, "let_close", lambda _: all_of_them.wait())
    async with Engine(settings("a", "b", "c")) as engine:
        until = asyncio.Event()
        holders = [asyncio.create_task(hold(engine, f"file:{name}", until)) for name in "abc"]
        await made(sources, 3)
        await asyncio.wait_for(engine.drain(5), 5)
        assert [source.closed for source in sources] == [True] * 3
        until.set()
        await asyncio.gather(*holders)


async def test_a_stalled_stream_does_not_hold_up_the_drain(
    sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its close had no deadline."""
    monkeypatch.setattr(Source, "let_close", lambda _: asyncio.Event().wait())
    async with Engine(settings()) as engine:
        until = asyncio.Event()
        holder = asyncio.create_task(hold(engine, "file:a", until))
        await made(sources)
        await asyncio.wait_for(engine.drain(0.05), 5)
        until.set()
        await holder


async def test_who_lets_go_after_the_engine_has_closed_leaves_no_task(sources: list[Source]) -> None:
    until = asyncio.Event()
    async with Engine(settings()) as engine:
        holder = asyncio.create_task(hold(engine, "file:a", until))
        await made(sources)
    before = asyncio.all_tasks() - {holder}
    until.set()
    await holder
    assert asyncio.all_tasks() == before


async def test_nothing_is_kept_of_a_stream_that_has_ended(sources: list[Source]) -> None:
    """A lock per serial stayed for ever: network devices come back under new ones."""
    async with Engine(settings()) as engine:
        async with engine.stream("file:a"):
            pass
        async with asyncio.timeout(5):
            while not sources[0].closed or engine._turns:
                await asyncio.sleep(0)
                gc.collect()
        assert not engine._streams


async def test_the_grace_period_is_that_of_who_started_the_stream(sources: list[Source]) -> None:
    """The engine's own was taken instead."""
    async with Engine(settings(grace_s=3600)) as engine:
        async with engine.stream("file:a", StreamSettings(grace_s=0)):
            pass
        await asyncio.wait_for(sources[0].closing.wait(), 5)


async def test_a_stream_that_cannot_start_again_leaves_its_holders_alone(sources: list[Source]) -> None:
    async with Engine(settings()) as engine:
        until = asyncio.Event()
        async with engine.stream("file:a") as first:
            sources[0].on_end(RecordingError("its end"))
            assert isinstance(await asyncio.wait_for(first.wait_ended(), 5), RecordingError)

            def fails(source: Source, path: Path) -> None:
                ordinary(source, path)
                source.error = RecordingError("there is none")

            ordinary = Source.__init__
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Source, "__init__", fails)
                with pytest.raises(RecordingError, match="there is none"):
                    await hold(engine, "file:a", until)
            assert engine.stats().streams == ()
            async with engine.stream("file:a") as third:
                assert third is not first
        assert [source.closed for source in sources[:2]] == [True, True]


async def test_a_session_that_is_drained_while_its_stream_opens_leaves_nothing(
    sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stream was opened after all, and held for ever by nobody."""
    go_on = asyncio.Event()
    monkeypatch.setattr(Source, "let_open", lambda _: go_on.wait())
    engine = Engine(settings())
    await engine.__aenter__()
    offer = await asyncio.to_thread(OFFER.read_text)
    connecting = asyncio.create_task(engine.connect("file:a", offer))
    source = await made(sources)
    await asyncio.wait_for(engine.drain(5), 5)
    go_on.set()
    with pytest.raises(ConnectFailedError, match="closed"):
        await asyncio.wait_for(connecting, 5)
    assert source.closed
    assert engine.stats().streams == engine.stats().sessions == ()
    await engine.__aexit__(None, None, None)


async def test_a_cancelled_connect_leaves_nothing(sources: list[Source], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "let_open", lambda _: asyncio.Event().wait())
    async with Engine(settings()) as engine:
        offer = await asyncio.to_thread(OFFER.read_text)
        connecting = asyncio.create_task(engine.connect("file:a", offer))
        source = await made(sources)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(connecting, 5)
        assert source.closed
        assert engine.stats().streams == engine.stats().sessions == ()


async def test_a_connection_that_fails_in_its_own_way_ends_the_session(
    recordings: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task died, and the session stayed in the map for ever."""

    async def broken(_: Viewer) -> None:
        raise ValueError("something that was not thought of")

    monkeypatch.setattr(Viewer, "connect", broken)
    async with Engine(EngineSettings(recordings=(str(recordings()),), use_adb=False)) as engine:
        session = await engine.connect("file:moving", await asyncio.to_thread(OFFER.read_text))
        await asyncio.wait_for(session.wait_closed(), 5)
        assert engine.stats().sessions == ()


async def test_why_a_stream_failed_is_told_to_its_viewers(
    sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were told that it ended, whatever the device had said."""
    sent: list[str] = []
    live = asyncio.Event()

    async def connected(_: Viewer) -> None:
        live.set()

    monkeypatch.setattr(Viewer, "connect", connected)
    monkeypatch.setattr(Viewer, "start_media", lambda *_: None)
    monkeypatch.setattr(Viewer, "send_message", lambda _, message: sent.append(message) or True)
    async with Engine(settings()) as engine:
        session = await engine.connect("file:a", await asyncio.to_thread(OFFER.read_text))
        await asyncio.wait_for(live.wait(), 5)
        sources[0].on_end(RecordingError("no encoder is free"))
        assert await asyncio.wait_for(session.wait_closed(), 5) == "stream-ended"
    assert json.loads(sent[-1]) == {"v": 1, "type": "closing", "reason": "stream-ended", "detail": "no encoder is free"}


async def test_two_engines_in_one_process_do_not_know_of_each_other(recordings: Callable[..., Path]) -> None:
    one = EngineSettings(recordings=(str(recordings()),), use_adb=False)
    async with (
        Engine(one) as first,
        Engine(one) as second,
        first.stream("file:moving") as stream,
        second.stream("file:moving") as other,
    ):
        assert stream is not other
        await first.drain(1)
        assert stream.ended
        assert (await asyncio.wait_for(anext(other.packets()), 5)).is_key
