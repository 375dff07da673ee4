"""What both sources of raw pictures do, over the real adb server."""

import asyncio
import contextlib
import errno
import itertools
import math
import os
import signal
import socket
import threading
from collections.abc import Iterator

import pytest
from taken_frames import SIZE, SOURCES, Frames, captured, has_dot, number_of

from mediacore.adb.client import AdbClient
from mediacore.capture import retries, shots
from mediacore.capture.frame_outlet import STALE_US
from mediacore.capture.screencap import Screencap
from mediacore.control.messages import Touch, TouchAction
from mediacore.errors import CaptureError, DeviceDisconnectedError, DeviceNotFoundError
from mediacore.media import Applied, Target
from mediacore.picture_reader import PictureReader
from mediacore.settings import AdbSettings, StreamSettings
from mediacore.testing import SimulatedDevice

pytestmark = pytest.mark.parametrize("kind", SOURCES)
QUICK = StreamSettings(rotation_poll_s=0.1)


async def test_frames_show_the_screen_one_after_the_other(kind: str) -> None:
    async with captured(kind) as (_, source, sink):
        frames = await sink.several(20)
        assert {frame.size for frame in frames} == {SIZE}
        assert {(frame.matrix, frame.full_range) for frame in frames} == {("bt709", False)}
        numbers = [number_of(frame) for frame in frames]
        assert numbers == sorted(set(numbers))
        times = [frame.pts_us for frame in frames]
        assert times == sorted(set(times))
        assert source.rotation == 0
        assert source.kind == kind


async def test_no_more_frames_than_wanted_and_the_last_one_is_not_lost(kind: str) -> None:
    async with captured(kind, fps=5) as (device, source, sink):
        await sink.several(3)
        sink.skip()
        frames = await sink.several(6)
        gaps = [after.pts_us - before.pts_us for before, after in itertools.pairwise(frames)]
        assert sum(gaps) / len(gaps) > 150_000
        source.set_fps(2)
        await device.freeze()
        async with asyncio.timeout(10):
            while number_of(sink.pushed[-1]) != (await device.stats())["frame_number"]:
                await asyncio.sleep(0.01)  # it may be there already


async def test_a_still_screen_gives_one_picture_and_then_each_change(kind: str) -> None:
    async with captured(kind, scene="static") as (device, source, sink):
        assert not has_dot(await sink.take())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asyncio.create_task(sink.take())), 1.0)
        await device.touch(100, 300)
        async with asyncio.timeout(10):
            while not has_dot(sink.pushed[-1]):
                await asyncio.sleep(0.01)  # the task above may have taken it
        assert source.stats().restarts == 0


async def test_who_comes_late_gets_the_picture_at_once(kind: str) -> None:
    async with captured(kind, scene="static") as (_, source, sink):
        first = await sink.take()
        source.repeat()
        again = await asyncio.wait_for(sink.take(), 2)
        assert again.pts_us > first.pts_us
        assert again.dirty_rows is None
        assert number_of(again) == number_of(first)


async def test_input_shows_soon(kind: str) -> None:
    async with captured(kind, scene="static") as (_, source, sink):
        await sink.take()
        assert source.control is not None
        await source.control.send(Touch(TouchAction.DOWN, 1, 32_768, 32_768, 65_535, *SIZE))
        assert has_dot(await sink.take())


async def test_while_nobody_takes_frames_the_device_is_left_alone(kind: str) -> None:
    async with captured(kind) as (device, source, sink):
        await sink.several(5)
        source.set_fps(0)
        await device.wait_for_recordings(0)
        await asyncio.sleep(0.2)  # what was under way
        sink.skip()
        before = await device.stats()
        await asyncio.sleep(0.5)  # no event tells of nothing
        assert sink.skip() == 0
        assert await device.stats() == before
        source.set_fps(30)
        await sink.several(5)


async def test_a_turned_display_gives_turned_pictures(kind: str) -> None:
    async with captured(kind, QUICK) as (device, source, sink):
        await sink.several(3)
        await device.rotate(90)
        while (await sink.take()).size != SIZE[::-1]:
            pass
        async with asyncio.timeout(10):
            while source.rotation != 90:
                await asyncio.sleep(0.01)  # its picture may come before it is known
        await device.rotate(0)
        while (await sink.take()).size != SIZE:
            pass


