"""What does sending a frame to one viewer and to many cost: a call for each packet, one for all, or GSO?

The measuring is in native/bench_send.cpp; this builds it and keeps its figures.
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
    """On loopback, where GSO is never undone in software and a card has no part in it."""
    run = subprocess.run([build("bench_send"), "--json"], check=True, stdout=subprocess.PIPE, text=True, timeout=300)
    reports = json.loads(run.stdout)
    RESULTS.mkdir(exist_ok=True)
    RESULTS.joinpath("native_send.json").write_text(json.dumps(reports, indent=2))
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print()
        for report in reports:
            print(f"{report['title']}: CPU time per {report['unit']}, ratio to sendto")
            for name, figures in report["contestants"].items():
                print(f"  {name:28} {figures['cpu_ns']:10.1f} ns {figures['ratio_cpu']:8.2f}x")
