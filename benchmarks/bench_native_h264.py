"""How fast does the C++ core find start codes and put access units together, next to what else there is in C and C++?

The measuring is in native/bench_h264.cpp; this builds it, gives it the streams and keeps its figures.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import streams
from bench_native_rtp import build

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULTS = Path(__file__).parent / "results"
PEER = "libavcodec parser"
LIMIT = "limit: AVX2 read"


def table(report: dict[str, Any]) -> Iterator[str]:
    """One race; CPU time per MB becomes MB/s."""
    contestants = report["contestants"]
    reference = next(iter(contestants))
    limit = contestants.get(LIMIT)
    yield f"{report['title']}: MB/s of CPU time, time by that of {reference}{', share of the limit' if limit else ''}"
    for name, figures in contestants.items():
        share = f"{limit['cpu_ns'] / figures['cpu_ns']:8.1%}" if limit else ""
        yield f"  {name:26} {1e9 / figures['cpu_ns']:10.0f} {figures['ratio_cpu']:8.2f}x{share}"


@pytest.mark.timeout(900)
def test_start_codes_and_access_units(request: pytest.FixtureRequest) -> None:
    """Each stream's start codes by each scanner, and its access units from chunks of four sizes; a flood of zeros."""
    cache = request.config.cache.mkdir("streams")
    files = [os.fspath(streams.stream_file(name, cache)) for name in streams.STREAMS]
    run = subprocess.run(
        [build("bench_h264"), "--json", *files], check=True, stdout=subprocess.PIPE, text=True, timeout=600
    )
    reports = json.loads(run.stdout)
    RESULTS.mkdir(exist_ok=True)
    RESULTS.joinpath("native_h264.json").write_text(json.dumps(reports, indent=2))
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        for report in reports:
            print("", *table(report), sep="\n")
    if not any(PEER in report["contestants"] for report in reports):
        pytest.skip(f"no peer: {PEER} is not installed (scripts/apt-deps bench)")
