"""How fast does the C++ core make RTP packets of H.264 access units, next to libavformat's muxer?

The measuring is in native/bench_rtp.cpp; this builds it, gives it the streams and keeps its figures.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import streams

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
PEER = "libavformat rtp"


def build(target: str) -> Path:
    """A native benchmark, built with the preset `bench`; its path."""
    for command in (
        ["cmake", "--preset", "bench", "--log-level=WARNING"],
        ["cmake", "--build", "--preset", "bench", "--target", target, "--", "--quiet"],
    ):
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=600)
    return ROOT / "build" / "bench" / "benchmarks" / "native" / target


@pytest.mark.timeout(900)
def test_packets(request: pytest.FixtureRequest) -> None:
    """Whole packets, 12 bytes of header and 1200 of payload at most."""
    cache = request.config.cache.mkdir("streams")
    files = [os.fspath(streams.stream_file(name, cache)) for name in streams.STREAMS]
    run = subprocess.run(
        [build("bench_rtp"), "--json", *files], check=True, stdout=subprocess.PIPE, text=True, timeout=300
    )
    reports = json.loads(run.stdout)
    assert len(reports) == len(files)
    RESULTS.mkdir(exist_ok=True)
    RESULTS.joinpath("native_rtp.json").write_text(json.dumps(reports, indent=2))
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print()
        for report in reports:
            print(f"{report['title']}: CPU time per {report['unit']}, ratio to mediacore")
            for name, figures in report["contestants"].items():
                print(f"  {name:28} {figures['cpu_ns']:10.1f} ns {figures['ratio_cpu']:8.2f}x")
    if PEER not in reports[0]["contestants"]:
        pytest.skip(f"no peer: {PEER} is not installed (scripts/apt-deps bench)")
