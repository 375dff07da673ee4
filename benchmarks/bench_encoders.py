"""Which encoder settings suit screens, how soon is a new rate kept, and what happens when encoding is slow or stuck?

Clips of 720x1280 at 30 frames a second: a list that is flung, pages that slide in and then stand, a film. Each variant
differs from what the product does ("chosen") in what its name tells; "as aiortc" has the options of aiortc 1.15.
A trial asserts first that each frame gave one packet, and that all of it decodes. Wall times are those of a machine
that does other things as well; "cpu" is the processor time of all threads, per frame, in ms like p50 and p95.

MEDIACORE_BENCH_FRAMES (48) is the length of a clip, MEDIACORE_BENCH_SECONDS (5) that of the overload (60 shows that
memory stays flat).
"""

from __future__ import annotations

import os
import resource
import threading
import time
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import encoder_trials
import moving_screens
import programs
from encoder_trials import SOFTWARE, Trial, Variant
from mediacore.encode.choice import open_encoder
from mediacore.encode.desk import EncoderDesk, Order
from mediacore.encode.worker import EncoderWorker
from mediacore.media import Frame, Target
from mediacore.ring import FrameRing

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.encode.encoder import EncodedFrame, EncoderSettings

FRAMES = int(os.environ.get("MEDIACORE_BENCH_FRAMES", "48"))
SECONDS = float(os.environ.get("MEDIACORE_BENCH_SECONDS", "5"))
BITRATE_BPS = 2_000_000
CLIPS = ("fling", "apps", "video")
STEPS = ((4, 2_000_000), (5, 500_000), (8, 2_000_000))
"""Seconds, and bit/s in them."""
KILLS = 20

