"""The command line: what each command says and which code it ends with."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from mediacore import doctor
from mediacore.cli import parse_bitrate, parse_size, run
from mediacore.errors import AdbNotFoundError, DependencyMismatchError, NoLocalAddressError, SettingsError
from mediacore.server.stop_signals import REPEAT_S
from mediacore.settings import AdbSettings


@pytest.fixture
def unused_port() -> int:
    """A TCP port at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("text", "bps"), [("8M", 8_000_000), ("500k", 500_000), ("2.5M", 2_500_000), ("123456", 123456)]
)
def test_bit_rates(text: str, bps: int) -> None:
    assert parse_bitrate(text) == bps


@pytest.mark.parametrize("text", ["", "M", "8m", "8 M", "-1", "8G", "1e6", "٣M"])
def test_what_is_no_bit_rate(text: str) -> None:
    with pytest.raises(SettingsError, match="bitrate"):
        parse_bitrate(text)


def test_sizes() -> None:
    assert parse_size("720x1280") == (720, 1280)
    assert parse_size(None) is None
    for text in ("720", "720x", "axb", "720x1280x3", "-720x1280"):
        with pytest.raises(SettingsError, match="size"):
            parse_size(text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serve", "--host", "0.0.0.0"], "loopback"),
        (["serve", "--bitrate", "1k"], "bitrate"),
        (["serve", "--size", "1x1"], "size"),
        (["serve", "--size", "721x1280"], "even"),
        (["serve", "--scene", "party"], "party"),
        (["serve", "--simulate", "many"], "--simulate"),
        (["nonesuch"], "nonesuch"),
    ],
)
def test_wrong_use_is_code_2_and_says_what(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    assert said in capsys.readouterr().err


def test_help_names_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    output = capsys.readouterr().out
    for command in ("serve", "devices", "simulate", "doctor", "bench"):
        assert command in output


def test_simulate_passes_its_words_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "--help"]) == 0
    assert "--scene" in capsys.readouterr().out
    assert run(["simulate", "--size", "nosize"]) == 2


def test_bench_without_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["bench"]) == 2
    assert "no folder benchmarks" in capsys.readouterr().err


