import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mediacore.adb import server as server_module
from mediacore.adb.client import AdbClient
from mediacore.adb.server import AdbServer, find_program
from mediacore.errors import AdbNotFoundError, AdbUnavailableError
from mediacore.settings import AdbSettings


def environment(pid: int) -> dict[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def runs(pid: int) -> bool:
    """True for a process that has not ended, or whose exit code nobody took."""
    return Path(f"/proc/{pid}").exists()


def has_file(*parts: str) -> bool:
    return Path(*parts).exists()


def kill(pid: int) -> None:
    """Kill a child and wait until it is dead; somebody else takes its exit code."""
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def running_children() -> set[str]:
    """Of all threads of this process; one may end meanwhile."""
    found: set[str] = set()
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.update(Path(f"/proc/self/task/{task}/children").read_text().split())
    return found


async def test_a_private_server_keeps_its_hands_off_and_leaves_nothing(program: str) -> None:
    server = AdbServer("192.0.2.1", 5037, private=True, program=program)
    assert not await server.listens()
    await server.start()
    pid = server.pid
    assert pid is not None
    try:
        assert server.host == "127.0.0.1"
        assert server.port != 5037
        assert await server.listens()
        has = environment(pid)
        assert {has[name] for name in ("ADB_USB", "ADB_MDNS", "ADB_EMU", "ADB_MDNS_OPENSCREEN")} == {"0"}
        assert has["HOME"] != os.environ.get("HOME")
        assert has_file(has["HOME"], ".android", "adbkey")
        assert os.getsid(pid) == pid  # Ctrl-C in our terminal does not reach it
    finally:
        await server.stop()
    assert not runs(pid)
    assert not has_file(has["HOME"])
    assert server.pid is None
    assert not await server.listens()
    await server.stop()


async def test_a_killed_private_server_comes_back_on_its_port(program: str) -> None:
    server = AdbServer("127.0.0.1", 5037, private=True, program=program)
    await server.start()
    try:
        port, pid = server.port, server.pid
        assert pid is not None
        kill(pid)
        assert server.pid is None
        await server.start()
        assert server.port == port
        assert server.pid not in (None, pid)
    finally:
        await server.stop()


async def test_a_port_that_somebody_took_is_not_used(
    monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]
) -> None:
    """Between the choice of a port and adb's bind another program can take it, even another adb server."""
    other = AdbServer("127.0.0.1", 5037, private=True)
    await other.start()
    ports = [other.port, free_port()]
    monkeypatch.setattr(server_module, "_free_port", lambda: ports.pop(0))
    monkeypatch.setattr(server_module, "START_TIMEOUT_S", 5.0)
    server = AdbServer("127.0.0.1", 5037, private=True)
    try:
        await server.start()
        assert server.port != other.port
        assert await server.listens()
    finally:
        await server.stop()
        await other.stop()


async def test_a_server_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    server = AdbServer("127.0.0.1", 5037, private=True)
    await server.start()
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # a stopped process does not act on SIGTERM
    monkeypatch.setattr(server_module, "STOP_TIMEOUT_S", 0.05)
    await server.stop()
    assert not runs(pid)


