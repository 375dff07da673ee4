"""The other processes of a benchmark: started, told what to do, measured and stopped by their pid."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

HERE = Path(__file__).parent
RESULTS = HERE / "results"
READY_S = 30.0
ANSWER_S = 60.0
STOP_S = 10.0
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, OTHER_CORE = CORES[0], CORES[-1]
"""Servers have a core of their own, if there are two; what measures them runs on another."""


class Program:
    """A process that carries out orders, a line of JSON each."""

    def __init__(self, process: asyncio.subprocess.Process, ready: str) -> None:
        self._process = process
        self.ready = ready
        """The first line that it printed: its URL, or what else it is ready with."""

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu_s(self) -> float:
        """CPU time of all its threads, ended ones too, in seconds."""
        return time.clock_gettime_ns(~self._process.pid << 3 | 2) / 1e9

    async def order(self, do: str, **order: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **order}).encode() + b"\n")
        async with asyncio.timeout(ANSWER_S):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the program ended: {do}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.asynccontextmanager
async def program(name: str, *arguments: str, core: int | None, waits: bool = True) -> AsyncIterator[Program]:
    """Run `name` of this folder on one core, or on all; ends its input to stop it."""
    pinned = () if core is None else ("taskset", "-c", str(core))
    process = await asyncio.create_subprocess_exec(
        *(*pinned, sys.executable, HERE / name, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 26,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        ready = ""
        if waits:
            async with asyncio.timeout(READY_S):
                ready = (await process.stdout.readline()).decode().strip()
            if not ready:
                raise RuntimeError(f"{name} did not start")
        yield Program(process, ready)
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def viewers() -> contextlib.AbstractAsyncContextManager[Program]:
    """Light viewers, in a process of their own."""
    return program("light_viewers.py", core=OTHER_CORE, waits=False)


@contextlib.asynccontextmanager
async def devices(file: Path, fps: float, count: int) -> AsyncIterator[list[int]]:
    """Device sockets; their ports."""
    async with program("device_sockets.py", str(file), str(fps), str(count), core=OTHER_CORE) as running:
        yield json.loads(running.ready)


def ours(file: Path | None = None, ports: list[int] | None = None, *more: str) -> Any:
    """Our server."""
    return program("our_server.py", *_sources(file, ports), *more, core=SERVER_CORE)


def stock(file: Path | None = None, ports: list[int] | None = None) -> Any:
    """Stock aiortc."""
    return program("stock_server.py", *_sources(file, ports), core=SERVER_CORE)


def _sources(file: Path | None, ports: list[int] | None) -> list[str]:
    return [*(["--file", str(file)] if file else []), *(x for port in ports or [] for x in ("--device", str(port)))]


def url_of(server: Program, kind: str, number: int = 0, file: Path | None = None) -> str:
    """Where a stream is watched: of `kind` ours or stock, the file, or the device of that number."""
    if kind == "stock":
        return f"{server.ready}/{number}/whep"
    serial = f"file%3A{file.stem}" if file is not None else f"socket%3A{number}"
    return f"{server.ready}/api/v1/devices/{serial}/whep"


def show(request: pytest.FixtureRequest, *lines: str) -> None:
    """Print past pytest's capturing."""
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("", *lines, sep="\n")


def save(name: str, report: object) -> None:
    """Keep figures as JSON."""
    RESULTS.mkdir(exist_ok=True)
    RESULTS.joinpath(f"{name}.json").write_text(json.dumps(report, indent=2))
