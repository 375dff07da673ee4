"""What ``serve`` says and does, in this process; that of a process of its own is in test_cli."""

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from mediacore import AdbSettings, Engine, EngineSettings, demo, doctor
from mediacore.adb.client import AdbClient
from mediacore.cli import run
from mediacore.errors import DeviceTimeoutError, RecordingError
from mediacore.media import Device, DeviceState, EngineStats, QueueStats, SessionStats, StreamStats
from mediacore.server import live_line
from mediacore.server.settings import ServerSettings
from mediacore.serving import Order, fulfil, wait_for_devices
from mediacore.testing.device import SimulatedDevice
from mediacore.testing.options import DeviceOptions


class Heard(io.StringIO):
    """Takes what is said, and tells when a word was."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = asyncio.Event()

    def write(self, text: str) -> int:
        self._changed.set()
        return super().write(text)

    async def wait_for(self, word: str) -> None:
        async with asyncio.timeout(20):
            while word not in self.getvalue():
                self._changed.clear()
                await self._changed.wait()


async def ended(task: asyncio.Task[int]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def order(*recordings: Path, **changes: object) -> Order:
    engine = EngineSettings(recordings=tuple(str(path) for path in recordings), use_adb=False)
    return Order(engine=engine, server=ServerSettings(port=0), **changes)  # type: ignore[arg-type]


async def test_recordings_are_served_until_cancelled(recordings: Callable[..., Path]) -> None:
    heard = Heard()
    task = asyncio.create_task(fulfil(order(recordings("moving.h264")), Console(file=heard, width=200)))
    await heard.wait_for("1 device · 0 viewers")
    assert "Serving 1 device." in heard.getvalue()
    assert "http://127.0.0.1:" in heard.getvalue()
    await ended(task)


async def test_a_recording_that_cannot_be_read_is_told_before_the_port_opens(tmp_path: Path) -> None:
    heard = Heard()
    with pytest.raises(RecordingError):
        await fulfil(order(tmp_path / "absent.h264"), Console(file=heard, width=200))
    assert "http://" not in heard.getvalue()


@pytest.mark.e2e
async def test_a_demo_with_simulated_devices() -> None:
    heard = Heard()
    wanted = Order(EngineSettings(), ServerSettings(port=0), simulate=1, demo_seconds=1.5)
    assert await fulfil(wanted, Console(file=heard, width=200)) == 0
    assert "Starting 1 device" in heard.getvalue()
    assert "glass to glass p50" in heard.getvalue()


async def test_a_demo_of_pictures_without_bar_code_is_no_success(recordings: Callable[..., Path]) -> None:
    heard = Heard()
    assert await fulfil(order(recordings("moving.h264"), demo_seconds=0.2), Console(file=heard, width=200)) == 1
    assert "no bar code" in heard.getvalue()


@pytest.mark.e2e
async def test_a_demo_of_a_still_screen_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen on which nothing moves gives no pictures."""
    monkeypatch.setattr(demo, "FIRST_PICTURE_S", 1.0)
    heard = Heard()
    options = DeviceOptions(scene="static")
    wanted = Order(EngineSettings(), ServerSettings(port=0), simulate=1, simulated=options, demo_seconds=1)
    assert await fulfil(wanted, Console(file=heard, width=200)) == 1
    assert "saw nothing" in heard.getvalue()


async def test_a_demo_of_nothing_is_no_success() -> None:
    heard = Heard()
    assert await fulfil(order(demo_seconds=1), Console(file=heard, width=200)) == 1
    assert "No device is ready" in heard.getvalue()
    assert "adb connect" in heard.getvalue()


async def test_a_device_that_does_not_come_is_named(recordings: Callable[..., Path]) -> None:
    async with Engine(EngineSettings(recordings=(str(recordings("moving.h264")),), use_adb=False)) as engine:
        await wait_for_devices(engine, ["file:moving"], 1)
        with pytest.raises(DeviceTimeoutError, match="absent"):
            await wait_for_devices(engine, ["file:moving", "absent"], 0.05)


def test_the_live_line_tells_all_there_is() -> None:
    devices = [
        Device("a", "a", "", DeviceState.DEVICE),
        Device("b", "b", "", DeviceState.DEVICE),
        Device("c", "c", "", DeviceState.OFFLINE),
    ]
    streams = tuple(StreamStats(s, "recording", None, 1, 0, 0, 0, 0, 0, 29.6, 1e6) for s in "ab")
    sessions = tuple(
        SessionStats(str(ms), "a", "live", 1, 2, 3, QueueStats(), 0, 0, 0, None, viewer={"latency_ms": ms})
        for ms in (10.0, 21.4, 400.0)
    )
    plain = SessionStats("plain", "b", "live", 1, 2, 3, QueueStats(), 0, 0, 0, None)
    engine = SimpleNamespace(
        devices=SimpleNamespace(list=lambda: devices), stats=lambda: EngineStats(streams, (*sessions, plain), 4, 0)
    )
    assert live_line.summary(engine) == "3 devices (2 ready) · 4 viewers · 59 frames/s · latency 21 ms"  # type: ignore[arg-type]


async def test_the_live_line_is_renewed_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_line, "TERMINAL_S", 0.01)
    heard = Heard()
    console = Console(file=heard, force_terminal=True, width=80)
    async with Engine(EngineSettings(use_adb=False)) as engine:
        task = asyncio.create_task(live_line.show(engine, console))
        await heard.wait_for("0 devices · 0 viewers")
        await heard.wait_for("\x1b[2K")  # the line is erased to be written again
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.e2e
async def test_doctor_and_devices_with_an_adb_server(capsys: pytest.CaptureFixture[str]) -> None:
    async with SimulatedDevice(authorized=False) as locked, SimulatedDevice() as device:
        private = AdbSettings(private=True, connect=(device.address, locked.address))
        async with AdbClient(private) as client:
            findings = await doctor.examine(AdbSettings(port=client.port))
            assert findings[-1].health is doctor.Health.LIMITED
            assert "2 devices" in findings[-1].words
            assert f"{locked.address} is unauthorized" in findings[-1].words
            assert await asyncio.to_thread(run, ["devices", "--adb-port", str(client.port)]) == 0
            listed = capsys.readouterr().out
            assert device.address in listed
            assert "unauthorized" in listed
            await client.disconnect(locked.address)
            findings = await doctor.examine(AdbSettings(port=client.port))
            assert findings[-1].health is doctor.Health.GOOD
            await client.disconnect(device.address)
            assert await asyncio.to_thread(run, ["devices", "--adb-port", str(client.port)]) == 0
            assert "No device" in capsys.readouterr().out