VARIANTS = {
    "h264": (
        Variant("preset ultrafast", {"preset": "ultrafast"}),
        Variant("preset superfast", {"preset": "superfast"}),
        Variant("preset faster", {"preset": "faster"}),
        Variant("adaptive quantization off", {"aq-mode": "0"}),
        Variant("adaptive quantization 1", {"aq-mode": "1"}),
        Variant("adaptive quantization 2", {"aq-mode": "2"}),
        Variant("one slice", threads=1),
        Variant("buffer of 0.1 s", {"bufsize": str(BITRATE_BPS // 10)}),
        Variant("buffer of 0.5 s", {"bufsize": str(BITRATE_BPS // 2)}),
        Variant("rate tolerance 1", {"x264-params": "scenecut=0:keyint=infinite"}),
        Variant("profile high", {"profile": "high"}),
        Variant("as aiortc", {"level": "31", "tune": "zerolatency", "forced-idr": "1"}, threads=0, instead=True),
    ),
    "vp8": (
        Variant("2 threads", threads=2),
        Variant("cpu-used -4", {"cpu-used": "-4"}),
        Variant("cpu-used -8", {"cpu-used": "-8"}),
        Variant("cpu-used -12", {"cpu-used": "-12"}),
        Variant("screen content off", {"screen-content-mode": "0"}),
        Variant("key frames of 0.1 s", {"max-intra-rate": "300"}),
        Variant("key frames of any size", {"max-intra-rate": None}),
        Variant(
            "as aiortc",
            {
                "bufsize": str(BITRATE_BPS),
                "cpu-used": "-6",
                "deadline": "realtime",
                "lag-in-frames": "0",
                "minrate": str(BITRATE_BPS),
                "maxrate": str(BITRATE_BPS),
                "noise-sensitivity": "4",
                "overshoot-pct": "15",
                "static-thresh": "1",
                "undershoot-pct": "100",
                "qmin": "2",
                "qmax": "56",
            },
            instead=True,
        ),
    ),
    "vp9": (
        Variant("cpu-used 5", {"cpu-used": "5"}),
        Variant("cpu-used 6", {"cpu-used": "6"}),
        Variant("cpu-used 8", {"cpu-used": "8"}),
        Variant("default content", {"tune-content": "default"}),
        Variant("cyclic refresh", {"aq-mode": "3"}),
        Variant("one tile", {"tile-columns": "0"}),
        Variant("no row-mt", {"row-mt": "0"}),
        Variant("one thread", {"row-mt": "0"}, threads=1),
        Variant("buffer of 0.5 s", {"bufsize": str(BITRATE_BPS // 2)}),
    ),
    "av1": (
        Variant("preset 8", {"preset": "8"}),
        Variant("preset 9", {"preset": "9"}),
        Variant("preset 11", {"preset": "11"}),
        Variant("preset 12", {"preset": "12"}),
        Variant("hierarchy of 2 levels", svt={"hierarchical-levels": 2}),
        Variant("not rtc", svt={"rtc": 0}),
        Variant("no screen content tools", svt={"scm": 0}),
        Variant("2 levels of parallelism", svt={"lp": 2}),
        Variant("2 tile columns", svt={"tile-columns": 1}),
        Variant("finest quantizer 4", svt={"min-qp": 4}),
        Variant("buffer of 0.5 s", {"bufsize": str(BITRATE_BPS // 2)}),
    ),
}


@pytest.fixture(scope="module")
def clips() -> dict[str, list[moving_screens.Block]]:
    return {kind: moving_screens.clip(kind, FRAMES) for kind in CLIPS}


@pytest.mark.parametrize("codec", VARIANTS)
def test_settings_for_screens(codec: str, clips: dict[str, Any], request: pytest.FixtureRequest) -> None:
    variants = (Variant("chosen"), *VARIANTS[codec])
    width = max(len(variant.name) for variant in variants)
    lines, report = [f"{codec}: {FRAMES} frames of 720x1280 at {BITRATE_BPS / 1e6:.0f} Mb/s"], {}
    lines.append(f"  {'':{width}}  clip  {Trial.HEAD}")
    for variant in variants:
        for kind, blocks in clips.items():
            trial = encoder_trials.run(codec, variant, blocks, BITRATE_BPS)
            lines.append(f"  {variant.name:{width}}  {kind:6}{trial}")
            report[f"{variant.name}, {kind}"] = asdict(trial)
    programs.show(request, *lines)
    programs.save(f"encoders_{codec}", report)


@pytest.mark.parametrize("codec", VARIANTS)
def test_another_rate(codec: str, request: pytest.FixtureRequest) -> None:
    """2 → 0.5 → 2 Mb/s, in the time of the frames: when is the rate kept within 10 % over a second, at what cost?"""
    fps = moving_screens.FPS
    blocks = moving_screens.clip("video", 64)
    number = 0
    desk = EncoderDesk(open_encoder, lambda: round(number * 1e6 / fps))
    sizes: list[int] = []
    keys: list[int] = []
    openings: list[int] = []
    steps: list[tuple[int, int]] = []
    for seconds, bitrate_bps in STEPS:
        steps.append((number, bitrate_bps))
        for _ in range(seconds * fps):
            frame = moving_screens.frame_of(blocks[number % len(blocks)], number)
            order = Order(codec, bitrate_bps, BITRATE_BPS, float(fps), None, None)
            if desk.prepare(order, frame, key=number == 0):
                openings.append(number)
            for each in desk.encode(frame, key=number == 0):
                sizes.append(len(each.data))
                keys += [number] if each.is_key else []
            number += 1
    desk.close()
    rates = np.convolve(sizes, np.ones(fps)) * 8
    lines = [f"{codec}: {len(keys) - 1} key frames for the changes of rate"]
    for (begin, bitrate_bps), (end, _) in zip(steps, [*steps[1:], (number, 0)], strict=True):
        good = [at for at in range(begin + fps, end) if abs(rates[at] / bitrate_bps - 1) <= 0.1]
        third = f"{np.mean(rates[begin + 3 * fps : end]) / bitrate_bps - 1:+.0%}"
        opened = [at for at in openings if begin < at < end or at == begin > 0]
        switch = (
            f"opened {(opened[0] - begin) / fps:.1f} s later, {sizes[opened[0]] / 1000:.1f} kB" if opened else "live"
        )
        kept = f"{(good[0] - begin) / fps:.1f} s" if good else "never"
        lines.append(f"  to {bitrate_bps / 1e6:.1f} Mb/s: kept after {kept}, from 3 s on {third}; {switch}")
    programs.show(request, *lines)
    assert codec != "h264" or len(keys) == 1


class Desk:
    """A worker for a clip, and what came out of it when."""

    def __init__(self, codec: str, open_one: Callable[..., Any] = open_encoder) -> None:
        self.ring: FrameRing[Frame] = FrameRing(2)
        self.blocks = moving_screens.clip("video", 32)
        self.came = threading.Condition()
        self.encoded: list[tuple[float, int, bool]] = []
        self.number = 0
        self.worker = EncoderWorker(
            self.ring,
            codec=codec,
            target=Target(BITRATE_BPS, 60.0),
            ceiling_bps=BITRATE_BPS,
            push=self._push,
            on_failed=print,
            open=open_one,
        )

    def _push(self, encoded: EncodedFrame) -> bool:
        with self.came:
            self.encoded.append((time.monotonic(), encoded.pts_us, encoded.is_key))
            self.came.notify_all()
        return True

    def show(self) -> None:
        block = self.blocks[self.number % len(self.blocks)]
        self.number += 1
        frame = moving_screens.frame_of(block, 0)
        now_us = time.monotonic_ns() // 1000
        self.ring.push(Frame.of_block(block.data, frame.size, frame.width, matrix="bt709", pts_us=now_us))
        self.worker.wake()

    def next_after(self, count: int) -> float:
        """When the frame came that follows the first ``count``."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.encoded) > count, 20)
            return self.encoded[count][0]


def slowed(pause: Callable[[], None]) -> Callable[..., Any]:
    """As ``open_encoder``, with a pause in each call."""

    def open_one(settings: EncoderSettings, **more: Any) -> Any:
        encoder, refusals = open_encoder(settings, SOFTWARE[settings.codec].name, **more)
        encode = encoder.encode

        def paused(frame: Frame, *, key: bool = False) -> list[EncodedFrame]:
            pause()
            return encode(frame, key=key)

        encoder.encode = paused
        return encoder, refusals

    return open_one


@pytest.mark.parametrize("codec", ["h264", "av1"])
def test_a_stuck_encoder(codec: str, request: pytest.FixtureRequest) -> None:
    """A call that hangs for a second, 20 times: the pause in the pictures of a source of 30 frames a second."""
    stick = threading.Event()

    def pause() -> None:
        if stick.is_set():
            stick.clear()
            time.sleep(1.0)

    desk = Desk(codec, slowed(pause))
    pauses, threads = [], []
    idle = threading.active_count()
    for _ in range(KILLS):
        for _ in range(6):
            desk.show()
            time.sleep(1 / 30)
        with desk.came:
            count, last = len(desk.encoded), desk.encoded[-1][0]
        stick.set()
        while len(desk.encoded) == count:
            desk.show()
            time.sleep(1 / 30)
            threads.append(threading.active_count() - idle)
        pauses.append(desk.next_after(count) - last)
    stats = desk.worker.stats()
    desk.worker.close()
    pauses.sort()
    programs.show(
        request,
        f"{codec}, stuck {KILLS} times: pictures again after {median(pauses) * 1e3:.0f} ms (median), "
        f"{pauses[-1] * 1e3:.0f} ms (most); {max(threads)} threads more at most; {stats.encoders} encoders; "
        f"{dict(stats.frames.dropped)}",
    )
    assert stats.failure is None


@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_overload(codec: str, request: pytest.FixtureRequest) -> None:
    """A source twice as fast as the encoder: how old is what is shown, and do the counts add up?"""
    desk = Desk(codec, slowed(lambda: time.sleep(0.03)))
    begin, memory = time.monotonic(), []
    while time.monotonic() < begin + SECONDS:
        desk.show()
        time.sleep(1 / 60)
        memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    time.sleep(0.15)
    frames = desk.worker.stats().frames
    desk.worker.close()
    ages = [(at - pts_us / 1e6) * 1e3 for at, pts_us, _ in desk.encoded][2 : frames.delivered]
    programs.show(
        request,
        f"{codec}, source of {frames.pushed / SECONDS:.0f} frames/s, encoder of {frames.delivered / SECONDS:.0f}: "
        f"age {median(ages):.0f} ms (median), {np.percentile(ages, 95):.0f} (p95), {max(ages):.0f} (most); "
        f"{frames.pushed} = {frames.delivered} + {frames.queued} + {dict(frames.dropped)}; "
        f"memory +{(memory[-1] - memory[len(memory) // 3]) / 1024:.1f} MB",
    )
    assert frames.pushed == frames.delivered + frames.queued + sum(frames.dropped.values())


@pytest.mark.parametrize("codec", VARIANTS)
def test_after_a_still_screen(codec: str, request: pytest.FixtureRequest) -> None:
    """A key frame for a viewer who comes to a still screen, and the first frame after it: how soon?"""
    desk = Desk(codec)
    desk.show()
    desk.next_after(0)
    keys, changes = [], []
    for _ in range(3):
        time.sleep(1.3)
        for times, act in ((keys, desk.worker.request_key_frame), (changes, desk.show)):
            count, begin = len(desk.encoded), time.monotonic()
            act()
            times.append((desk.next_after(count) - begin) * 1e3)
    desk.worker.close()
    programs.show(
        request,
        f"{codec}, after a still screen: key frame {max(keys):.0f} ms, change {max(changes):.0f} ms (most of 3)",
    )