@pytest.mark.parametrize("habit", ["project", "cut"])
async def test_a_still_screen_that_turns_is_shown_turned(kind: str, habit: str) -> None:
    async with captured(kind, QUICK, scene="static", rotation=habit) as (device, _, sink):
        await sink.take()
        await device.rotate(90)
        while (await sink.take()).size != SIZE[::-1]:
            pass


async def test_pictures_are_made_smaller_on_demand(kind: str) -> None:
    async with captured(kind, StreamSettings(size=(160, 320), rotation_poll_s=0.1)) as (device, source, sink):
        assert (await sink.take()).size == (160, 320)
        applied = await source.set_target(Target(size=(80, 160), fps=20))
        assert isinstance(applied, Applied)
        assert applied.target.size == (80, 160)
        while (await sink.take()).size != (80, 160):
            pass
        await device.rotate(90)
        while (await sink.take()).size != (160, 80):
            pass


async def test_an_unplugged_device_ends_the_source_with_its_reason(kind: str) -> None:
    async with captured(kind) as (device, _, sink):
        await sink.several(5)
        await device.offline()
        assert isinstance(await asyncio.wait_for(sink.error, 15), DeviceDisconnectedError)


async def test_a_killed_adb_server_is_started_again_and_the_frames_go_on(kind: str) -> None:
    async with (
        SimulatedDevice(size=SIZE) as device,
        AdbClient(AdbSettings(private=True, connect=(device.address,))) as adb,
    ):
        source = SOURCES[kind](adb, device.address, StreamSettings())
        sink = Frames()
        try:
            await source.open(sink.push, sink.error.set_result, fps=30)
            await sink.several(5)
            assert adb.server_pid is not None
            os.kill(adb.server_pid, signal.SIGKILL)
            async with asyncio.timeout(15):
                while source.stats().restarts == 0:
                    await sink.take()
            await sink.several(5)
            assert not sink.error.done()
        finally:
            await source.close()


async def test_a_connection_that_breaks_in_a_picture_is_opened_again(kind: str) -> None:
    async with captured(kind) as (device, source, sink):
        await sink.several(30)
        await device.spoil("cut", 1, "screencap" if kind == "screencap" else "screenrecord")
        async with asyncio.timeout(10):
            while source.stats().restarts == 0:
                await sink.take()
        await sink.several(5)


async def test_an_unknown_serial_is_refused_by_name(kind: str) -> None:
    async with AdbClient(AdbSettings(private=True)) as adb:
        source = SOURCES[kind](adb, "no-such-device", StreamSettings())
        sink = Frames()
        with pytest.raises(DeviceNotFoundError, match="no-such-device"):
            await source.open(sink.push, sink.error.set_result, fps=30)


async def test_it_is_closed_twice_and_pushes_nothing_more(kind: str) -> None:
    async with captured(kind) as (_, source, sink):
        await sink.several(5)
        await asyncio.gather(source.close(), source.close())
        sink.skip()
        source.repeat()
        await asyncio.sleep(0.1)  # no event tells of nothing
        assert sink.skip() == 0
        assert not sink.error.done()


async def test_after_a_pause_no_picture_from_before_it_is_shown(kind: str) -> None:
    """Whoever came after hours saw the screen of hours ago, with a time of now."""
    async with captured(kind, scene="static") as (device, source, sink):
        await sink.take()
        source.set_fps(0)
        await device.wait_for_recordings(0)
        await asyncio.sleep(STALE_US / 1e6 + 0.1)  # the pause
        await device.touch(100, 300)
        sink.skip()
        source.set_fps(30)
        source.repeat()
        assert has_dot(await sink.take())


async def test_a_screen_that_stood_still_in_a_pause_is_shown_after_it(kind: str) -> None:
    async with captured(kind, scene="static") as (device, source, sink):
        first = await sink.take()
        source.set_fps(0)
        await device.wait_for_recordings(0)
        await asyncio.sleep(STALE_US / 1e6 + 0.1)  # the pause
        sink.skip()
        source.set_fps(30)
        source.repeat()
        after = await sink.take()
        assert after.pts_us > first.pts_us + STALE_US
        assert (after.y == first.y).all()


