"""The plugin that lets no test disappear from CI unnoticed."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

SUITE = """
import pytest

def test_passes(): pass
def test_skips(): pytest.skip("no browser here")
@pytest.mark.skipif(True, reason="not today")
def test_is_skipped(): pass
def test_skips_for_a_good_reason(): pytest.skip("node is not installed: other tests do it")
@pytest.mark.xfail(strict=True)
def test_fails_as_known(): assert False
"""


def run(folder: Path, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *options,
            "-p",
            "no:randomly",
            "-p",
            "no:cacheprovider",
            "-c",
            "/dev/null",
            folder,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def test_only_known_reasons_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    code, output = run(tmp_path)
    assert code == 0
    code, output = run(tmp_path, "-p", "tests.ci_skips")
    assert code == 1
    assert "skipped in CI: no browser here" in output
    assert "skipped in CI: not today" in output
    assert "1 failed, 1 passed, 1 skipped, 1 xfailed" in output
    assert "1 error" in output


def test_a_skipped_module_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "test_module.py").write_text("import pytest\npytest.importorskip('no_such_module')\n")
    code, output = run(tmp_path, "-p", "tests.ci_skips")
    assert code != 0
    assert "could not import 'no_such_module'" in output
