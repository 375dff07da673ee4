"""How late are pictures that are encoded here? Any source, any codec, glass to glass in a real Chromium.

A simulated device draws a bar code with each frame; the real adb server carries it; our server captures, decodes,
encodes and sends; Chromium shows it, and the page reads the code. For each source and codec: latency, frame rate, CPU
of our process. Beside them, on the same device: the way of the service that mediacore replaces (old_way_server.py), a
process per PNG.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import Browser, Page, async_playwright

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "e2e"))
from page_probe import CHROMIUM, PROBE, QUIET, percentile

from mediacore import AdbSettings
from mediacore.adb.client import AdbClient
from mediacore.adb.server import find_program
from mediacore.testing import SimulatedDevice, SimulatedFleet
from programs import Program, program, save, show

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECONDS = float(os.environ.get("MEDIACORE_BENCH_SECONDS", "6"))
WARM_UP_S = 2.0
SIZE, FPS = (720, 1280), 30
CODECS = ("h264", "vp8", "vp9", "av1")

WATCH = """async url => {
  const video = document.createElement('video');
  video.muted = video.autoplay = video.playsInline = true;
  document.body.replaceChildren(video);
  const pc = window.pc = new RTCPeerConnection();
  pc.ontrack = event => { video.srcObject = new MediaStream([event.track]); event.receiver.jitterBufferTarget = 0; };
  pc.addTransceiver('video', {direction: 'recvonly'});
  await pc.setLocalDescription(await pc.createOffer());
  const answer = await fetch(url, {
    method: 'POST', body: pc.localDescription.sdp, headers: {'Content-Type': 'application/sdp'}});
  if (answer.status !== 201) throw new Error(answer.status + ' ' + await answer.text());
  await pc.setRemoteDescription({type: 'answer', sdp: await answer.text()});
  await new Promise(resolve => video.requestVideoFrameCallback(resolve));
  look(video);
}"""
CODEC = """async () => {
  const report = [...(await pc.getStats()).values()];
  const inbound = report.find(one => one.type === 'inbound-rtp' && one.kind === 'video');
  return report.find(one => one.id === inbound.codecId).mimeType;
}"""


@dataclass(frozen=True)
class Seen:
    """One run."""

    codec: str
    p50_ms: float
    p95_ms: float
    fps: float
    cpu: float
    """Of one core, 0 to 1 and more."""

    def row(self, name: str) -> str:
        return (
            f"  {name:34} {self.codec:11} p50 {self.p50_ms:6.1f}  p95 {self.p95_ms:6.1f} ms   "
            f"{self.fps:5.1f} fps   CPU {100 * self.cpu:5.1f} %"
        )


@contextlib.asynccontextmanager
async def adb_server(*addresses: str) -> AsyncIterator[AdbClient]:
    """A private one, connected to the devices."""
    client = AdbClient(AdbSettings(private=True, connect=addresses))
    async with client:
        await client.start()
        yield client


async def open_page(browser: Browser, url: str) -> Page:
    context = await browser.new_context(viewport={"width": 800, "height": 1300}, bypass_csp=True)
    page = await context.new_page()
    await page.goto(f"{url}/livez")  # a page of the server's origin with nothing on it
    reader = files("mediacore.testing").joinpath("barcode.js").read_text()
    await page.evaluate(reader.replace("export function", "window.readBarCode = function") + PROBE + ";0")
    return page


async def look(browser: Browser, server: Program, whep: str) -> Seen:
    """Watch for some seconds."""
    page = await open_page(browser, server.ready)
    try:
        await page.evaluate(WATCH, whep)
        await page.wait_for_timeout(1000 * WARM_UP_S)
        await page.evaluate("window.shown = []")
        cpu_s = server.cpu_s()
        await page.wait_for_timeout(1000 * SECONDS)
        cpu_s = server.cpu_s() - cpu_s
        shown = await page.evaluate("window.shown")
        latencies = [at - drawn for _, drawn, at in shown] or [float("nan")]
        return Seen(
            await page.evaluate(CODEC),
            median(latencies),
            percentile(latencies, 0.95),
            len({number for number, _, _ in shown}) / SECONDS,
            cpu_s / SECONDS,
        )
    finally:
        await page.context.close()


def whep_of(serial: str, codec: str | None = None) -> str:
    query = f"?codec={codec}" if codec else ""
    return f"/api/v1/devices/{serial.replace(':', '%3A')}/whep{query}"


def device_server(adb: AdbClient, *more: str) -> contextlib.AbstractAsyncContextManager[Program]:
    return program("device_server.py", "--adb-port", str(adb.port), *more, core=None)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield running
        await running.close()


def report(request: pytest.FixtureRequest, name: str, title: str, seen: dict[str, Seen]) -> None:
    show(request, title, *(one.row(key) for key, one in seen.items()))
    save(name, {key: vars(one) for key, one in seen.items()})


@pytest.mark.timeout(900)
@pytest.mark.parametrize("source", ["screencap", "screenrecord-frames", "screenrecord"])
async def test_glass_to_glass_for_each_codec(source: str, browser: Browser, request: pytest.FixtureRequest) -> None:
    seen: dict[str, Seen] = {}
    async with (
        SimulatedDevice(size=SIZE, fps=FPS) as device,
        adb_server(device.address) as adb,
        device_server(adb, "--source", source, "--fps", str(FPS)) as ours,
    ):
        for codec in CODECS:
            seen[f"{source}, {codec}"] = await look(browser, ours, whep_of(device.address, codec))
        capture = (await ours.order("figures"))["streams"][0]["capture"]
    report(request, f"glass_{source}", f"{source} ({capture or 'its own encoder'}), {SIZE[0]}x{SIZE[1]} at {FPS}", seen)
    for key, one in seen.items():
        assert one.codec.lower().endswith(key.rpartition(" ")[2]), f"{key} came as {one.codec}"
        assert one.fps > 0, f"{key}: no picture"


@pytest.mark.timeout(900)
async def test_the_old_way(browser: Browser, request: pytest.FixtureRequest) -> None:
    """A device whose PNG costs what a real one's does would make the old way slower still: here it is nearly free."""
    seen: dict[str, Seen] = {}
    async with SimulatedDevice(size=SIZE, fps=FPS) as device, adb_server(device.address) as adb:
        async with program(
            "old_way_server.py",
            *("--adb", await find_program(), "--adb-port", str(adb.port), "--serial", device.address),
            core=None,
        ) as old:
            seen["a process per PNG, VP8"] = await look(browser, old, "/whep")
        for source in ("screencap", "screenrecord-frames"):
            async with device_server(adb, "--source", source, "--fps", str(FPS)) as ours:
                seen[f"{source}, vp8"] = await look(browser, ours, whep_of(device.address, "vp8"))
    report(request, "old_way", "The old way, and ours, on the same device", seen)