async def test_a_thread_whose_task_is_cancelled_ends(kind: str) -> None:
    """As at the end of an interrupted program. A closed reader gives nothing at once: the thread span for ever."""
    # Shots take their time, so that one is under way when it comes to that.
    async with captured(kind, screencap_s={"raw": 0.2, "png": 0.4}) as (device, source, sink):
        await sink.take()
        if isinstance(source, Screencap):
            while not source.stats().capture:
                await sink.take()
            await sink.several(2)
            await asyncio.sleep(0.1)  # half of the time that the next one takes
            working, program = source._capture._working, "screencap"
        else:
            assert source._run is not None
            working, program = source._run.frames, "screenrecord"
        assert working is not None
        name = f"{program} {device.address}"
        (thread,) = [thread for thread in threading.enumerate() if thread.name == name]
        working.cancel()
        done, _ = await asyncio.wait((working,), timeout=5)
        assert done
        await asyncio.to_thread(thread.join, 5)
        assert not thread.is_alive()


async def test_readers_are_not_closed_on_the_loop(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing one waits for its native thread, which may decode a large picture, and held up all streams."""
    closed_on_loop: list[bool] = []
    close = PictureReader.close

    def noting(reader: PictureReader) -> None:
        closed_on_loop.append(threading.current_thread() is threading.main_thread())
        close(reader)

    monkeypatch.setattr(PictureReader, "close", noting)
    async with captured(kind) as (_, _, sink):
        await sink.several(10)
    assert closed_on_loop
    assert not any(closed_on_loop)


@contextlib.contextmanager
def spoilt_readers(monkeypatch: pytest.MonkeyPatch, error: Exception, count: float) -> Iterator[list[PictureReader]]:
    """So many readers cannot be made."""
    refused: list[PictureReader] = []
    make = PictureReader.__init__

    def making(reader: PictureReader, sock: socket.socket, *args: object, **options: object) -> None:
        if len(refused) < count:
            refused.append(reader)
            sock.close()
            raise error
        make(reader, sock, *args, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(PictureReader, "__init__", making)
        yield refused


async def test_a_reader_for_which_nothing_is_left_is_tried_again(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An OSError ended the task that captures, and nobody was told: viewers saw a picture that stood still."""
    too_many = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    with spoilt_readers(monkeypatch, too_many, 2) as refused:
        async with captured(kind) as (_, _, sink):
            await sink.several(5)
            assert len(refused) == 2
            assert not sink.error.done()


async def test_readers_that_never_can_be_made_end_the_source(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "RETRY_S", (0.0,) * 2)
    too_many = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    with spoilt_readers(monkeypatch, too_many, math.inf):
        async with captured(kind) as (_, _, sink):
            error = await asyncio.wait_for(asyncio.shield(sink.error), 10)
            assert isinstance(error, CaptureError)
            assert "Too many open files" in str(error)


async def test_a_fault_of_ours_ends_the_source_too(
    kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Other errors did the same as an OSError."""
    with spoilt_readers(monkeypatch, KeyError("lost"), math.inf):
        async with captured(kind) as (_, _, sink):
            error = await asyncio.wait_for(asyncio.shield(sink.error), 10)
            assert isinstance(error, CaptureError)
            assert "KeyError('lost')" in str(error)
            assert "Traceback" in caplog.text


async def test_a_device_whose_frames_have_no_room_is_closed_again(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error after it was opened left its shells open, and the task that watches its rotation."""

    def refuses(*size: int) -> int:
        raise ValueError(size)

    monkeypatch.setattr(shots, "slot_bytes", refuses)
    async with (
        SimulatedDevice(size=SIZE) as device,
        AdbClient(AdbSettings(private=True, connect=(device.address,))) as adb,
    ):
        source = SOURCES[kind](adb, device.address, StreamSettings())
        sink = Frames()
        with pytest.raises(ValueError, match="320"):
            await source.open(sink.push, sink.error.set_result, fps=30)
        assert f"rotation of {device.address}" not in {task.get_name() for task in asyncio.all_tasks()}
