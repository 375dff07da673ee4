"""How fast do sealed RTP packets leave one viewer's egress, next to the cipher and a copy of the payload alone?

The measuring is in native/bench_egress.cpp; this builds it and keeps its figures.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bench_native_rtp import build

RESULTS = Path(__file__).parent / "results"


@pytest.mark.timeout(900)
def test_saturated_loop(request: pytest.FixtureRequest) -> None:
    """Packets of 1200 bytes of payload with all header extensions, by SRTP profile; no sockets, no pacing."""
    run = subprocess.run([build("bench_egress"), "--json"], check=True, stdout=subprocess.PIPE, text=True, timeout=300)
    reports = json.loads(run.stdout)
    assert len(reports) == 3
    RESULTS.mkdir(exist_ok=True)
    RESULTS.joinpath("native_egress.json").write_text(json.dumps(reports, indent=2))
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print()
        for report in reports:
            print(f"{report['title']}: CPU time per {report['unit']}, ratio to mediacore")
            for name, figures in report["contestants"].items():
                rate = f"{1e9 / figures['cpu_ns']:12.0f} packets/s"
                print(f"  {name:28} {figures['cpu_ns']:10.1f} ns {figures['ratio_cpu']:8.2f}x{rate}")
