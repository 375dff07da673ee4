"""The worker with real encoders and real threads."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from encoder_bench import Bench, unwell
from screen_frames import decode, screen

from mediacore.encode import worker as worker_module
from mediacore.encode.watchdog import now_us
from mediacore.media import DropCause, Target


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
    assert bench.until_encoded(2).pts_us > shown.pts_us
    assert bench.times[1] - bench.times[0] > 0.1, "not before REFINE_AFTER_US"
    count = len(bench.encoded)
    begin = time.monotonic()
    bench.worker.request_key_frame()
    bench.until(lambda: any(each.is_key for each in bench.encoded[count:]))
    assert bench.encoded[-1].is_key
    assert bench.times[-1] - begin < 0.15, "at once, not with the next keep-alive"
    assert bench.worker.stats().refined >= 1
    assert bench.frames.delivered == 1


def test_a_still_screen_is_not_late(bench: Bench) -> None:
    """Each frame that was encoded again had the time of the first one: pages showed a latency that grew."""
    bench.show(replace(screen(0), pts_us=now_us() - 40_000))
    bench.until_encoded(2)
    bench.worker.request_key_frame()
    bench.until_encoded(3)
    bench.show(replace(screen(1), pts_us=now_us() - 40_000))
    bench.until_encoded(4)
    times = [each.pts_us for each in bench.encoded]
    assert all(before < after for before, after in pairwise(times))
    ages = [at - each.pts_us / 1e6 for at, each in zip(bench.times, bench.encoded, strict=True)]
    assert bench.times[2] - bench.times[0] > 0.1
    assert max(ages[1:3]) < min(ages[0], ages[3]) + 0.1


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
    assert (bench.frames.delivered, bench.frames.dropped) == (1, {DropCause.SLOW_CONSUMER: 1})


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
