"""The media loop's asyncio face: events find their sinks, limits have their error, removals come to an end."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mediacore import _core, media_loop
from mediacore.errors import LimitError, SetupError
from mediacore.media_loop import MediaLoop
from mediacore.stream.packet_tap import PacketTap


class Sink:
    """Keeps what is told of a rendition, a source, a viewer or a tap."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *fields: self.told.put_nowait((name, *fields))

    async def next(self) -> tuple[Any, ...]:
        return await asyncio.wait_for(self.told.get(), 10)


class Native:
    """Stands for the native loop where its own faults are the question."""

    def __init__(self, **_: object) -> None:
        self.event_fd = os.eventfd(0, os.EFD_NONBLOCK)
        self.events: list[tuple[Any, ...]] = []
        self.refuses = 0
        self.silent = False
        self.removed: list[int] = []
        self.number = 0

    def add(self, *_: object, **__: object) -> int:
        if self.refuses:
            raise _core.QueueFullError("4096 commands are waiting")
        self.number += 1
        return self.number

    add_rendition = add_source = add_viewer = add_tap = add

    def tell(self, *events: tuple[Any, ...]) -> None:
        self.events += events
        os.eventfd_write(self.event_fd, 1)

    def loop_figures(self) -> dict[str, int]:
        return {}

    def take_events(self) -> list[tuple[Any, ...]]:
        os.eventfd_read(self.event_fd)
        events, self.events = self.events, []
        return events

    def remove(self, id: int, token: int = 0) -> None:
        if self.refuses:
            self.refuses -= 1
            raise _core.QueueFullError("4096 commands are waiting")
        self.removed.append(id)
        if token and not self.silent:
            self.tell((_core.EVENT_DONE, token, None))

    def close(self) -> None:
        os.close(self.event_fd)


@pytest.fixture
async def scripted(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[MediaLoop, Native]]:
    monkeypatch.setattr(_core, "MediaLoop", Native)
    loop = MediaLoop()
    await loop.start([])
    native = loop.native
    assert isinstance(native, Native)
    yield loop, native
    await loop.close()


@pytest.fixture
async def loop() -> AsyncIterator[MediaLoop]:
    loop = MediaLoop()
    await loop.start(["127.0.0.1"])
    yield loop
    await loop.close()


def pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    return ours, theirs


# ---------------------------------------------------------------------------------------- its life


async def test_a_loop_is_started_once_and_closed_as_often_as_one_likes() -> None:
    loop = MediaLoop()
    with pytest.raises(SetupError, match="not been started"):
        loop.add_rendition(Sink(), codec="h264", replay_bytes=0)
    await loop.start(["127.0.0.1"])
    assert loop.running
    assert loop.addresses == ("127.0.0.1",)
    rendition = loop.add_rendition(Sink(), codec="h264", replay_bytes=0)
    ((address, port),) = loop.sockets(rendition)
    assert address == "127.0.0.1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other, pytest.raises(OSError, match="in use"):
        other.bind((address, port))
    await loop.close()
    await loop.close()
    assert not loop.running
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((address, port))
    with pytest.raises(RuntimeError, match="once"):
        await loop.start([])
    await loop.remove(rendition)
    loop.discard(rendition)


async def test_loops_leave_no_descriptor_and_no_thread() -> None:
    def left() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

    async def once() -> None:
        loop = MediaLoop(threads=2)
        await loop.start(["127.0.0.1"])
        rendition = loop.add_rendition(Sink(), codec="h264", replay_bytes=0)
        ours, theirs = pair()
        loop.add_source(ours, rendition, Sink(), idle_us=2000)
        await loop.close()
        theirs.close()

    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    await once()  # asyncio's own worker thread is there from now on
    before = left()
    for _ in range(20):
        await once()
    assert left() == before


async def test_a_port_that_is_taken_is_an_error_that_says_so() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        loop = MediaLoop(port=other.getsockname()[1])
        with pytest.raises(SetupError, match=r"127\.0\.0\.1.*rtc\.port is in use"):
            await loop.start(["127.0.0.1"])
    assert not loop.running


async def test_an_address_that_cannot_be_had_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """One interface that had just gone kept everybody from watching."""
    loop = MediaLoop()
    await loop.start(["198.51.100.7", "127.0.0.1"])
    rendition = loop.add_rendition(Sink(), codec="h264", replay_bytes=0)
    assert [address for address, _ in loop.sockets(rendition)] == ["127.0.0.1"]
    assert "198.51.100.7" in caplog.text
    await loop.close()


