"""Each codec in browsers that take it: pass-through H.264 of a device is transcoded for those that do not take that."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from page_probe import CHROMIUM, QUIET
from patches import PLACES, READ, errors
from playwright.async_api import Page, async_playwright

from mediacore import AdbSettings, Engine, EngineSettings, StreamSettings
from mediacore.server.app import Server
from mediacore.server.settings import ServerSettings
from mediacore.testing import SimulatedDevice

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

AS_WITH_A_GPU = (
    *(word for word in QUIET if word != "--disable-gpu"),
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)
"""Without a GPU Chromium turns BT.709 into RGB with coefficients of 8 bits: a device's own BT.709 is up to 9 off."""
FIREFOX_S = 120.0
NAMES = {"h264": "H.264", "vp8": "VP8", "vp9": "VP9", "av1": "AV1"}
NEAR = 3.0
"""How far a colour may be off, in 256ths."""


@contextlib.asynccontextmanager
async def served(settings: StreamSettings | None = None, **device: Any) -> AsyncIterator[tuple[str, Engine]]:
    """A device behind the bundled server: the page's address, with a gap for its query, and the engine."""
    async with SimulatedDevice(**{"size": (360, 640)} | device) as phone:
        engine_settings = EngineSettings(
            adb=AdbSettings(private=True, connect=(phone.address,)), stream=settings or StreamSettings()
        )
        async with Engine(engine_settings) as engine, Server(engine, ServerSettings(port=0)) as server:
            await engine.devices.refresh()
            yield f"{server.url}/%s#{phone.address}", engine


@contextlib.asynccontextmanager
async def chromium(*arguments: str) -> AsyncIterator[Page]:
    """A page of a Chromium of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*arguments])
        try:
            page = await browser.new_page(bypass_csp=True)
            page.set_default_timeout(20_000)
            yield page
        finally:
            await browser.close()


async def firefox(urls: list[str], frames: int, folder: Path) -> list[dict[str, Any]]:
    """What Firefox sees of each page after so many pictures."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "ignore"),  # of Marionette's own, which is closed to us
        str(Path(__file__).with_name("firefox_page.py")),
        str(frames),
        str(folder),
        *urls,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(FIREFOX_S):
            output, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    seen = [json.loads(line) for line in output.decode().splitlines() if line.startswith("{")]
    assert len(seen) == len(urls), complaints.decode(errors="replace")[-2000:]
    return seen


async def open_page(page: Page, url: str, frames: int = 20) -> None:
    """Open the address and wait for some pictures."""
    await page.goto("about:blank")  # another fragment alone would load nothing
    await page.goto(url)
    await page.wait_for_selector('body[data-state="live"]')
    await page.evaluate(
        """(count) => new Promise((done) => {
            const video = document.querySelector("video");
            const presented = () => (count -= 1) > 0 ? video.requestVideoFrameCallback(presented) : done();
            video.requestVideoFrameCallback(presented);
        })""",
        frames,
    )


async def look_at_colours(page: Page, url: str, codec: str) -> list[tuple[float, tuple[int, int, int], list[float]]]:
    """How far off the colours are on the page when it gets this codec, the worst first."""
    await open_page(page, url % f"?codec={codec}")
    await page.wait_for_function(f"document.getElementById('codec').textContent === '{NAMES[codec]}'")
    return errors(await page.evaluate(READ, PLACES))


@pytest.mark.parametrize("colours", ["bt601", "bt709"])
async def test_colours_on_the_page_are_the_devices(colours: str) -> None:
    """Whatever matrix the device uses, and whatever codec the viewer gets."""
    async with served(scene="patches", colours=colours) as (url, _), chromium(*AS_WITH_A_GPU) as page:
        for codec in NAMES:
            found = await look_at_colours(page, url, codec)
            print(f"{colours} by {codec}: at most {found[0][0]:.1f} off")
            assert found[0][0] <= NEAR, (codec, found[:3])


@pytest.mark.parametrize("source", ["screencap", "screenrecord-frames"])
async def test_colours_of_raw_sources_are_the_devices(source: Any) -> None:
    settings = StreamSettings(source=source)
    async with served(settings, scene="patches") as (url, engine), chromium(*AS_WITH_A_GPU) as page:
        for codec in NAMES:
            found = await look_at_colours(page, url, codec)
            (stream,) = engine.stats().streams
            print(f"{source} ({stream.capture}) by {codec}: at most {found[0][0]:.1f} off")
            assert stream.source == source
            assert found[0][0] <= NEAR, (codec, found[:3])


COUNTED_S = 3.0


async def frames_per_second(page: Page) -> float:
    """How many pictures the page presents in some seconds."""
    count = await page.evaluate(
        """(seconds) => new Promise((done) => {
            const video = document.querySelector("video");
            let count = 0;
            const presented = () => { count += 1; video.requestVideoFrameCallback(presented); };
            video.requestVideoFrameCallback(presented);
            setTimeout(() => done(count), seconds * 1000);
        })""",
        COUNTED_S,
    )
    return float(count) / COUNTED_S


@pytest.mark.parametrize("codec", NAMES)
async def test_a_smaller_picture_and_fewer_of_them(codec: str) -> None:
    """Chosen on the page while it plays, and taken back."""
    async with served() as (url, _), chromium(*QUIET) as page:
        await open_page(page, url % f"?codec={codec}")
        await page.select_option("#size", "360")
        await page.wait_for_function("document.querySelector('video').videoHeight === 360")
        assert await page.evaluate("document.querySelector('video').videoWidth") == 202
        await page.select_option("#rate", "5")
        await page.wait_for_function("Number(document.getElementById('fps').textContent) <= 6")
        slow = await frames_per_second(page)
        await page.select_option("#rate", "")
        await page.select_option("#size", "")
        await page.wait_for_function("document.querySelector('video').videoHeight === 640")
        fast = await frames_per_second(page)
        print(f"{codec}: {slow:.1f} and {fast:.1f} fps")
        assert 2 <= slow <= 6
        assert fast >= 12
        assert await page.evaluate("document.body.dataset.state") == "live"


async def test_firefox_plays_a_device_that_gives_h264(tmp_path: Path) -> None:
    """Firefox on Linux without its plugin offers no H.264: it gets any other codec, the first of ours by itself."""
    async with served(scene="patches") as (url, engine):
        first = next(codec for codec in engine.settings.stream.transcode_codecs if codec != "h264")
        wanted = {"vp8": "?codec=vp8", "vp9": "?codec=vp9", "av1": "?codec=av1", "": ""}
        pages = await firefox([url % query for query in wanted.values()], 60, tmp_path)
        for codec, seen in zip(wanted, pages, strict=True):
            assert (seen["state"], seen["size"], seen["frames"]) == ("live", [360, 640], 60), seen
            assert seen["codec"] == NAMES[codec or first]
            rate, found = (seen["frames"] - 1) / seen["seconds"], errors(seen["colours"])
            print(
                f"Firefox plays {seen['codec']}: first picture {seen['first_ms']:.0f} ms, {rate:.1f} fps, latency "
                f"{seen['latency']} ms, colours at most {found[0][0]:.1f} off"
            )
            assert rate > 5
            assert found[0][0] <= NEAR, (codec, found[:3])