@pytest.mark.timeout(900)
async def test_four_devices_by_screencap(browser: Browser, request: pytest.FixtureRequest) -> None:
    """Four devices at 720p, 10 frames a second each: where the time goes, by thread."""
    count, fps = 4, 10
    async with SimulatedFleet(count, size=SIZE, fps=fps) as fleet:
        addresses = [device.address for device in fleet.devices]
        async with (
            adb_server(*addresses) as adb,
            device_server(adb, "--source", "screencap", "--fps", str(fps)) as ours,
        ):
            pages = [await open_page(browser, ours.ready) for _ in addresses]
            for page, serial in zip(pages, addresses, strict=True):
                await page.evaluate(WATCH, whep_of(serial))
            await pages[0].wait_for_timeout(1000 * WARM_UP_S)
            before: dict[str, Any] = await ours.order("threads")
            for page in pages:
                await page.evaluate("window.shown = []")
            await pages[0].wait_for_timeout(1000 * SECONDS)
            after: dict[str, Any] = await ours.order("threads")
            shown = [await page.evaluate("window.shown") for page in pages]
            stats = (await ours.order("figures"))["streams"]
    used = {name: (after[name] - before.get(name, 0)) / SECONDS for name in after}
    latencies = [at - drawn for one in shown for _, drawn, at in one]
    show(
        request,
        f"{count} devices by screencap, {SIZE[0]}x{SIZE[1]} at {fps}: p50 {median(latencies):.1f}, "
        f"p95 {percentile(latencies, 0.95):.1f} ms, {len(latencies) / SECONDS / count:.1f} fps each, "
        f"CPU {100 * sum(used.values()):.0f} % of a core",
        *(f"  {name:20} {100 * share:5.1f} %" for name, share in sorted(used.items(), key=lambda one: -one[1])),
        *(f"  {one['serial']}: {one['capture']}" for one in stats),
    )
    save("four_devices", {"latencies_ms": latencies, "threads": used})