# ---------------------------------------------------------------------------------------- events


async def test_each_event_reaches_its_sink(scripted: tuple[MediaLoop, Native]) -> None:
    loop, native = scripted
    sinks = {name: Sink() for name in ("rendition", "source", "viewer", "tap")}
    rendition = loop.add_rendition(sinks["rendition"], codec="h264", replay_bytes=0)
    ours, theirs = pair()
    source = loop.add_source(ours, rendition, sinks["source"], idle_us=2000)
    viewer = loop.add_viewer(rendition, sinks["viewer"], ufrag="a", password="b", quiet_us=1, silent_us=2)
    tap = loop.add_tap(rendition, sinks["tap"], capacity=1, replay=True)
    native.tell(
        (_core.EVENT_DESCRIPTION, rendition, 320, 640, "42c01f", 1, 1000),
        (_core.EVENT_KEY_FRAME_WANTED, rendition),
        (_core.EVENT_SOURCE_CURRENT, source, 1),
        (_core.EVENT_SOURCE_DAMAGED, source),
        (_core.EVENT_SOURCE_ENDED, source, 104, b"", "error"),
        (_core.EVENT_SOURCE_DAMAGED, source),
        (_core.EVENT_DATAGRAM, viewer, 0, "127.0.0.1", 5, b"\x16"),
        (_core.EVENT_DESTINATION, viewer),
        (_core.EVENT_VIEWER_SILENT, viewer, 2_000_000),
        (_core.EVENT_VIEWER_BYE, viewer),
        (_core.EVENT_TAP_READY, tap),
        (_core.EVENT_TAP_ENDED, tap),
    )
    expected = {
        "rendition": [("described", 320, 640, "42c01f", 1, 1000), ("key_frame_wanted",)],
        "source": [("current", 1), ("damaged",), ("ended", 104, b"", "error")],
        "viewer": [
            ("datagram", 0, "127.0.0.1", 5, b"\x16"),
            ("destination_changed",),
            ("silent", 2_000_000),
            ("said_bye",),
        ],
        "tap": [("ready",), ("finished",)],
    }
    for name, events in expected.items():
        assert [await sinks[name].next() for _ in events] == events
        assert sinks[name].told.empty()
    for id in (rendition, viewer, tap):
        await loop.remove(id)
    native.tell(
        (_core.EVENT_KEY_FRAME_WANTED, rendition), (_core.EVENT_VIEWER_BYE, viewer), (_core.EVENT_TAP_READY, tap)
    )
    native.tell((_core.EVENT_DONE, 0, None))
    async with asyncio.timeout(5):
        while native.events:
            await asyncio.sleep(0)
    assert all(sink.told.empty() for sink in sinks.values()), "they hear nothing more"
    os.close(ours.detach()) if ours.fileno() >= 0 else None
    theirs.close()


async def test_a_sink_that_fails_costs_the_others_nothing(
    scripted: tuple[MediaLoop, Native], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Sink):
        def key_frame_wanted(self) -> None:
            raise ValueError("something that was not thought of")

    loop, native = scripted
    broken = loop.add_rendition(Broken(), codec="h264", replay_bytes=0)
    sound = Sink()
    other = loop.add_rendition(sound, codec="h264", replay_bytes=0)
    native.tell((_core.EVENT_KEY_FRAME_WANTED, broken), (_core.EVENT_KEY_FRAME_WANTED, other))
    assert await sound.next() == ("key_frame_wanted",)
    assert "not thought of" in caplog.text


# ---------------------------------------------------------------------------------------- limits and removals


async def test_a_full_queue_of_commands_is_a_limit(scripted: tuple[MediaLoop, Native]) -> None:
    loop, native = scripted
    native.refuses = 1
    with pytest.raises(LimitError, match="4096 commands"):
        loop.add_rendition(Sink(), codec="h264", replay_bytes=0)
    ours, theirs = pair()
    with pytest.raises(LimitError):
        loop.add_source(ours, 1, Sink(), idle_us=2000)
    assert ours.fileno() == -1, "it belongs to the loop, whatever happens"
    theirs.close()
    for add in (
        lambda: loop.add_viewer(1, Sink(), ufrag="a", password="b", quiet_us=1, silent_us=2),
        lambda: loop.add_tap(1, Sink(), capacity=1, replay=True),
    ):
        with pytest.raises(LimitError):
            add()


