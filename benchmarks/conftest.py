"""The `race` fixture: named contestants in one run, interleaved, compared by ratio.

Absolute times depend on the machine and on who else uses it. So every round runs each contestant once, right after the
others, and what is quoted is the median over the rounds of the ratio within a round. Nothing here asserts a time.
The figures go to the terminal and, with pytest-benchmark's own, as JSON to benchmarks/results/.
"""

from __future__ import annotations

import gc
import itertools
import math
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

ROUND_NS = 20_000_000
"""A contestant runs as often per round as fits into this time; one call at least."""


def pytest_configure(config: pytest.Config) -> None:
    config.option.benchmark_storage = (Path(__file__).parent / "results").as_uri()


@dataclass(frozen=True, slots=True)
class Timing:
    """One contestant's rounds; times are nanoseconds of one call."""

    cpu_ns: tuple[float, ...]
    """CPU time of the calling thread, a value per round."""
    wall_ns: tuple[float, ...]
    """Elapsed time, a value per round."""
    calls: int
    """Calls in one round."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a race gave."""

    title: str
    """Name of the test."""
    reference: str
    """The contestant that the others are compared with."""
    unit: tuple[float, str]
    """How much one call does, and of what."""
    timings: dict[str, Timing]
    """By contestant, in the order in which they were given."""

    def ratio(self, name: str, *, clock: str = "cpu") -> float:
        """Time of `name` divided by the reference's: below 1 is faster. Median of the rounds' own ratios.

        `clock` is "cpu" (time of the calling thread: other processes disturb it least) or "wall" (for contestants that
        wait, or work in other threads).
        """
        own, reference = (getattr(self.timings[key], f"{clock}_ns") for key in (name, self.reference))
        return median(mine / max(theirs, 1) for mine, theirs in zip(own, reference, strict=True))

    def as_dict(self) -> dict[str, Any]:
        """Medians and ratios, for the JSON file."""
        return {
            "reference": self.reference,
            "unit": {"amount": self.unit[0], "name": self.unit[1]},
            "contestants": {
                name: {
                    "cpu_ns": median(timing.cpu_ns),
                    "wall_ns": median(timing.wall_ns),
                    "ratio_cpu": self.ratio(name),
                    "ratio_wall": self.ratio(name, clock="wall"),
                    "rounds": len(timing.wall_ns),
                    "calls": timing.calls,
                }
                for name, timing in self.timings.items()
            },
        }

    def lines(self) -> Iterator[str]:
        """The table for the terminal."""
        amount, what = self.unit
        width = max(map(len, self.timings))
        yield f"{self.title}: time per {what}, ratio to {self.reference}"
        for name, timing in self.timings.items():
            cpu_ns, wall_ns = median(timing.cpu_ns) / amount, median(timing.wall_ns) / amount
            yield (
                f"  {name:{width}}  cpu {_time(cpu_ns)} {self.ratio(name):7.2f}x"
                f"   wall {_time(wall_ns)} {self.ratio(name, clock='wall'):7.2f}x"
                f"   {_rate(1e9 / max(wall_ns, 1e-3))} {what}/s"
            )


class Race(Protocol):
    """The type of the fixture `race`."""

    def __call__(
        self,
        contestants: dict[str, Callable[[], object]],
        *,
        reference: str,
        rounds: int = 11,
        unit: tuple[float, str] | None = None,
    ) -> Report:
        """Runs the contestants in turns and prints a line for each.

        A contestant is called without arguments and should take some microseconds at least: put a loop into it and say
        in `unit` how much one call does, for instance ``(1000, "lookup")`` or ``(3.1, "MB")``.
        """


@pytest.fixture
def race(benchmark: BenchmarkFixture, request: pytest.FixtureRequest) -> Race:
    """Runs contestants in turns; see Race. Once per test. With --benchmark-disable every contestant runs once."""

    def run(
        contestants: dict[str, Callable[[], object]],
        *,
        reference: str,
        rounds: int = 11,
        unit: tuple[float, str] | None = None,
    ) -> Report:
        enabled = bool(benchmark.enabled)
        calls = {name: _calls_per_round(call) if enabled else 1 for name, call in contestants.items()}
        cpu_ns: dict[str, list[float]] = {name: [] for name in contestants}
        wall_ns: dict[str, list[float]] = {name: [] for name in contestants}
        turns = itertools.count()

        def take(name: str) -> None:
            cpu, wall = _time_calls(contestants[name], calls[name])
            cpu_ns[name].append(cpu / calls[name])
            wall_ns[name].append(wall / calls[name])

        def others() -> None:
            # A different one begins in each round, so that no one always runs in another's wake.
            names = [name for name in contestants if name != reference]
            begin = next(turns) % max(len(names), 1)
            for name in names[begin:] + names[:begin]:
                take(name)

        # pytest-benchmark counts the rounds and times the reference; the others run in its set-up.
        benchmark.pedantic(take, args=(reference,), setup=others, rounds=rounds, iterations=1)
        report = Report(
            title=request.node.name,
            reference=reference,
            unit=unit or (1, "call"),
            timings={name: Timing(tuple(cpu_ns[name]), tuple(wall_ns[name]), calls[name]) for name in contestants},
        )
        benchmark.extra_info.update(report.as_dict())
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print("", *report.lines(), sep="\n")
        return report

    return run


def _time_calls(call: Callable[[], object], calls: int) -> tuple[int, int]:
    """CPU time of this thread and elapsed time of `calls` calls in ns, without collections of garbage."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        wall_ns, cpu_ns = time.perf_counter_ns(), time.thread_time_ns()
        for _ in itertools.repeat(None, calls):
            call()
        return time.thread_time_ns() - cpu_ns, time.perf_counter_ns() - wall_ns
    finally:
        if collecting:
            gc.enable()


def _calls_per_round(call: Callable[[], object]) -> int:
    """How often `call` fits into a round; the first call only warms up."""
    call()
    _, one_ns = _time_calls(call, 1)
    return max(1, math.ceil(ROUND_NS / max(one_ns, 1)))


def _time(ns: float) -> str:
    for limit, divisor, name in ((1e3, 1, "ns"), (1e6, 1e3, "us"), (1e9, 1e6, "ms")):
        if ns < limit:
            return f"{ns / divisor:7.2f} {name}"
    return f"{ns / 1e9:7.2f} s "


def _rate(per_second: float) -> str:
    for limit, divisor, name in ((1e3, 1, " "), (1e6, 1e3, "k"), (1e9, 1e6, "M")):
        if per_second < limit:
            return f"{per_second / divisor:7.2f} {name}"
    return f"{per_second / 1e9:7.2f} G"
