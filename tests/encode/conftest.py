"""Workers of the tests, closed and counted in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from encoder_bench import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator


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