async def test_a_removal_waits_for_room_in_the_queue(scripted: tuple[MediaLoop, Native]) -> None:
    loop, native = scripted
    native.refuses = 3
    await asyncio.wait_for(loop.remove(7), 5)
    native.refuses = 3
    loop.discard(8)
    async with asyncio.timeout(5):
        while native.removed != [7, 8]:
            await asyncio.sleep(0.001)  # nothing tells of a removal that nobody waits for


async def test_a_removal_that_does_not_end_is_given_up(
    scripted: tuple[MediaLoop, Native], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(media_loop, "REMOVE_TIMEOUT_S", 0.02)
    loop, native = scripted
    native.silent = True
    await asyncio.wait_for(loop.remove(7), 5)
    assert "has not removed 7" in caplog.text


async def test_a_close_ends_removals_that_wait(scripted: tuple[MediaLoop, Native]) -> None:
    loop, native = scripted
    native.silent = True
    removing = asyncio.create_task(loop.remove(7))
    await asyncio.sleep(0)
    await loop.close()
    await asyncio.wait_for(removing, 1)


async def test_what_a_command_failed_for_is_logged(
    scripted: tuple[MediaLoop, Native], caplog: pytest.LogCaptureFixture
) -> None:
    loop, native = scripted
    native.silent = True
    removing = asyncio.create_task(loop.remove(7))
    await asyncio.sleep(0)
    native.tell((_core.EVENT_DONE, 1, "no memory"), (_core.EVENT_DONE, 0, "no memory for a unit"))
    with caplog.at_level(logging.ERROR):
        await asyncio.wait_for(removing, 1)
    assert "could not remove 7: no memory" in caplog.text
    assert "no memory for a unit" in caplog.text


# ---------------------------------------------------------------------------------------- sources


@pytest.mark.parametrize(
    "flood",
    [b"\0\0\0\1\x65" + bytes([0x55]) * (9 << 20), b"\0\0\1\x06\x55" * 20_000],
    ids=["a huge NAL unit", "countless NAL units"],
)
async def test_what_passes_a_limit_is_told_as_damage_and_reading_goes_on(
    loop: MediaLoop, recordings: Callable[..., Path], flood: bytes
) -> None:
    """The parser's error came out of the loop's callback, and nobody asked for a key frame."""
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    ours, theirs = pair()
    sink = Sink()
    rendition = loop.add_rendition(Sink(), codec="h264", replay_bytes=0)
    tap = PacketTap(loop, rendition, "h264", capacity=64)
    source = loop.add_source(ours, rendition, sink, idle_us=2000)
    picture = await asyncio.to_thread(recordings(frames=1).read_bytes)
    async with asyncio.timeout(10):
        await asyncio.get_running_loop().sock_sendall(theirs, flood + picture)
        while not (await anext(tap)).is_key:
            pass
    assert {(await sink.next())[0], (await sink.next())[0]} == {"damaged", "current"}
    assert loop.native.source_figures(source)["oversize"] >= 1
    assert failures == []
    theirs.close()
    assert (await sink.next())[:2] == ("ended", 0)


async def test_words_instead_of_video_are_told_with_the_end(loop: MediaLoop) -> None:
    ours, theirs = pair()
    sink = Sink()
    rendition = loop.add_rendition(Sink(), codec="h264", replay_bytes=0)
    source = loop.add_source(ours, rendition, sink, idle_us=2000)
    theirs.send(b"ERROR: no encoder\n")
    theirs.close()
    name, error_number, head, _ = await sink.next()
    assert (name, error_number, head) == ("ended", 0, b"ERROR: no encoder\n")
    assert loop.native.source_figures(source)["bytes"] == 18
    await loop.remove(source)
    with pytest.raises(KeyError):
        loop.native.source_figures(source)


async def test_a_removed_source_is_closed_and_tells_nothing_more(loop: MediaLoop) -> None:
    ours, theirs = pair()
    sink = Sink()
    rendition = loop.add_rendition(Sink(), codec="h264", replay_bytes=0)
    source = loop.add_source(ours, rendition, sink, idle_us=2000)
    await loop.remove(source)
    assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(theirs, 1), 5) == b""
    assert sink.told.empty()
    theirs.close()
