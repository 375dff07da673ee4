"""The queue between a stream and a consumer: what it promises when the consumer is slow, late or gone."""

import asyncio
import gc

import pytest
from mediacore.stream.packet_queue import PacketQueue

from mediacore.errors import DeviceDisconnectedError
from mediacore.media import DropCause, Packet


def packet(n: int, *, key: bool = False) -> Packet:
    return Packet("video", "h264", bytes([n]), n * 1000, key, 1, n * 1000)


def queue_of(capacity: int) -> tuple[PacketQueue, list[str]]:
    asked: list[str] = []
    return PacketQueue(capacity, lambda: asked.append("key frame")), asked


async def drain(queue: PacketQueue) -> list[int]:
    queue.end(None)
    return [item.data[0] async for item in queue]


async def test_begins_with_a_key_frame() -> None:
    queue, _ = queue_of(8)
    queue.push(packet(1))
    queue.push(packet(2, key=True))
    queue.push(packet(3))
    assert await drain(queue) == [2, 3]
    assert queue.stats().dropped == {DropCause.BEFORE_KEY_FRAME: 1}


async def test_a_slow_consumer_goes_on_at_the_next_key_frame() -> None:
    queue, asked = queue_of(3)
    queue.push(packet(0, key=True))
    for n in range(1, 6):
        queue.push(packet(n))
    assert asked == ["key frame"]
    queue.push(packet(6, key=True))
    queue.push(packet(7))
    assert await drain(queue) == [6, 7]


async def test_overflow_by_a_key_frame_begins_with_it() -> None:
    queue, asked = queue_of(2)
    queue.push(packet(0, key=True))
    queue.push(packet(1))
    queue.push(packet(2, key=True))
    assert asked == []
    assert await drain(queue) == [2]


@pytest.mark.parametrize("capacity", [1, 2, 5])
async def test_every_packet_is_accounted_for(capacity: int) -> None:
    queue, _ = queue_of(capacity)
    for n in range(100):
        queue.push(packet(n, key=n % 7 == 0))
        if n % 3 == 0 and queue.stats().queued:
            await anext(queue)
    queue.close()
    queue.push(packet(100))
    stats = queue.stats()
    assert stats.pushed == 101
    assert stats.pushed == stats.delivered + stats.queued + sum(stats.dropped.values())


def test_a_queue_has_room_for_one_packet_at_least() -> None:
    """Without room each packet overflowed it and asked for a key frame, which restarted the source for everybody."""
    with pytest.raises(ValueError, match="capacity is 0"):
        queue_of(0)


async def test_replay_comes_first_and_does_not_count_as_capacity() -> None:
    queue, _ = queue_of(2)
    queue.replay([packet(n, key=n == 0) for n in range(10)])
    queue.push(packet(10))
    queue.push(packet(11))
    assert await drain(queue) == list(range(12))


async def test_an_error_of_the_stream_reaches_the_consumer_after_what_is_queued() -> None:
    queue, _ = queue_of(4)
    queue.push(packet(0, key=True))
    queue.end(DeviceDisconnectedError("serial", "unplugged"))
    assert (await anext(queue)).data == b"\0"
    with pytest.raises(DeviceDisconnectedError, match="unplugged"):
        await anext(queue)


async def test_a_waiting_consumer_is_woken_by_a_packet_and_by_the_end() -> None:
    queue, _ = queue_of(4)
    waiting = asyncio.create_task(anext(queue))
    await asyncio.sleep(0)
    queue.push(packet(5, key=True))
    assert (await waiting).data == b"\5"
    waiting = asyncio.create_task(anext(queue, None))
    await asyncio.sleep(0)
    queue.end(None)
    assert await waiting is None


async def test_a_queue_is_not_kept_alive_by_who_feeds_it() -> None:
    """A consumer that breaks out of its loop and forgets the queue is not fed for ever."""
    from mediacore.stream.rendition import Rendition

    async def never() -> bool:
        return True

    rendition = Rendition(never, key_frame_interval_s=1)
    queue = rendition.subscribe(4, replay_bytes=0, at_once=False)
    assert rendition.consumers == 1
    del queue
    gc.collect()
    assert rendition.consumers == 0
    await rendition.close()