def test_bench_runs_pytest(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\npython_files = bench_*.py\n")
    (tmp_path / "bench_nothing.py").write_text("def test_nothing():\n    pass\n")
    assert run(["bench", str(tmp_path), "-q", "-p", "no:cacheprovider"]) == 0
    (tmp_path / "bench_nothing.py").write_text("def test_nothing():\n    assert False\n")
    assert run(["bench", str(tmp_path), "-q", "-p", "no:cacheprovider"]) == 1


@pytest.mark.parametrize(("missing", "words"), [("typer", []), ("rich", ["--help"]), ("aiohttp", ["serve"])])
def test_without_the_server_extra_it_says_what_to_install(missing: str, words: list[str]) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from mediacore.__main__ import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "pip install 'mediacore[server]'" in done.stderr
    assert "Traceback" not in done.stderr


async def test_doctor_finds_all_well(monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    async def found(_: str | None) -> str:
        return "/usr/bin/adb"

    monkeypatch.setattr(doctor, "find_program", found)
    findings = await doctor.examine(AdbSettings(port=unused_port))
    assert {finding.health for finding in findings} == {doctor.Health.GOOD}, findings
    assert findings[0].name == "Python"


async def test_doctor_without_adb_is_limited(monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    async def missing(_: str | None) -> str:
        raise AdbNotFoundError("there is no adb program")

    monkeypatch.setattr(doctor, "find_program", missing)
    findings = await doctor.examine(AdbSettings(port=unused_port))
    [finding] = [finding for finding in findings if finding.health is not doctor.Health.GOOD]
    assert finding.health is doctor.Health.LIMITED
    assert "only recordings" in finding.words


async def test_doctor_finds_what_is_broken(monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    def mismatch() -> None:
        raise DependencyMismatchError("other version")

    def no_address() -> list[str]:
        raise NoLocalAddressError("no address")

    monkeypatch.setattr(doctor.contract, "check", mismatch)
    monkeypatch.setattr(doctor, "host_addresses", no_address)
    monkeypatch.setattr(doctor, "NATIVE_MODULES", ("mediacore.nonesuch",))
    monkeypatch.setattr(doctor, "PYTHON", (99, 0))
    findings = await doctor.examine(AdbSettings(port=unused_port))
    broken = {finding.name for finding in findings if finding.health is doctor.Health.BROKEN}
    assert broken == {"Python", "libraries", "native modules", "addresses"}
    monkeypatch.setattr(doctor, "LIBRARIES", ("nonesuch",))
    findings = await doctor.examine(AdbSettings(port=unused_port))
    assert "nonesuch not installed" in findings[1].words


def test_doctor_prints_and_ends_with_the_worst(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], unused_port: int
) -> None:
    monkeypatch.setattr(doctor, "NATIVE_MODULES", ("mediacore.nonesuch",))
    assert run(["doctor", "--adb-port", str(unused_port)]) == 2
    output = capsys.readouterr().out
    assert "mediacore.nonesuch" in output
    assert "addresses" in output


def start(*words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "mediacore", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip().startswith("http://"):
            return line.strip()
    raise AssertionError(process.communicate())


def test_serve_plays_recordings_and_ends_on_sigterm(recordings: Callable[..., Path]) -> None:
    path = str(recordings("clip.v1.h264"))
    process = start("serve", "--port", "0", "--play", path, "--play", path)
    try:
        url = url_of(process)
        with urllib.request.urlopen(f"{url}/api/v1/devices", timeout=10) as response:
            listed = response.read().decode()
        assert '"file:clip.v1"' in listed
        assert '"file:clip.v1-2"' in listed
        with urllib.request.urlopen(f"{url}/readyz", timeout=10) as response:
            assert response.status == 200
    finally:
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert time.monotonic() - began < 10
    assert "Traceback" not in errors


def test_a_recording_that_is_none_is_told_before_the_port_opens(tmp_path: Path) -> None:
    (tmp_path / "broken.h264").write_bytes(b"this is no video at all" * 50)
    for path in (tmp_path / "absent.mp4", tmp_path / "broken.h264"):
        process = start("serve", "--port", "0", "--play", str(path))
        output, errors = process.communicate(timeout=30)
        assert process.returncode == 1
        assert path.name in errors
        assert "Traceback" not in errors
        assert "http://" not in output


def test_without_adb_it_says_so(tmp_path: Path, unused_port: int) -> None:
    """An adb server that cannot be started: the program ends with words instead of serving nothing."""
    adb = tmp_path / "adb"
    adb.write_text("#!/bin/sh\necho broken adb >&2\nexit 1\n")
    adb.chmod(0o755)
    process = start(
        "serve", "--port", "0", ADBUTILS_ADB_PATH=str(adb), PATH=str(tmp_path), ANDROID_ADB_SERVER_PORT=str(unused_port)
    )
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "adb" in errors
    assert "Traceback" not in errors
    assert "http://" not in output


@pytest.mark.e2e
def test_the_demo_shows_moving_pictures_and_ends_by_itself() -> None:
    process = start("serve", "--port", "0", "--simulate", "2", DEMO_SECONDS="2")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, output + errors
    assert "2 devices" in output
    assert "frames shown" in output
    assert "glass to glass p50" in output
    assert "Traceback" not in errors


@pytest.mark.e2e
@pytest.mark.parametrize("in_order", [True, False])
def test_no_process_is_left_behind(in_order: bool) -> None:
    """Two devices and an adb server end with the program, also when they hang and a second signal cuts that short."""
    process = start("serve", "--port", "0", "--simulate", "2")
    children: dict[int, int] = {}
    try:
        url_of(process)
        children = {pid: os.pidfd_open(pid) for pid in children_of(process.pid)}
        assert len(children) == 3
        if not in_order:
            for descriptor in children.values():
                signal.pidfd_send_signal(descriptor, signal.SIGSTOP)
    finally:
        process.send_signal(signal.SIGTERM)
        if not in_order:
            time.sleep(REPEAT_S * 1.5)  # sooner, it would be the same signal
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == (0 if in_order else 130), errors
    for descriptor in children.values():
        if not in_order:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGCONT)
        assert select.select([descriptor], [], [], 5)[0], "a child is still there"
        os.close(descriptor)


def children_of(pid: int) -> set[int]:
    """The children of all threads of a process."""
    return {int(each) for path in Path(f"/proc/{pid}/task").glob("*/children") for each in path.read_text().split()}
