"""A pytest plugin for CI (`-p tests.ci_skips`): a test that is skipped there has failed, except for known reasons.

On somebody's own machine a skip is help: there a browser may be missing. In CI nothing may be, and a test that quietly
stops running looks just like one that passes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

ALLOWED: dict[str, str] = {
    # Pattern of the skip's reason: why that is no loss.
    r"node is not installed": "the browser tests run the same reader",
    r"only root may ask for real time": "and without root no encoder does",
    r"this machine has no other": "a sandbox without network has only loopback addresses",
}


def _judge(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if not any(re.search(pattern, reason) for pattern in ALLOWED):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {reason}\n(tests/ci_skips.py lists the reasons that are accepted)"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _judge(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _judge(report)
    return report
