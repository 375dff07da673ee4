"""Runs the fuzz targets of the preset `fuzz`: replays the saved corpus, then looks for new inputs. Says what it did.

    run.py --seconds 5               each target for 5 s; what it finds on the way is forgotten
    run.py --seconds 60 --grow       the same, going on where the last run ended (build/fuzz/grown-with-vectors)
    run.py --seconds 60 --grow --own without the public vectors, from seeds.py alone (build/fuzz/grown)
    run.py --save                    makes tests/fuzz/corpus anew from seeds.py and build/fuzz/grown

An input that breaks a target is kept in build/fuzz/findings, and the exit status is 1. Where there are public vectors
(MEDIACORE_DATA) they are inputs too, but none of them, and nothing made of them, gets into the saved corpus.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import seeds

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
BUILD = ROOT / "build" / "fuzz"
FINDINGS = BUILD / "findings"
DATA = Path(os.environ.get("MEDIACORE_DATA", ROOT.parent / "shared" / "data")) / "h264"

TARGETS = ("annexb", "sps", "access_unit", "packetize", "depacketize", "srtp", "rtcp", "stun", "demux", "png", "shots")
MOST_BYTES = 2048
"""Of an input: enough for some small pictures, and short enough for thousands of runs a second."""
LONGEST_RUN_S = 10
MOST_MEMORY_MB = 1024


@dataclass(frozen=True)
class Outcome:
    """What one target did."""

    target: str
    executions: int
    seconds: float
    log: Path
    failed: bool


def binary(target: str) -> Path:
    """The program of a target."""
    return BUILD / "tests" / "fuzz" / f"fuzz_{target}"


def environment() -> dict[str, str]:
    """With a symbolizer, so that a finding names lines of code."""
    symbolizer = shutil.which("llvm-symbolizer-19") or shutil.which("llvm-symbolizer")
    return os.environ | ({"ASAN_SYMBOLIZER_PATH": symbolizer} if symbolizer else {})


def fuzz(target: str, seconds: int, folders: list[Path]) -> Outcome:
    """Run a target on the inputs of `folders`; new ones go to the first."""
    log = BUILD / f"{target}.log"
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={MOST_BYTES}",
        f"-timeout={LONGEST_RUN_S}",
        f"-rss_limit_mb={MOST_MEMORY_MB}",
        f"-artifact_prefix={FINDINGS / target}-",
        "-print_final_stats=1",
    ]
    begin = time.monotonic()
    with log.open("w") as out:
        run = subprocess.run(
            [binary(target), *options, *folders], env=environment(), stdout=out, stderr=out, check=False
        )
    told = re.search(r"stat::number_of_executed_units:\s*(\d+)", log.read_text(errors="replace"))
    executions = int(told[1]) if told else 0
    failed = run.returncode != 0 or executions == 0
    return Outcome(target, executions, time.monotonic() - begin, log, failed)


def explain(outcome: Outcome) -> None:
    """How a finding looks and how it is repeated."""
    print(f"\n{outcome.target}: a finding. The end of {outcome.log}:", file=sys.stderr)
    print(*outcome.log.read_text(errors="replace").splitlines()[-60:], sep="\n", file=sys.stderr)
    print(f"Repeat it with: {binary(outcome.target)} <the file named above>", file=sys.stderr)


def run_all(seconds: int, *, grow: bool, own: bool) -> bool:
    """Run all targets, as many at once as there are processors. True if none has a finding."""
    FINDINGS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mediacore-fuzz-") as scratch, ThreadPoolExecutor(os.cpu_count()) as pool:

        def one(target: str) -> Outcome:
            place = Path(scratch) / target
            grown = BUILD / ("grown" if own else "grown-with-vectors") / target
            folders = [grown if grow else place / "new", CORPUS / target]
            folders[0].mkdir(parents=True, exist_ok=True)
            if own:
                folders.append(seeds.write(seeds.generated(target), place / "generated"))
            elif DATA.is_dir():
                folders.append(seeds.write(seeds.from_vectors(target, DATA), place / "vectors"))
            return fuzz(target, seconds, folders)

        outcomes = list(pool.map(one, TARGETS))
    for outcome in outcomes:
        rate = outcome.executions / max(outcome.seconds, 1)
        ending = "  FAILED" if outcome.failed else ""
        print(f"fuzz {outcome.target:12} {outcome.executions:>12,} executions {rate:>9,.0f}/s{ending}")
    print(f"fuzz {'sum':12} {sum(outcome.executions for outcome in outcomes):>12,} executions")
    for outcome in outcomes:
        if outcome.failed:
            explain(outcome)
    return not any(outcome.failed for outcome in outcomes)


def save() -> None:
    """Make the saved corpus: few files that together reach all code that seeds and grown inputs reach."""
    for target in TARGETS:
        with tempfile.TemporaryDirectory(prefix="mediacore-fuzz-") as scratch:
            made = seeds.write(seeds.generated(target), Path(scratch) / "generated")
            smallest = Path(scratch) / "smallest"
            smallest.mkdir()
            sources = [folder for folder in (made, BUILD / "grown" / target, CORPUS / target) if folder.is_dir()]
            subprocess.run(
                [binary(target), "-set_cover_merge=1", "-use_counters=0", f"-max_len={MOST_BYTES}", smallest, *sources],
                stderr=subprocess.DEVNULL,
                check=True,
            )
            shutil.rmtree(CORPUS / target, ignore_errors=True)
            shutil.copytree(smallest, CORPUS / target)
        sizes = [file.stat().st_size for file in (CORPUS / target).iterdir()]
        print(f"{target:12} {len(sizes):>4} files {sum(sizes):>7,} bytes")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5, help="for each target")
    parser.add_argument("--grow", action="store_true", help="keep new inputs")
    parser.add_argument("--own", action="store_true", help="use no public vectors")
    parser.add_argument("--save", action="store_true", help="make the saved corpus anew")
    arguments = parser.parse_args()
    if arguments.save:
        save()
        return 0
    return 0 if run_all(arguments.seconds, grow=arguments.grow, own=arguments.own) else 1


if __name__ == "__main__":
    sys.exit(main())
