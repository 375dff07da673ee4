"""screenrecord that starts slowly, dies, or is asked for something else meanwhile: a scripted adb shows each moment."""

import asyncio
import contextlib
import gc
import socket
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from taken import Taken, taken

from mediacore.adb.stream import AdbStream
from mediacore.capture import retries, screenrecord
from mediacore.capture.screenrecord import ScreenRecord
from mediacore.errors import CaptureError
from mediacore.media import Applied, Target
from mediacore.settings import StreamSettings

T = TypeVar("T")


async def soon(what: Awaitable[T]) -> T:
    """The result of what must not take long."""
    return await asyncio.wait_for(what, 5)


class ScriptedAdb:
    """An adb client whose device is the test: its shell answers from here, each screenrecord is one end of a socket."""

    def __init__(self) -> None:
        self.rotation = 0
        self.help = b"Set to 0 for no limit"
        self.accepts = asyncio.Event()
        self.accepts.set()
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        self.started: asyncio.Queue[socket.socket] = asyncio.Queue()
        self.shells: list[asyncio.Task[None]] = []
        self.sockets: list[socket.socket] = []

    async def features(self, serial: str) -> frozenset[str]:
        return frozenset()

    async def open(self, serial: str, service: str, *, timeout_s: float | None = None) -> AdbStream:
        ours, theirs = self._pair()
        self.shells.append(asyncio.create_task(self._shell(theirs)))
        return AdbStream(ours)

    async def open_socket(self, serial: str, service: str, *, timeout_s: float | None = None) -> socket.socket:
        self.asked.put_nowait(service)
        await self.accepts.wait()
        ours, theirs = self._pair()
        self.started.put_nowait(theirs)
        return ours

    async def run(self) -> tuple[str, socket.socket]:
        """The next screenrecord: its command, and the socket that it writes to."""
        async with asyncio.timeout(5):
            return await self.asked.get(), await self.started.get()

    async def close(self) -> None:
        for shell in self.shells:
            shell.cancel()
        await asyncio.gather(*self.shells, return_exceptions=True)
        for sock in self.sockets:
            sock.close()

    def _pair(self) -> tuple[socket.socket, socket.socket]:
        pair = socket.socketpair()
        self.sockets.append(pair[1])
        for sock in pair:
            sock.setblocking(False)
        return pair

    async def _shell(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        answers = {
            "wm size": b"Physical size: 160x128\n",
            "dumpsys display": lambda: b"DisplayViewport{orientation=%d}\n" % (self.rotation // 90),
            "getprop": b"34\n",
            "screenrecord --help": self.help + b"\n",
        }
        while asked := await loop.sock_recv(sock, 4096):
            line, mark = asked.decode().split("\n")[:2]
            answer = next(answer for begin, answer in answers.items() if line.startswith(begin))
            marker = mark.removeprefix("echo ").removesuffix("$?").encode()
            await loop.sock_sendall(sock, (answer() if callable(answer) else answer) + marker + b"0\n")


@contextlib.asynccontextmanager
async def captured(**changes: float) -> AsyncIterator[tuple[ScriptedAdb, ScreenRecord, Taken]]:
    adb = ScriptedAdb()
    source = ScreenRecord(adb, "scripted", StreamSettings(rotation_poll_s=changes.pop("rotation_poll_s", 60)))
    for name, value in changes.items():
        setattr(adb, name, value)
    try:
        async with taken(source) as sink:
            try:
                yield adb, source, sink
            finally:
                adb.accepts.set()
    finally:
        await adb.close()


@pytest.fixture(scope="module")
def picture(recordings: Callable[..., Path]) -> bytes:
    """A key frame with its parameter sets."""
    return recordings(frames=1).read_bytes()


@pytest.fixture
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "RETRY_S", (0.0,) * len(retries.RETRY_S))


async def test_a_target_that_comes_during_a_start_is_not_lost(picture: bytes) -> None:
    """The run that was being started had the old values, was kept, and the new ones never came into force."""
    async with captured() as (adb, source, sink):
        _, first = await adb.run()
        first.send(picture)
        await sink.take()
        adb.accepts.clear()
        await source.request_key_frame()
        assert "--bit-rate=8000000" in await soon(adb.asked.get())
        assert isinstance(await source.set_target(Target(bitrate_bps=500_000)), Applied)
        adb.accepts.set()
        outdated = await soon(adb.started.get())
        command, second = await adb.run()
        assert "--bit-rate=500000" in command
        assert await soon(asyncio.get_running_loop().sock_recv(outdated, 1)) == b"", "the outdated run must be ended"
        second.send(picture)
        assert (await sink.take()).epoch == 2


async def test_a_turn_of_the_display_during_a_start_is_not_lost(picture: bytes) -> None:
    """The run was told to be of the old rotation, until the next restart."""
    async with captured(rotation_poll_s=0.05) as (adb, source, sink):
        _, first = await adb.run()
        first.send(picture)
        await sink.take()
        adb.accepts.clear()
        await source.request_key_frame()
        await soon(adb.asked.get())
        adb.rotation = 90
        async with asyncio.timeout(5):
            while source._device.rotation != 90:
                await asyncio.sleep(0.01)
        adb.accepts.set()
        await soon(adb.started.get())
        _, second = await adb.run()
        second.send(picture)
        await sink.take()
        assert [description.rotation for description in sink.described_as] == [0, 90]


@pytest.mark.usefixtures("_no_pauses")
@pytest.mark.parametrize(
    ("words", "most"),
    [
        ("unable to create video/avc codec instance", 2),
        ("unable to configure video/avc codec at 1080x2400 (err=-1010)", 2),
        ("Encoder failed (err=-38)", 2),
        ("unable to get display characteristics", 6),
    ],
)
async def test_a_program_that_dies_at_once_ends_the_source_with_its_words(words: str, most: int) -> None:
    """Soon, if it says that there is no encoder: another source waits for that."""
    starts = 0
    async with captured() as (adb, _, sink):
        while not sink.error.done():
            run = asyncio.create_task(adb.run())
            await asyncio.wait({run, sink.error}, timeout=5, return_when=asyncio.FIRST_COMPLETED)
            if run.done():
                starts += 1
                run.result()[1].send(f"ERROR: {words}\n".encode())
                run.result()[1].close()
            run.cancel()
        error = sink.error.result()
        assert isinstance(error, CaptureError)
        assert words in str(error)
        assert starts == most


@pytest.mark.usefixtures("_no_pauses")
async def test_a_program_that_dies_after_each_first_picture_is_not_started_for_ever(picture: bytes) -> None:
    """Each first picture forgave the death before it: the program was started again and again without a pause."""
    async with captured() as (adb, _, sink):
        starts = 0
        while not sink.error.done() and starts < 50:
            run = asyncio.create_task(adb.run())
            await asyncio.wait({run, sink.error}, timeout=5, return_when=asyncio.FIRST_COMPLETED)
            if run.done():
                starts += 1
                run.result()[1].send(picture)
                await sink.take()
                run.result()[1].close()
            run.cancel()
        assert starts == len(retries.RETRY_S) + 1
        assert isinstance(sink.error.result(), CaptureError)


@pytest.mark.usefixtures("_no_pauses")
async def test_a_second_program_that_cannot_start_leaves_the_first_one_running(picture: bytes) -> None:
    """Some devices have one encoder only: the first request for a key frame ended a stream that was well."""
    async with captured() as (adb, source, sink):
        _, first = await adb.run()
        first.send(picture)
        await sink.take()
        await source.request_key_frame()
        for _ in range(len(retries.RETRY_S) + 1):
            _, second = await adb.run()
            second.close()
        first.send(picture)
        assert (await sink.take()).epoch == 1
        assert not sink.error.done()
        await source.request_key_frame()
        _, second = await adb.run()
        second.send(picture)
        assert (await sink.take()).epoch == 2


async def test_a_size_that_no_encoder_takes_is_brought_into_its_limits(picture: bytes) -> None:
    """It was passed on, the program refused it, and the stream ended for everybody."""
    async with captured() as (adb, source, sink):
        _, first = await adb.run()
        first.send(picture)
        await sink.take()
        applied = await source.set_target(Target(size=(1, 100_000)))
        assert isinstance(applied, Applied)
        assert applied.target.size == (64, 7680)
        command, _ = await adb.run()
        assert "--size=64x7680" in command


async def test_a_target_that_is_in_force_already_starts_nothing(picture: bytes) -> None:
    """An estimator that repeats itself must not replace the run that waits for its key frame again and again."""
    async with captured() as (adb, source, sink):
        _, first = await adb.run()
        first.send(picture)
        await sink.take()
        await source.set_target(Target(bitrate_bps=500_000))
        _, second = await adb.run()
        for _ in range(5):
            await source.set_target(Target(bitrate_bps=500_000))
        second.send(picture)
        assert (await sink.take()).epoch == 2
        assert source.stats().restarts == 1


async def test_before_the_time_limit_the_next_run_takes_over(picture: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screenrecord, "OVERLAP_S", 0.1)
    monkeypatch.setattr(screenrecord, "TIME_LIMIT_S", 0.2)
    async with captured(help=b"Maximum is 180") as (adb, _, sink):
        _, first = await adb.run()
        first.send(picture)
        packets = [await sink.take()]
        command, second = await adb.run()
        assert "--time-limit" not in command
        first.send(picture)
        packets.append(await sink.take())
        second.send(picture)
        packets.append(await sink.take())
        assert [packet.epoch for packet in packets] == [1, 1, 2]
        times = [packet.pts_us for packet in packets]
        assert times == sorted(set(times))


async def test_a_close_that_is_cancelled_frees_the_shell_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell's connection, and the shell on the device, stayed for ever."""
    async with captured() as (adb, source, _):
        closing = asyncio.Event()

        async def stalls() -> None:
            closing.set()
            await asyncio.Event().wait()

        with monkeypatch.context() as patch:
            patch.setattr(source.control, "close", stalls)
            task = asyncio.create_task(source.close())
            await soon(closing.wait())
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await soon(asyncio.gather(*adb.shells, return_exceptions=True))


async def test_a_source_is_closed_twice_and_during_a_start(picture: bytes) -> None:
    async with captured() as (adb, source, sink):
        _, first = await adb.run()
        first.send(picture)
        await sink.take()
        adb.accepts.clear()
        await source.request_key_frame()
        await soon(adb.asked.get())
        await asyncio.gather(source.close(), source.close())
        assert await source.request_key_frame() is False
        assert await soon(asyncio.get_running_loop().sock_recv(first, 1)) == b""


async def test_a_run_that_was_replaced_is_freed_at_once(picture: bytes) -> None:
    """Run and reader held each other: each restart left a read buffer to the garbage collector."""
    async with captured() as (adb, source, sink):
        _, first = await adb.run()
        first.send(picture)
        await sink.take()
        assert source._current is not None
        replaced, number = weakref.ref(source._current), source._current.id
        await source.request_key_frame()
        _, second = await adb.run()
        gc.collect()
        gc.disable()
        try:
            second.send(picture)
            await sink.take()
            async with asyncio.timeout(5):
                while replaced() is not None:
                    await asyncio.sleep(0)
        finally:
            gc.enable()
        await asyncio.sleep(0)
        with pytest.raises(KeyError):
            sink.loop.native.source_figures(number)
        assert await soon(asyncio.get_running_loop().sock_recv(first, 1)) == b""


async def test_a_run_that_takes_over_when_it_was_just_given_up_is_replaced(picture: bytes) -> None:
    """The loop switches by itself: the target may change in the moment between its switch and the news of it."""
    async with captured() as (adb, source, sink):
        _, first = await adb.run()
        first.send(picture)
        await sink.take()
        await source.request_key_frame()
        _, second = await adb.run()
        second.send(picture)
        assert await soon(asyncio.get_running_loop().sock_recv(first, 1)) == b"", "the loop has switched"
        await source.set_target(Target(bitrate_bps=500_000))
        command, third = await adb.run()
        assert "--bit-rate=500000" in command
        third.send(picture)
        while (await sink.take()).epoch != 3:
            pass
        assert not sink.error.done()


async def test_a_unit_that_was_cut_asks_for_a_key_frame(picture: bytes) -> None:
    """A pause in the middle of a unit was taken for its end; only a key frame heals that."""
    async with captured() as (adb, source, sink):
        _, first = await adb.run()
        first.send(picture)
        await sink.take()
        first.send(picture[:-20])
        await sink.take()  # flushed after the pause, though it is not whole
        first.send(picture[-20:] + picture)
        _, second = await adb.run()
        second.send(picture)
        while (await sink.take()).epoch != 2:
            pass
        assert source.stats().wrong_flushes == 1
