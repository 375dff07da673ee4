"""The whole product: simulated devices, the real adb server, the real program, a real Chromium."""

import asyncio
import json
import urllib.request
from pathlib import Path

import pytest
from page_probe import probe
from serving import serve

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


async def devices(url: str) -> list[dict[str, object]]:
    def get() -> list[dict[str, object]]:
        with urllib.request.urlopen(f"{url}/api/v1/devices", timeout=10) as answer:
            return list(json.load(answer)["devices"])

    return await asyncio.to_thread(get)


async def test_a_device_moves_in_the_browser_and_takes_a_touch(tmp_path: Path) -> None:
    async with serve("--simulate", "2") as served:
        listed = await devices(served.url)
        assert [device["state"] for device in listed] == ["device", "device"]
        async with probe(served.url) as page:
            first_ms = await page.click_device(str(listed[0]["serial"]))
            shown = await page.wait_for_frames(30)
            numbers = [n for n, _, _ in shown]
            assert numbers == sorted(numbers)
            assert len(set(numbers)) >= 25
            assert all(0 < at - drawn < 5000 for _, drawn, at in shown)
            assert await page.touch(0.5, 0.6) > 0
            await page.wait_state("live")
            assert page.errors == []
            print(f"first picture after {first_ms:.0f} ms, {len(shown)} pictures")


async def test_the_page_says_so_when_nothing_moves() -> None:
    async with serve("--simulate", "1", "--scene", "static") as served:
        (device,) = await devices(served.url)
        async with probe(served.url) as page:
            await page.page.click(f'[data-device="{device["serial"]}"]')
            await page.page.wait_for_selector("text=/nothing moves/i", timeout=15000)
            assert page.errors == []


async def test_a_recording_plays_without_adb(recordings) -> None:  # type: ignore[no-untyped-def]
    path = recordings("clip.h264", size=(320, 240), frames=60)
    async with serve("--play", str(path)) as served:
        (device,) = await devices(served.url)
        assert device["serial"] == "file:clip"
        async with probe(served.url) as page:
            await page.click_device("file:clip")
            assert await page.page.evaluate("document.querySelector('video').videoWidth") == 320


async def test_the_page_comes_back_when_the_server_does(recordings) -> None:  # type: ignore[no-untyped-def]
    path = recordings("clip.h264", size=(320, 240), frames=60)
    async with serve("--play", str(path)) as served:
        port = served.url.rsplit(":", 1)[1]
        async with probe(served.url) as page:
            await page.click_device("file:clip")
            await page.wait_state("live")
            served.process.terminate()
            await served.process.wait()
            await page.page.wait_for_function("document.body.dataset.state !== 'live'", timeout=15000)
            async with serve("--play", str(path), "--port", port):
                await page.wait_state("live", timeout_s=30)
