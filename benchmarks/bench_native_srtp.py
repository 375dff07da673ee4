"""What does it cost to seal an RTP packet, next to libsrtp and to OpenSSL's EVP alone?

The measuring is in native/bench_srtp.cpp; this builds it and keeps its figures.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
PEER = "libsrtp"


def build(target: str) -> Path:
    """A native benchmark, built with the preset `bench`; its path."""
    for command in (
        ["cmake", "--preset", "bench", "--log-level=WARNING"],
        ["cmake", "--build", "--preset", "bench", "--target", target, "--", "--quiet"],
    ):
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=600)
    return ROOT / "build" / "bench" / "benchmarks" / "native" / target


@pytest.mark.timeout(900)
def test_sealing(request: pytest.FixtureRequest) -> None:
    """A packet of 1100 bytes of payload, in each profile."""
    run = subprocess.run([build("bench_srtp"), "--json"], check=True, stdout=subprocess.PIPE, text=True, timeout=300)
    reports = json.loads(run.stdout)
    assert len(reports) == 6
    RESULTS.mkdir(exist_ok=True)
    RESULTS.joinpath("native_srtp.json").write_text(json.dumps(reports, indent=2))
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print()
        for report in reports:
            print(f"{report['title']}: CPU time per {report['unit']}, ratio to mediacore")
            for name, figures in report["contestants"].items():
                print(f"  {name:28} {figures['cpu_ns']:10.1f} ns {figures['ratio_cpu']:8.2f}x")
    if PEER not in reports[0]["contestants"]:
        pytest.skip(f"no peer: {PEER} is not installed (scripts/apt-deps bench)")
