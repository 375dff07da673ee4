"""Liveness, readiness and screenshots that are shared."""

import asyncio
import time

import pytest

from mediacore.errors import AdbUnavailableError, CaptureError, DeviceTimeoutError
from mediacore.server.health import LoopLag
from mediacore.server.screenshots import PARALLEL, Screenshots


async def test_alive_tells_the_lag_of_the_loop(site) -> None:
    async with site.request("GET", "/livez") as response:
        assert response.status == 200
        body = await response.json()
        assert body["status"] == "alive"
        assert 0 <= body["loop_lag_ms"] <= body["loop_lag_max_ms"]


async def test_a_blocked_loop_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediacore.server.health.SAMPLE_S", 0.01)
    lag = LoopLag()
    async with lag.measuring():
        await asyncio.sleep(0.02)
        time.sleep(0.2)  # noqa: ASYNC251 - blocking the loop is what is tested
        await asyncio.sleep(0.02)
    assert lag.max_s >= 0.1


async def test_a_late_loop_is_not_alive(site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediacore.server.health.MAX_LAG_S", -1)
    async with site.request("GET", "/livez") as response:
        assert response.status == 503


@pytest.mark.parametrize("path", ["/readyz", "/health"])
async def test_readiness_needs_adb_where_it_is_used(site, path: str) -> None:
    site.engine.adb_error = AdbUnavailableError("no adb server answers")
    async with site.request("GET", path) as response:
        assert response.status == 503
        assert (await response.json())["checks"] == {"engine": True, "not_draining": True, "adb": False}


async def test_readiness_of_recordings_alone_needs_no_adb(site) -> None:
    site.engine.settings.use_adb = False
    site.engine.adb_error = AdbUnavailableError("no adb server answers")
    async with site.request("GET", "/readyz") as response:
        assert response.status == 200
        assert (await response.json())["status"] == "ready"


async def test_one_capture_for_all_who_ask() -> None:
    calls: list[str] = []
    go = asyncio.Event()

    class Camera:
        async def screenshot(self, serial: str) -> tuple[bytes, str]:
            calls.append(serial)
            await go.wait()
            return b"picture", "image/png"

    screenshots = Screenshots(Camera(), 5)  # type: ignore[arg-type]
    waiting = [asyncio.create_task(screenshots.take("a")) for _ in range(5)]
    waiting[0].cancel()
    await asyncio.sleep(0)
    go.set()
    assert [await each for each in waiting[1:]] == [(b"picture", "image/png")] * 4
    assert await screenshots.take("a") == (b"picture", "image/png")
    assert calls == ["a"]
    await screenshots.close()


async def test_captures_at_one_time_are_limited() -> None:
    running = most = 0

    class Camera:
        async def screenshot(self, serial: str) -> tuple[bytes, str]:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1
            return serial.encode(), "image/png"

    screenshots = Screenshots(Camera(), 5)  # type: ignore[arg-type]
    taken = await asyncio.gather(*(screenshots.take(str(n)) for n in range(20)))
    assert [body for body, _ in taken] == [str(n).encode() for n in range(20)]
    assert most == PARALLEL
    await screenshots.close()


async def test_a_capture_has_a_deadline_and_its_failure_is_not_kept() -> None:
    class Camera:
        failing = True

        async def screenshot(self, serial: str) -> tuple[bytes, str]:
            if self.failing:
                await asyncio.Event().wait()
            return b"picture", "image/png"

    camera = Camera()
    screenshots = Screenshots(camera, 0.05)  # type: ignore[arg-type]
    with pytest.raises(DeviceTimeoutError):
        await screenshots.take("a")
    camera.failing = False
    assert (await screenshots.take("a"))[0] == b"picture"
    await screenshots.close()


async def test_screenshots_over_http(site) -> None:
    async with site.request("GET", "/api/v1/devices/file%3Ademo/screenshot?at=1") as response:
        assert response.status == 200
        assert response.content_type == "image/png"
        assert await response.read() == b"\x89PNGfile:demo"
    async with site.request("GET", "/api/v1/devices/nonesuch/screenshot") as response:
        assert response.status == 404
    site.engine.refusal = CaptureError("emulator-5554", "no picture")
    async with site.request("GET", "/api/v1/devices/emulator-5554/screenshot") as response:
        assert response.status == 502
