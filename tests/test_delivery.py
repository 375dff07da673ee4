"""Which rendition a viewer gets: taken before the old one is let go, one change after the other, freed in any case."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mediacore.delivery import Delivery
from mediacore.errors import CaptureError, ConnectFailedError, LimitError, MediacoreError, UnsupportedError
from mediacore.media import Wanted

SMALL, SLOW = Wanted(size=(320, 640)), Wanted(fps=5)


class FakeStream:
    """Gives a new number for each rendition that is taken, and writes down what happens."""

    def __init__(self, audio_rendition: int = 0) -> None:
        self.audio_rendition = audio_rendition
        self.said: list[object] = []
        self.ends: dict[int, asyncio.Future[MediacoreError | None]] = {}
        self.refusal: MediacoreError | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    @contextlib.asynccontextmanager
    async def take(self, codec: str, wanted: Wanted) -> AsyncIterator[int]:
        await self.gate.wait()
        if self.refusal is not None:
            raise self.refusal
        number = len(self.ends) + 1
        self.ends[number] = asyncio.get_running_loop().create_future()
        self.said.append(("take", number, codec, wanted))
        try:
            yield number
        finally:
            self.said.append(("let go", number))

    async def wait_ended(self, rendition: int) -> MediacoreError | None:
        return await asyncio.shield(self.ends[rendition])


class FakeViewer:
    """Writes down what it is sent, beside the stream's own notes."""

    codec = "vp8"

    def __init__(self, said: list[object]) -> None:
        self._said = said
        self.refusal: MediacoreError | None = None

    def start_media(self, rendition: int, audio: int = 0) -> None:
        self._said.append(("start", rendition, audio))

    def move(self, rendition: int, audio: int = 0) -> None:
        if self.refusal is not None:
            raise self.refusal
        self._said.append(("move", rendition, audio))


def delivery(stream: FakeStream, *, audio: bool = True) -> tuple[Delivery, FakeViewer]:
    viewer: Any = FakeViewer(stream.said)
    made: Any = stream
    return Delivery(made, viewer, audio=audio), viewer


async def test_what_is_taken_is_sent_once_the_viewer_is_there_and_let_go_at_the_end() -> None:
    stream = FakeStream(audio_rendition=90)
    one, _ = delivery(stream)
    await one.take(SMALL)
    one.start()
    await one.close()
    assert stream.said == [("take", 1, "vp8", SMALL), ("start", 1, 90), ("let go", 1)]


async def test_another_rendition_is_taken_before_the_first_is_let_go() -> None:
    stream = FakeStream(audio_rendition=90)
    one, _ = delivery(stream, audio=False)
    await one.take(Wanted())
    one.start()
    await one.take(SMALL)
    assert one.wanted == SMALL
    assert stream.said[2:] == [("take", 2, "vp8", SMALL), ("move", 2, 0), ("let go", 1)]
    await one.close()
    assert stream.said[-1] == ("let go", 2)


async def test_a_wish_before_the_viewer_is_connected_moves_nobody() -> None:
    stream = FakeStream()
    one, _ = delivery(stream)
    await one.take(Wanted())
    await one.take(SLOW)
    one.start()
    assert [word for word, *_ in stream.said] == ["take", "take", "let go", "start"]
    assert stream.said[-1] == ("start", 2, 0)
    await one.close()


async def test_a_wish_that_fails_changes_nothing() -> None:
    stream = FakeStream()
    one, viewer = delivery(stream)
    await one.take(SLOW)
    one.start()
    stream.refusal = UnsupportedError("too many")
    with pytest.raises(UnsupportedError):
        await one.take(SMALL)
    stream.refusal, viewer.refusal = None, LimitError("full")
    with pytest.raises(LimitError):
        await one.take(SMALL)
    assert one.wanted == SLOW
    assert stream.said[2:] == [("take", 2, "vp8", SMALL), ("let go", 2)], "what was taken in vain is let go"
    await one.close()
    assert stream.said[-1] == ("let go", 1)


async def test_changes_are_made_one_after_the_other() -> None:
    stream = FakeStream()
    one, _ = delivery(stream)
    await asyncio.gather(*(one.take(wanted) for wanted in (Wanted(), SMALL, SLOW)))
    assert [(word, number) for word, number, *_ in stream.said] == [
        ("take", 1),
        ("take", 2),
        ("let go", 1),
        ("take", 3),
        ("let go", 2),
    ]
    await one.close()
    with pytest.raises(ConnectFailedError):
        await one.take(SMALL)


async def test_a_close_while_something_is_taken_lets_go_of_all() -> None:
    stream = FakeStream()
    one, _ = delivery(stream)
    await one.take(Wanted())
    stream.gate.clear()
    taking = asyncio.create_task(one.take(SMALL))
    await asyncio.sleep(0)
    closing = asyncio.create_task(one.close())
    await asyncio.sleep(0)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    await closing
    assert stream.said[-1] == ("let go", 1)


async def test_the_end_of_what_the_viewer_gets_is_the_end() -> None:
    """Not that of what it got before."""
    stream = FakeStream()
    one, _ = delivery(stream)
    await one.take(Wanted())
    waiting = asyncio.create_task(one.wait_ended())
    await asyncio.sleep(0)
    await one.take(SMALL)
    stream.ends[1].set_result(None)
    await asyncio.sleep(0.01)  # that it goes on waiting has no event
    assert not waiting.done()
    error = CaptureError("serial", "the encoder failed")
    stream.ends[2].set_result(error)
    assert await asyncio.wait_for(waiting, 5) is error
    await one.close()
