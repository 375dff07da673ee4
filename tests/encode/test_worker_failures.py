"""Encoders that get stuck or fail, in the worker's real threads."""

from __future__ import annotations

import threading
import time

import pytest
from encoder_bench import DEADLINE_S, PATIENCE_S, Bench, TwoEncoders, unwell

from mediacore.encode import trust
from mediacore.encode import worker as worker_module
from mediacore.encode.stuck_calls import StuckCalls
from mediacore.encode.trust import MOST_FAILURES
from mediacore.errors import EncoderError
from mediacore.media import DropCause


def test_twenty_stuck_calls(benches: list[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time there is a picture again within 500 ms, and no more than those that are stuck wait."""
    monkeypatch.setattr(trust, "MOST_FAILURES", 100)
    stick, release = threading.Event(), threading.Event()

    def ails() -> None:
        if stick.is_set():
            stick.clear()
            assert release.wait(PATIENCE_S)

    bench = Bench(open=unwell(ails), deadline_s=DEADLINE_S, stuck=StuckCalls(4))
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
        assert threading.active_count() <= threads + 3
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


def test_calls_that_get_stuck_again_and_again_end_the_rendition(benches: list[Bench]) -> None:
    release = threading.Event()
    calls = iter(range(1000))

    def ails() -> None:
        if next(calls) > 0:
            release.wait(PATIENCE_S)

    stuck = StuckCalls(MOST_FAILURES)
    bench = Bench(open=unwell(ails), deadline_s=0.05, stuck=stuck)
    benches.append(bench)
    bench.show()
    bench.until_encoded(1)
    bench.show()
    bench.until(lambda: bool(bench.failures))
    assert stuck.full() == ["libx264"]
    release.set()
    (error,) = bench.failures
    assert "libx264: it failed at work; before that, libx264 did not come back within" in str(error)
    assert bench.worker.stats().failure == str(error)
    assert bench.ring.closed
    assert len(bench.encoded) == 1, "what comes back late is of no use"


def test_nothing_is_left_after_failures(benches: list[Bench]) -> None:
    """The reason tells what went wrong, not only that there is no other encoder."""

    def ails() -> None:
        raise EncoderError("the card has fallen out")

    bench = Bench(open=unwell(ails))
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
    def ails() -> None:
        raise EncoderError("no")

    encoders = TwoEncoders(ails)
    bench = Bench(open=encoders)
    benches.append(bench)
    bench.show()
    bench.until_encoded(1)
    assert encoders.tried == ["first"] * MOST_FAILURES + ["second"]


def test_an_encoder_that_often_fails_is_passed_over(benches: list[Bench]) -> None:
    """One good frame made up for every failure before it: one that refused each second frame was opened for ever."""
    calls = iter(range(1000))

    def ails() -> None:
        if next(calls) % 2:
            raise EncoderError("not this one")

    encoders = TwoEncoders(ails)
    bench = Bench(open=encoders)
    benches.append(bench)
    for number in range(1, 2 * MOST_FAILURES + 3):
        bench.show()
        bench.until_encoded(number)
    assert encoders.tried == ["first"] * MOST_FAILURES + ["second"]
    assert bench.worker.stats().encoder == "second"


def test_an_opening_that_hangs_is_not_tried_again(benches: list[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder that was open before was blamed, at first none at all: the same opening hung again each time."""
    monkeypatch.setattr(worker_module, "OPENING_DEADLINE_S", 0.5)
    release = threading.Event()
    encoders = TwoEncoders(opening=lambda: release.wait(PATIENCE_S) and None)
    stuck = StuckCalls(1)
    bench = Bench(open=encoders, stuck=stuck)
    benches.append(bench)
    bench.show()
    bench.until_encoded(1)
    assert encoders.tried == ["first", "second"]
    assert bench.worker.stats().encoder == "second"
    assert stuck.full() == ["first"]
    release.set()
    bench.until(lambda: not stuck.full())
    assert encoders.tried == ["first", "second"], "who comes back late does not go on"


def test_pages_that_come_again_leave_no_more_threads(benches: list[Bench]) -> None:
    """Each rendition counted for itself: every page that connected again left threads in an encoder that hangs."""
    release = threading.Event()
    waiting: list[int] = []

    def ails() -> None:
        waiting.append(1)
        release.wait(PATIENCE_S)

    stuck = StuckCalls(2)
    for _ in range(4):
        bench = Bench(open=unwell(ails), deadline_s=0.1, stuck=stuck)
        benches.append(bench)
        before = len(waiting)
        bench.show()
        with bench.came:
            while not bench.failures and len(waiting) == before:
                bench.came.wait(0.01)  # nothing tells that a call is stuck
        bench.worker.close()
    release.set()
    assert len(waiting) == 2
    assert [len(bench.failures) for bench in benches] == [0, 0, 1, 1]
    assert "libx264: it failed at work" in str(benches[-1].failures[0])


def test_a_call_that_is_stuck_in_the_end_counts(benches: list[Bench]) -> None:
    release, begun = threading.Event(), threading.Event()

    def ails() -> None:
        begun.set()
        release.wait(PATIENCE_S)

    stuck = StuckCalls(1)
    bench = Bench(open=unwell(ails), deadline_s=DEADLINE_S, stuck=stuck)
    benches.append(bench)
    bench.show()
    assert begun.wait(PATIENCE_S)
    bench.worker.close()
    assert stuck.full() == ["libx264"]
    release.set()


def test_what_is_open_stays_while_others_are_stuck_in_the_same(benches: list[Bench]) -> None:
    stuck, release = StuckCalls(1), threading.Event()
    bench = Bench(stuck=stuck)
    benches.append(bench)
    bench.show()
    bench.until_encoded(1)
    thread = threading.Thread(target=release.wait, daemon=True)
    thread.start()
    stuck.add("libx264", thread)
    bench.show()
    bench.until_encoded(2)
    bench.show()
    bench.until_encoded(3)
    release.set()
    thread.join()
    assert (bench.worker.stats().encoders, bench.failures) == (1, [])
    assert stuck.full() == []


@pytest.mark.parametrize("refused", ["watch-h264", "encode-h264"])
def test_no_thread_for_it(refused: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that encodes was left behind when there was none to watch it."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == refused:
            raise RuntimeError("can't start new thread")
        start(thread)

    before = threading.active_count()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(EncoderError, match="there is no thread to encode h264 in: can't start"):
        Bench()
    assert threading.active_count() == before


def test_no_thread_for_another_one(benches: list[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that watches ended of it, and the rendition gave nothing and said nothing."""
    release, begun = threading.Event(), threading.Event()

    def ails() -> None:
        begun.set()
        release.wait(PATIENCE_S)

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(worker_module, "OPENING_DEADLINE_S", 0.3)
    bench = Bench(open=unwell(ails), deadline_s=DEADLINE_S, stuck=StuckCalls())
    benches.append(bench)
    bench.show()
    assert begun.wait(PATIENCE_S)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    bench.until(lambda: bool(bench.failures))
    release.set()
    assert "there is no thread for another one: can't start" in str(bench.failures[0])


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
