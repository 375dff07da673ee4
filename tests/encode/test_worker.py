"""The worker with real encoders and real threads; what gets stuck or fails is simulated around them."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from screen_frames import decode, screen

from mediacore.encode import worker as worker_module
from mediacore.encode.choice import open_encoder
from mediacore.encode.worker import MOST_STUCK, EncoderWorker
from mediacore.errors import EncoderError
from mediacore.media import DropCause, Frame, QueueStats, Target
from mediacore.ring import FrameRing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mediacore.encode.encoder import EncodedFrame, EncoderSettings

PATIENCE_S = 20.0
DEADLINE_S = 0.15


class Bench:
    """A worker, what went in and what came out."""

    def __init__(self, **arguments: Any) -> None:
        self.ring: FrameRing[Frame] = FrameRing(2)
        self.came = threading.Condition()
        self.encoded: list[EncodedFrame] = []
        self.times: list[float] = []
        self.opened: list[tuple[tuple[int, int], str]] = []
        self.failures: list[EncoderError] = []
        self.queue_us = 0
        self.takes = True
        self.number = 0
        arguments = {"codec": "h264", "target": Target(1_000_000, 60.0), "ceiling_bps": 2_000_000} | arguments
        self.worker = EncoderWorker(
            self.ring,
            push=self.push,
            queue_us=lambda: self.queue_us,
            on_opened=lambda size, name: self.opened.append((size, name)),
            on_failed=self.fail,
            **arguments,
        )

    def push(self, encoded: EncodedFrame) -> bool:
        with self.came:
            self.encoded.append(encoded)
            self.times.append(time.monotonic())
            self.came.notify_all()
        return self.takes

    def fail(self, error: EncoderError) -> None:
        with self.came:
            self.failures.append(error)
            self.came.notify_all()

    def show(self, frame: Frame | None = None) -> Frame:
        frame = frame or screen(self.number)
        self.number += 1
        self.ring.push(frame)
        self.worker.wake()
        return frame

    def until(self, what: Callable[[], bool]) -> None:
        with self.came:
            assert self.came.wait_for(what, PATIENCE_S), (self.worker.stats(), self.failures)

    def until_encoded(self, count: int) -> EncodedFrame:
        self.until(lambda: len(self.encoded) >= count)
        return self.encoded[count - 1]

    @property
    def frames(self) -> QueueStats:
        return self.worker.stats().frames


@pytest.fixture
def benches() -> Iterator[list[Bench]]:
    made: list[Bench] = []
    yield made
    for bench in made:
        bench.worker.close()
        frames = bench.frames
        assert frames.pushed == frames.delivered + frames.queued + sum(frames.dropped.values())
        assert frames.queued == 0


@pytest.fixture
def bench(benches: list[Bench]) -> Bench:
    benches.append(Bench())
    return benches[0]


@pytest.mark.parametrize("codec", ["h264", "vp8", "vp9", "av1"])
def test_frames_become_packets(codec: str, benches: list[Bench]) -> None:
    bench = Bench(codec=codec)
    benches.append(bench)
    for number in range(1, 6):
        shown = bench.show()
        assert bench.until_encoded(number).pts_us == shown.pts_us
    assert [each.is_key for each in bench.encoded] == [True, False, False, False, False]
    assert len(decode(codec, bench.encoded[:5])) == 5
    stats = bench.worker.stats(viewers=3)
    assert (stats.codec, stats.size, stats.viewers, stats.encoders) == (codec, (320, 240), 3, 1)
    assert bench.opened == [((320, 240), stats.encoder)]
    assert stats.encode is not None
    assert 0 < stats.encode.p50_us <= stats.encode.p95_us
    assert stats.frames.delivered == 5
    assert stats.failure is None


def test_a_static_screen_is_refined_and_gives_a_key_frame_on_request(bench: Bench) -> None:
    shown = bench.show()
    assert bench.until_encoded(2).pts_us == shown.pts_us
    assert bench.times[1] - bench.times[0] > 0.1, "not before REFINE_AFTER_US"
    count = len(bench.encoded)
    begin = time.monotonic()
    bench.worker.request_key_frame()
    bench.until(lambda: any(each.is_key for each in bench.encoded[count:]))
    assert bench.encoded[-1].is_key
    assert bench.times[-1] - begin < 0.15, "at once, not with the next keep-alive"
    assert bench.worker.stats().refined >= 1
    assert bench.frames.delivered == 1


def test_another_size_is_another_encoder(bench: Bench) -> None:
    bench.show()
    bench.until_encoded(1)
    bench.show(screen(0, (160, 160)))
    bench.until(lambda: len(bench.opened) == 2)
    second = bench.until_encoded(len(bench.encoded) + 1)
    assert bench.opened[1] == ((160, 160), "libx264")
    first_of_second = next(each for each in bench.encoded[1:] if each.is_key)
    assert decode("h264", [first_of_second])[0].width == 160
    assert second is not None


def test_a_smaller_target(bench: Bench) -> None:
    bench.show()
    bench.until_encoded(1)
    bench.worker.set_target(Target(bitrate_bps=300_000, size=(160, 160)))
    bench.until(lambda: len(bench.opened) == 2)
    stats = bench.worker.stats()
    assert stats.size == (160, 120)
    assert stats.bitrate_bps == 300_000
    assert stats.fps == 60.0
    bench.worker.set_target(Target(fps=10.0))
    assert bench.worker.stats().fps == 10.0


def test_what_the_frame_rate_and_the_network_pass_over(benches: list[Bench]) -> None:
    bench = Bench(target=Target(1_000_000, 1.0))
    benches.append(bench)
    bench.show()
    bench.until_encoded(1)
    bench.show()  # half a period early is not too early only half a second later
    for _ in range(4):
        bench.show()
        time.sleep(0.02)  # the worker looks at each
    assert bench.frames.dropped.get(DropCause.RATE, 0) >= 2
    bench.queue_us = 10**6
    bench.worker.set_target(Target(fps=60.0))
    for _ in range(4):
        bench.show()
        time.sleep(0.02)
    assert bench.frames.dropped.get(DropCause.NETWORK_BUSY, 0) >= 2
    count = len(bench.encoded)
    bench.queue_us = 0
    bench.until_encoded(count + 1)


def test_a_frame_that_was_not_taken_is_followed_by_a_key_frame(bench: Bench) -> None:
    bench.show()
    bench.until_encoded(1)
    bench.takes = False
    bench.show()
    bench.until_encoded(2)
    bench.takes = True
    bench.until(lambda: sum(each.is_key for each in bench.encoded) >= 2)


def test_who_takes_nothing_does_not_make_it_spin(bench: Bench) -> None:
    """A rendition that refused everything was given key frames as quickly as they could be encoded."""
    bench.takes = False
    bench.show()
    time.sleep(0.5)  # nothing tells that there is no more
    assert 2 <= len(bench.encoded) <= 7


def test_a_push_that_raises(benches: list[Bench], caplog: pytest.LogCaptureFixture) -> None:
    """The frame that was encoded already does not count as lost as well."""
    bench = Bench()
    benches.append(bench)
    bench.worker._push = lambda _encoded: 1 // 0  # type: ignore[assignment]
    bench.show()
    bench.until(lambda: bool(bench.failures))
    assert "ZeroDivisionError" in str(bench.failures[0])
    assert "the encoder of h264 ends" in caplog.text


class Unwell:
    """An encoder that does to some frames what ``ails`` does."""

    def __init__(self, encoder: Any, ails: Callable[[], None]) -> None:
        self._encoder, self._ails = encoder, ails

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode(self, frame: Frame, *, key: bool = False) -> list[EncodedFrame]:
        self._ails()
        encoded: list[EncodedFrame] = self._encoder.encode(frame, key=key)
        return encoded


def unwell(ails: Callable[[], None]) -> Callable[..., Any]:
    def open_one(settings: EncoderSettings, without: object = ()) -> tuple[Unwell, tuple[()]]:
        encoder, _ = open_encoder(settings, "libx264")
        return Unwell(encoder, ails), ()

    return open_one


def test_twenty_stuck_calls(benches: list[Bench]) -> None:
    """Each time there is a picture again within 500 ms, and no more than a few threads wait."""
    stick, release = threading.Event(), threading.Event()

    def ails() -> None:
        if stick.is_set():
            stick.clear()
            assert release.wait(PATIENCE_S)

    bench = Bench(open=unwell(ails), deadline_s=DEADLINE_S)
    benches.append(bench)
    bench.show()
    bench.until_encoded(1)
    threads = threading.active_count()
    pauses = []
    for kill in range(20):
        count = len(bench.encoded)
        stick.set()
        begin = time.monotonic()
        bench.show()
        assert bench.until_encoded(count + 1).is_key
        pauses.append(bench.times[count] - begin)
        assert threading.active_count() <= threads + MOST_STUCK
        if kill % 3 == 2:
            release.set()
            time.sleep(0.05)  # for what is stuck to come back
            release.clear()
    release.set()
    stats = bench.worker.stats()
    assert stats.failure is None
    assert stats.encoders == 21
    assert stats.frames.dropped[DropCause.ENCODER_FAILED] == 20
    assert sorted(pauses)[10] < 0.5


def test_too_many_stuck_calls_end_the_rendition(benches: list[Bench]) -> None:
    release = threading.Event()
    calls = iter(range(1000))

    def ails() -> None:
        if next(calls) > 0:
            release.wait(PATIENCE_S)

    bench = Bench(open=unwell(ails), deadline_s=0.05)
    benches.append(bench)
    bench.show()
    bench.until_encoded(1)
    bench.show()
    bench.until(lambda: bool(bench.failures))
    release.set()
    (error,) = bench.failures
    assert f"libx264 did not come back within 50 ms, and {MOST_STUCK} calls" in str(error)
    assert bench.worker.stats().failure == str(error)
    assert bench.ring.closed
    assert len(bench.encoded) == 1, "what comes back late is of no use"


def test_nothing_is_left_after_failures(benches: list[Bench]) -> None:
    """The reason tells what went wrong, not only that there is no other encoder."""

    def open_one(settings: EncoderSettings, without: Any = ()) -> Any:
        open_encoder(settings, "libx264", without=without)

        def ails() -> None:
            raise EncoderError("the card has fallen out")

        return unwell(ails)(settings)

    bench = Bench(open=open_one)
    benches.append(bench)
    bench.show()
    bench.until(lambda: bool(bench.failures))
    assert "libx264: it failed at work; before that, the card has fallen out" in str(bench.failures[0])


def test_an_error_is_another_encoder(benches: list[Bench]) -> None:
    calls = iter(range(1000))

    def ails() -> None:
        if next(calls) == 2:
            raise EncoderError("libx264 refuses a frame")

    bench = Bench(open=unwell(ails))
    benches.append(bench)
    for number in range(1, 6):
        bench.show()
        bench.until_encoded(number)
    assert [each.is_key for each in bench.encoded[:5]] == [True, False, True, False, False]
    stats = bench.worker.stats()
    assert stats.encoders == 2
    assert stats.frames.dropped == {DropCause.ENCODER_FAILED: 1}


def test_an_encoder_that_always_fails_is_passed_over(benches: list[Bench]) -> None:
    asked: list[list[str]] = []

    def open_one(settings: EncoderSettings, without: Any = ()) -> Any:
        asked.append(list(without))
        if without:
            return open_encoder(settings)

        def ails() -> None:
            raise EncoderError("no")

        return unwell(ails)(settings)

    bench = Bench(open=open_one)
    benches.append(bench)
    bench.show()
    bench.until_encoded(1)
    assert asked == [[], [], [], ["libx264"]]


def test_no_encoder_at_all(benches: list[Bench]) -> None:
    bench = Bench(codec="av9")
    benches.append(bench)
    bench.show()
    bench.until(lambda: bool(bench.failures))
    assert "no encoder for av9" in str(bench.failures[0])
    assert bench.frames.dropped == {DropCause.ENCODER_FAILED: 1}
    bench.show()


def test_a_fault_of_ours_ends_the_rendition_and_says_so(benches: list[Bench], caplog: pytest.LogCaptureFixture) -> None:
    def ails() -> None:
        raise ZeroDivisionError("oops")

    bench = Bench(open=unwell(ails))
    benches.append(bench)
    bench.show()
    bench.until(lambda: bool(bench.failures))
    assert "ZeroDivisionError" in str(bench.failures[0])
    assert "oops" in caplog.text


def test_slow_is_not_stuck(benches: list[Bench]) -> None:
    """Where encoding is slow, a frame may take as long as some others."""
    bench = Bench(open=unwell(lambda: time.sleep(0.08)), deadline_s=0.15)
    benches.append(bench)
    for number in range(1, 7):
        bench.show()
        bench.until_encoded(number)
    assert worker_module.SLOWER * 0.08 > 0.15
    assert bench.worker.stats().encoders == 1


def test_overload_drops_the_oldest_and_the_latest_is_shown(benches: list[Bench]) -> None:
    bench = Bench(open=unwell(lambda: time.sleep(0.03)))
    benches.append(bench)
    for number in range(60):
        bench.show(replace(screen(number % 5), pts_us=time.monotonic_ns() // 1000))
        time.sleep(0.01)  # three frames for each that can be encoded
    bench.until(lambda: bench.frames.queued == 0)
    ages = [at - each.pts_us / 1e6 for at, each in zip(bench.times, bench.encoded, strict=True)]
    fresh = ages[: bench.frames.delivered]
    assert bench.frames.dropped[DropCause.OVERFLOW] > 10
    assert sorted(fresh)[len(fresh) // 2] < 0.15


def test_closing(bench: Bench) -> None:
    before = threading.active_count()
    bench.show()
    bench.until_encoded(1)
    bench.worker.close()
    bench.worker.close()
    assert threading.active_count() == before - 2
    bench.worker.wake()
    bench.worker.request_key_frame()
    bench.show()
    assert len(bench.encoded) == 1
