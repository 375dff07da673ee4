"""The first signal ends in order, the second at once: in processes of their own, with real signals."""

import asyncio
import os
import signal
import subprocess
import sys
import time

from mediacore.server import stop_signals

PROGRAM = """
import asyncio, sys
from mediacore.server import stop_signals
stop_signals.SHUTDOWN_S = float(sys.argv[1])

async def work():
    print("up", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("closing", flush=True)
        await asyncio.sleep(float(sys.argv[2]))
        print("closed", flush=True)

sys.exit(stop_signals.run_until_signalled(work))
"""


def start(budget_s: float, closing_s: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(budget_s), str(closing_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def rest(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=20)
    return process.returncode, output


def test_without_a_signal_the_result_is_the_exit_code() -> None:
    async def work() -> int:
        return 3

    assert stop_signals.run_until_signalled(work) == 3


def test_a_signal_cancels_what_runs() -> None:
    closed = []

    async def work() -> int:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            closed.append("in order")
        return 3

    before = signal.getsignal(signal.SIGTERM)
    assert stop_signals.run_until_signalled(work) == 0
    assert closed == ["in order"]
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_first_signal_ends_in_order() -> None:
    process = start(10, 0.01)
    process.send_signal(signal.SIGTERM)
    assert rest(process) == (0, "closing\nclosed\n")


def test_a_signal_that_is_sent_twice_at_once_is_one() -> None:
    """``timeout`` signals its child and then the child's group: an orderly end was never possible under it."""
    process = start(10, 0.5)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "closing\n"
    process.send_signal(signal.SIGTERM)
    assert rest(process) == (0, "closed\n")


def test_the_second_signal_ends_at_once() -> None:
    process = start(60, 60)
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "closing\n"
    time.sleep(stop_signals.REPEAT_S * 1.5)  # sooner, it would be the same signal
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    code, output = rest(process)
    assert code == 130
    assert "closed" not in output
    assert time.monotonic() - began < 5


def test_an_end_that_takes_too_long_is_cut() -> None:
    process = start(0.2, 60)
    process.send_signal(signal.SIGTERM)
    code, output = rest(process)
    assert code == 130
    assert "closed" not in output
