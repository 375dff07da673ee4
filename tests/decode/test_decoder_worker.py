"""The decoder's thread: one packet at a time, deadlines, and its end at any time."""

import asyncio
import threading

import numpy as np
import pytest

from mediacore.decode.worker import DecoderWorker
from mediacore.errors import DecoderError
from mediacore.media import Frame, Packet


def packet(n: int = 1) -> Packet:
    return Packet("video", "h264", b"x", n, True, 1, n)


class Fake:
    """Gives a frame for each packet; stands still while ``free`` is not set."""

    def __init__(self) -> None:
        self.needs_key_frame = False
        self.free = threading.Event()
        self.free.set()
        self.error: Exception | None = None
        self.closed = threading.Event()

    def decode(self, packet: Packet, *, show: bool = True) -> Frame | None:
        self.free.wait(10)
        if self.error is not None:
            raise self.error
        block = np.zeros(96, np.uint8)
        return Frame.of_block(block.data, (8, 8), 8, matrix="bt709", pts_us=packet.pts_us) if show else None

    def close(self) -> None:
        self.closed.set()


async def test_frames_are_pushed_when_the_call_returns() -> None:
    frames: list[Frame] = []
    worker = DecoderWorker(Fake(), frames.append)
    for n in range(5):
        await worker.decode(packet(n), show=n != 3)
    assert [frame.pts_us for frame in frames] == [0, 1, 2, 4]
    await worker.close()


@pytest.mark.parametrize("error", [DecoderError("no hope"), MemoryError("no memory")])
async def test_errors_reach_the_caller_and_the_thread_goes_on(error: Exception) -> None:
    fake, frames = Fake(), list[Frame]()
    worker = DecoderWorker(fake, frames.append)
    fake.error = error
    with pytest.raises(DecoderError, match=str(error)):
        await worker.decode(packet())
    fake.error = None
    await worker.decode(packet())
    assert len(frames) == 1
    await worker.close()
    assert not worker.stuck
    assert await asyncio.to_thread(fake.closed.wait, 5)


async def test_a_call_that_does_not_come_back_is_given_up() -> None:
    fake, frames = Fake(), list[Frame]()
    worker = DecoderWorker(fake, frames.append, deadline_s=0.05)
    fake.free.clear()
    with pytest.raises(DecoderError, match=r"not been decoded within 0\.05 s"):
        await worker.decode(packet())
    assert worker.stuck
    await worker.close()
    fake.free.set()
    assert await asyncio.to_thread(fake.closed.wait, 5), "the thread ends when the call does"
    assert frames == [], "and what came out of it is nobody's"


async def test_it_can_be_closed_while_it_decodes() -> None:
    fake, frames = Fake(), list[Frame]()
    worker = DecoderWorker(fake, frames.append)
    fake.free.clear()
    waiting = asyncio.create_task(worker.decode(packet()))
    await asyncio.sleep(0)
    waiting.cancel()
    closing = asyncio.create_task(worker.close())
    await asyncio.sleep(0)
    fake.free.set()
    await asyncio.wait_for(closing, 5)
    assert fake.closed.is_set()
    assert not worker.stuck
    assert frames == []
    assert waiting.cancelled()
