"""How many packets a second leave one core with RTP, AES-128-GCM and UDP on loopback?

The measuring is in native/bench_saturated.cpp; this builds it and keeps its figures.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bench_native_rtp import build

RESULTS = Path(__file__).parent / "results"


@pytest.mark.timeout(900)
def test_packets(request: pytest.FixtureRequest) -> None:
    """By CPU time of the sending thread, which on loopback does the receiving kernel's work too."""
    run = subprocess.run(
        [build("bench_saturated"), "--json"], check=True, stdout=subprocess.PIPE, text=True, timeout=300
    )
    reports = json.loads(run.stdout)
    RESULTS.mkdir(exist_ok=True)
    RESULTS.joinpath("native_saturated.json").write_text(json.dumps(reports, indent=2))
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print()
        for report in reports:
            print(f"{report['title']}: CPU time per {report['unit']}, packets a second, ratio to the first")
            for name, figures in report["contestants"].items():
                print(
                    f"  {name:28} {figures['cpu_ns']:10.1f} ns {1e9 / figures['cpu_ns']:12.0f}/s "
                    f"{figures['ratio_cpu']:8.2f}x"
                )
