"""Fan-out, late consumers and the merging of key-frame requests."""

import asyncio

from mediacore.stream.gop_cache import GopCache
from mediacore.stream.packet_queue import PacketQueue

from mediacore.media import Packet
from mediacore.stream.rendition import Rendition


def packet(n: int, *, key: bool = False, size: int = 100) -> Packet:
    return Packet("video", "h264", n.to_bytes(size, "big"), n * 33_333, key, 1, n * 33_333)


def numbers(packets: list[Packet]) -> list[int]:
    return [int.from_bytes(item.data, "big") for item in packets]


async def queued(queue: PacketQueue) -> list[Packet]:
    return [await anext(queue) for _ in range(queue.stats().queued)]


class Source:
    """Answers requests for key frames and counts them."""

    def __init__(self, *, can: bool) -> None:
        self.can = can
        self.requests = 0
        self.asked = asyncio.Event()

    async def request_key_frame(self) -> bool:
        self.requests += 1
        self.asked.set()
        return self.can


async def test_a_late_consumer_gets_the_cached_pictures() -> None:
    source = Source(can=True)
    rendition = Rendition(source.request_key_frame, key_frame_interval_s=0.05)
    for n in range(5):
        rendition.push(packet(n, key=n in (0, 2)))
    late = rendition.subscribe(8, replay_bytes=10_000, at_once=False)
    rendition.push(packet(5))
    assert numbers(await queued(late)) == [2, 3, 4, 5]
    assert source.requests == 0
    await rendition.close()


async def test_replayed_pictures_have_times_that_let_a_player_catch_up() -> None:
    gop = GopCache()
    for n in range(100):
        gop.add(packet(n, key=n == 0))
    times = [item.pts_us for item in gop.at_once()]
    assert times[-1] == 99 * 33_333
    assert times[-1] - times[0] == 99_000
    assert times == sorted(set(times))


async def test_too_many_cached_bytes_ask_for_a_key_frame_instead() -> None:
    source = Source(can=True)
    rendition = Rendition(source.request_key_frame, key_frame_interval_s=0.05)
    for n in range(5):
        rendition.push(packet(n, key=n == 0))
    late = rendition.subscribe(8, replay_bytes=400, at_once=True)
    await asyncio.wait_for(source.asked.wait(), 5)
    rendition.push(packet(5))
    rendition.push(packet(6, key=True))
    assert numbers(await queued(late)) == [6]
    await rendition.close()


async def test_a_source_without_key_frames_on_request_replays_after_all() -> None:
    source = Source(can=False)
    rendition = Rendition(source.request_key_frame, key_frame_interval_s=0.05)
    for n in range(5):
        rendition.push(packet(n, key=n == 0))
    late = rendition.subscribe(8, replay_bytes=400, at_once=True)
    first = await asyncio.wait_for(anext(late), 5)
    assert numbers([first, *await queued(late)]) == [0, 1, 2, 3, 4]
    await rendition.close()


async def test_requests_for_key_frames_are_merged() -> None:
    source = Source(can=True)
    rendition = Rendition(source.request_key_frame, key_frame_interval_s=30)
    rendition.push(packet(0, key=True))
    for _ in range(50):
        rendition.want_key_frame()
    await asyncio.wait_for(source.asked.wait(), 5)
    for _ in range(50):
        rendition.want_key_frame()
    await asyncio.sleep(0.02)  # the second request waits for the interval: nothing else would show that
    assert source.requests == rendition.key_frame_requests == 1
    await rendition.close()


def test_a_group_of_pictures_above_the_limit_is_given_up_as_a_whole() -> None:
    gop = GopCache(max_bytes=450)
    for n in range(10):
        gop.add(packet(n, key=n == 0))
    assert gop.bytes == 0
    assert gop.packets() == []
    gop.add(packet(10, key=True))
    assert numbers(gop.packets()) == [10]


async def test_a_request_after_a_key_frame_is_not_answered_by_that_one() -> None:
    """It was merged with an older request, which the key frame had answered: a consumer waited for nothing."""
    source = Source(can=True)
    rendition = Rendition(source.request_key_frame, key_frame_interval_s=0.05)
    rendition.push(packet(0, key=True))
    rendition.want_key_frame()
    await asyncio.wait_for(source.asked.wait(), 5)
    source.asked.clear()
    rendition.want_key_frame()
    await asyncio.sleep(0)
    rendition.push(packet(1, key=True))
    rendition.want_key_frame()
    await asyncio.wait_for(source.asked.wait(), 5)
    assert source.requests == 2
    await rendition.close()


async def test_after_the_end_nothing_is_asked_for() -> None:
    """A consumer of a stream that had ended left a task behind, which asked a closed source."""
    source = Source(can=True)
    rendition = Rendition(source.request_key_frame, key_frame_interval_s=0.05)
    rendition.push(packet(0, key=True))
    await rendition.close()
    before = asyncio.all_tasks()
    queue = rendition.subscribe(8, replay_bytes=0, at_once=True)
    rendition.want_key_frame()
    assert asyncio.all_tasks() == before
    rendition.unsubscribe(queue)
    assert source.requests == 0


async def test_a_queue_that_its_consumer_closed_is_fed_no_more() -> None:
    source = Source(can=True)
    rendition = Rendition(source.request_key_frame, key_frame_interval_s=0.05)
    with rendition.subscribe(8, replay_bytes=0, at_once=True) as queue:
        assert rendition.consumers == 1
    assert rendition.consumers == 0
    rendition.push(packet(0, key=True))
    assert queue.stats().pushed == 0
    await rendition.close()