@pytest.mark.parametrize("private", [True, False])
async def test_a_start_that_is_cancelled_leaves_no_process(
    script: Callable[[str], str], free_port: Callable[[], int], private: bool
) -> None:
    before = running_children()
    server = AdbServer("127.0.0.1", free_port(), private=private, program=script("exec sleep 60"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await server.start()
    assert running_children() == before


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    """Makes a program that stands in for a broken adb."""

    def make(text: str) -> str:
        path = tmp_path / "adb"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.mark.parametrize("private", [True, False])
async def test_a_program_that_fails_is_quoted(
    script: Callable[[str], str], free_port: Callable[[], int], private: bool
) -> None:
    server = AdbServer("127.0.0.1", free_port(), private=private, program=script("echo no luck today >&2; exit 1"))
    with pytest.raises(AdbUnavailableError, match="no luck today"):
        await server.start()


@pytest.mark.parametrize("private", [True, False])
async def test_a_program_that_hangs_is_given_up(
    script: Callable[[str], str], free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch, private: bool
) -> None:
    monkeypatch.setattr(server_module, "START_TIMEOUT_S", 0.05)
    monkeypatch.setattr(server_module, "PORT_ATTEMPTS", 1)
    server = AdbServer("127.0.0.1", free_port(), private=private, program=script("exec sleep 60"))
    with pytest.raises(AdbUnavailableError, match=r"0\.05 s"):
        await server.start()


@pytest.mark.parametrize("private", [True, False])
async def test_there_is_no_such_program(free_port: Callable[[], int], private: bool) -> None:
    client = AdbClient(AdbSettings(port=free_port(), private=private, program="/nowhere/adb"))
    with pytest.raises(AdbNotFoundError, match="apt install adb"):
        await client.start()


async def test_a_program_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "adb"
    path.write_bytes(b"\x7fELF")
    path.chmod(0o755)
    with pytest.raises(AdbNotFoundError, match="cannot be run"):
        await AdbServer("127.0.0.1", 5037, private=True, program=str(path)).start()


async def test_adbutils_finds_the_program(monkeypatch: pytest.MonkeyPatch, script: Callable[[str], str]) -> None:
    assert Path(await find_program()).name == "adb"
    chosen = script("exit 0")
    monkeypatch.setenv("ADBUTILS_ADB_PATH", chosen)
    assert await find_program() == chosen


async def test_adbutils_finds_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("ADBUTILS_ADB_PATH", raising=False)
    monkeypatch.setattr("adbutils._utils._get_bin_dir", lambda: str(tmp_path))
    with pytest.raises(AdbNotFoundError, match=r"adb\.program"):
        await find_program()


async def test_nothing_listens_and_none_may_be_started(free_port: Callable[[], int]) -> None:
    port = free_port()
    with pytest.raises(AdbUnavailableError, match=f"adb -P {port} start-server"):
        await AdbClient(AdbSettings(port=port, start=False)).start()


async def test_a_server_on_another_machine_cannot_be_started() -> None:
    with pytest.raises(AdbUnavailableError, match="on that machine"):
        await AdbServer("192.0.2.1", 5037).start()


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a shared server would find of the user's: it must not be this user's."""
    for name, value in {"HOME": str(tmp_path), "ANDROID_USER_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    for name in ("ADB_USB", "ADB_MDNS", "ADB_EMU", "ADB_MDNS_OPENSCREEN"):
        monkeypatch.setenv(name, "0")


@pytest.fixture
def shared_port(program: str, own_home: None, free_port: Callable[[], int]) -> Iterator[int]:
    """A port for a shared server, which is stopped at the end."""
    port = free_port()
    yield port
    subprocess.run([program, "-P", str(port), "kill-server"], check=False, capture_output=True, timeout=10)


async def test_a_shared_server_is_started_once_and_left_running(program: str, shared_port: int) -> None:
    settings = AdbSettings(port=shared_port, program=program)
    async with AdbClient(settings) as client:
        assert await client.version() == 41
        assert client.server_pid is None
        async with AdbClient(AdbSettings(port=shared_port, start=False)) as second:
            assert await second.devices() == []
    async with AdbClient(AdbSettings(port=shared_port, start=False)) as later:
        assert await later.version() == 41


async def test_a_shared_server_that_was_stopped_is_started_by_the_next_call(program: str, shared_port: int) -> None:
    async with AdbClient(AdbSettings(port=shared_port, program=program)) as client:
        stop = await asyncio.create_subprocess_exec(program, "-P", str(shared_port), "kill-server")
        assert await stop.wait() == 0
        assert await client.version() == 41


async def test_something_else_listens_there() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        async def refuse() -> None:
            peer, _ = await asyncio.to_thread(listener.accept)
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            peer.close()

        task = asyncio.create_task(refuse())
        with pytest.raises(AdbUnavailableError, match="no adb server answers"):
            await AdbClient(AdbSettings(port=port, start=False)).start()
        await task
