"""Frames for several consumers: none waits for another, and each begins with the newest."""

import threading

import pytest
from made_here import picture

from mediacore.errors import DecoderError, MediacoreError
from mediacore.media import DropCause, Frame
from mediacore.stream.frame_fan import FrameConsumer, FrameFan


class Demand:
    """A fan, and what its producer is told."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.fan = FrameFan(self.rates.append)
        self.errors: list[MediacoreError] = []

    def consumer(self, fps: float = 30.0, capacity: int = 2) -> FrameConsumer:
        return self.fan.add(capacity=capacity, fps=fps, failed=self.errors.append)


def waiting(consumer: FrameConsumer) -> list[int]:
    """The lumas of what waits."""
    frames: list[Frame] = []
    while (frame := consumer.ring.pop()) is not None:
        frames.append(frame)
    return [int(frame.y[0, 0]) for frame in frames]


def test_a_slow_consumer_loses_its_oldest_and_costs_the_others_nothing() -> None:
    demand = Demand()
    slow, quick = demand.consumer(capacity=2), demand.consumer(capacity=1)
    got = []
    for n in range(5):
        demand.fan.push(picture(n))
        got += waiting(quick)
    assert got == [0, 1, 2, 3, 4]
    assert waiting(slow) == [3, 4]
    assert slow.ring.stats.dropped == {DropCause.OVERFLOW: 3}
    assert demand.fan.pushed == 5


def test_a_late_consumer_begins_with_the_newest() -> None:
    """On a screen that stands still it would wait for ever."""
    demand = Demand()
    demand.consumer()
    demand.fan.push(picture(7))
    assert waiting(demand.consumer()) == [7]
    assert demand.fan.newest is not None


def test_nothing_is_kept_that_nobody_takes() -> None:
    demand = Demand()
    demand.fan.push(picture(1))
    assert demand.fan.newest is None
    consumer = demand.consumer()
    assert waiting(consumer) == []
    demand.fan.push(picture(2))
    demand.fan.remove(consumer)
    demand.fan.remove(consumer)
    assert demand.fan.newest is None, "it would show a screen of before"
    assert consumer.ring.closed
    assert waiting(demand.consumer()) == []


def test_the_producer_is_told_the_highest_rate() -> None:
    demand = Demand()
    slow = demand.consumer(5)
    quick = demand.consumer(30)
    other = demand.consumer(30)
    demand.fan.remove(other)
    demand.fan.set_fps(quick, 15)
    demand.fan.remove(quick)
    demand.fan.remove(slow)
    assert demand.rates == [5, 30, 15, 5, 0]


def test_a_producer_that_fails_tells_each_consumer_once() -> None:
    demand = Demand()
    consumers = [demand.consumer(), demand.consumer()]
    demand.fan.push(picture(3))
    error = DecoderError("no hope")
    demand.fan.fail(error)
    demand.fan.fail(error)
    assert demand.errors == [error, error]
    assert demand.rates == [30, 0]
    assert [waiting(consumer) for consumer in consumers] == [[3], [3]], "what was there is delivered"
    demand.fan.push(picture(4))
    assert [waiting(consumer) for consumer in consumers] == [[], []]


def test_each_frame_wakes_those_who_want_it() -> None:
    demand, woken = Demand(), []
    demand.fan.add(capacity=2, fps=30, failed=demand.errors.append, wake=lambda: woken.append(1))
    demand.consumer()
    demand.fan.push(picture(1))
    demand.fan.push(picture(2))
    assert len(woken) == 2


@pytest.mark.parametrize("rounds", [200])
def test_a_consumer_that_joins_while_a_frame_comes_misses_none(rounds: int) -> None:
    """The frame was neither the newest yet nor was the consumer known: a static screen stayed black."""
    for n in range(rounds):
        demand = Demand()
        demand.consumer()
        ready = threading.Barrier(2)

        def produce(fan: FrameFan = demand.fan, luma: int = n, ready: threading.Barrier = ready) -> None:
            ready.wait()
            fan.push(picture(luma))

        thread = threading.Thread(target=produce)
        thread.start()
        ready.wait()
        late = demand.consumer()
        thread.join()
        assert waiting(late) == [n]
