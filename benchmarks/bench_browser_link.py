"""What does a real Chromium make of our packets, on a good link and on a bad one?

Beside stock aiortc in the same run: delay in the jitter buffer per picture, and 2 % and 5 % of random loss. Of ours
alone: three tabs on the one port, the GIL held for 8 s, and the time from a PLI to a key frame that the page has
decoded.

MEDIACORE_BENCH_LOSS_SECONDS (60) is the length of a part with loss, MEDIACORE_BENCH_SECONDS (10) that of others.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "e2e"))
from page_probe import CHROMIUM, QUIET

import encoded_publication
import programs
import streams
from mediacore.testing import EmulatedLink, LinkOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

LOSS_SECONDS = float(os.environ.get("MEDIACORE_BENCH_LOSS_SECONDS", "60"))
SECONDS = float(os.environ.get("MEDIACORE_BENCH_SECONDS", "10"))
STREAM = "screen_2Mbps_idr_500ms"
HOLD_MS = 8000
PLI_ROUNDS = 5
PLI_WAIT_S = 15.0
KEPT: dict[str, Any] = {}

PAGE = """<!doctype html><video autoplay muted playsinline width=360 height=640></video><script>
window.states = [];
window.connect = async (target) => {
  const pc = window.pc = new RTCPeerConnection();
  pc.onconnectionstatechange = () => window.states.push(pc.connectionState);
  pc.ontrack = event => { document.querySelector('video').srcObject = new MediaStream([event.track]); };
  pc.addTransceiver('video', {direction: 'recvonly'});
  await pc.setLocalDescription(await pc.createOffer());
  const url = '/connect?to=' + encodeURIComponent(target);
  const answer = await fetch(url, {method: 'POST', body: pc.localDescription.sdp});
  await pc.setRemoteDescription({type: 'answer', sdp: await answer.text()});
};
window.figures = async () => {
  for (const report of (await window.pc.getStats()).values()) if (report.type === 'inbound-rtp') return report;
  return {};
};
// From a PLI to the next key frame that was decoded, in ms, with the grain of the asking.
window.watchPli = async (timeout) => {
  const first = await figures(), begin = performance.now();
  let asked = null;
  while (performance.now() - begin < timeout) {
    const now = await figures();
    if (asked === null && now.pliCount > first.pliCount) { asked = performance.now(); await window.linkUp(); }
    if (asked !== null && now.keyFramesDecoded > first.keyFramesDecoded) return performance.now() - asked;
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  return asked === null ? -1 : -2;
};
</script>"""
COUNTS = (
    "framesDecoded",
    "framesDropped",
    "freezeCount",
    "totalFreezesDuration",
    "nackCount",
    "pliCount",
    "retransmittedPacketsReceived",
    "packetsLost",
    "packetsReceived",
    "jitterBufferDelay",
    "jitterBufferEmittedCount",
)


@pytest.fixture(scope="module", autouse=True)
def _keep() -> Iterator[None]:
    yield
    programs.save("browser_link", KEPT)


class Pages:
    """Pages of a browser, and what carries their offers to a server, over a link if there is one."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url

    async def open(self, target: str) -> Page:
        """A page of its own context that has decoded a picture of the target."""
        page = await (await self._browser.new_context()).new_page()
        await page.goto(self._url)
        await page.evaluate("target => connect(target)", target)
        await page.wait_for_function("figures().then(f => f.framesDecoded > 0)", timeout=20_000)
        return page


@contextlib.asynccontextmanager
async def pages(link: EmulatedLink | None = None) -> AsyncIterator[Pages]:
    """A browser, and the server of the page."""
    app, http = web.Application(), aiohttp.ClientSession()

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def connect(request: web.Request) -> web.Response:
        offer = await request.text()
        if link is not None:  # the server must not know a way around the link
            offer = re.sub(r"(a=candidate:\S+ \d+ udp \d+) \S+ \d+", r"\1 127.0.0.1 9", offer)
        headers = {"Content-Type": "application/sdp"}
        async with http.post(request.query["to"], data=offer, headers=headers) as answer:
            sdp = await answer.text()
        return web.Response(text=link.through(sdp) if link is not None else sdp)

    app.add_routes([web.get("/", page), web.post("/connect", connect)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
            try:
                yield Pages(browser, f"http://127.0.0.1:{runner.addresses[0][1]}")
            finally:
                await browser.close()
    finally:
        await http.close()
        await runner.cleanup()


async def watch(page: Page, seconds: float) -> dict[str, float]:
    """What the counts grew by."""
    before = await page.evaluate("figures()")
    await asyncio.sleep(seconds)
    after = await page.evaluate("figures()")
    return {name: after.get(name, 0) - before.get(name, 0) for name in COUNTS}


def jitter_buffer_ms(figures: dict[str, float]) -> float:
    return 1000 * figures["jitterBufferDelay"] / max(1, figures["jitterBufferEmittedCount"])


@pytest.mark.timeout(300)
async def test_jitter_buffer_and_three_tabs(request: pytest.FixtureRequest) -> None:
    file = streams.stream_file(STREAM, request.config.cache.mkdir("streams"))
    async with programs.ours(file) as ours, programs.stock(file) as stock, pages() as browser:
        for _ in range(2):  # in turns
            for kind, server in (("ours", ours), ("stock", stock)):
                page = await browser.open(programs.url_of(server, kind, file=file))
                await asyncio.sleep(2)
                KEPT.setdefault(f"good link, {kind}", []).append(await watch(page, SECONDS / 2))
                await page.context.close()
        tabs = [await browser.open(programs.url_of(ours, "ours", file=file)) for _ in range(3)]
        KEPT["three tabs"] = await asyncio.gather(*(watch(tab, SECONDS / 2) for tab in tabs))
    lines = [
        f"  {kind:6} jitter buffer {min(map(jitter_buffer_ms, KEPT[f'good link, {kind}'])):6.1f} to "
        f"{max(map(jitter_buffer_ms, KEPT[f'good link, {kind}'])):6.1f} ms per picture"
        for kind in ("ours", "stock")
    ]
    decoded = ", ".join(f"{tab['framesDecoded']:.0f}" for tab in KEPT["three tabs"])
    programs.show(request, *lines, f"  three tabs at once: {decoded} pictures of {SECONDS / 2 * 30:.0f}")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("loss", [0.02, 0.05])
async def test_random_loss(request: pytest.FixtureRequest, loss: float) -> None:
    file = streams.stream_file(STREAM, request.config.cache.mkdir("streams"))
    lines = []
    for kind in ("ours", "stock"):
        async with (
            getattr(programs, kind)(file) as server,
            EmulatedLink(down=LinkOptions(loss=loss, delay_ms=10), up=LinkOptions(delay_ms=10)) as link,
            pages(link) as browser,
        ):
            page = await browser.open(programs.url_of(server, kind, file=file))
            figures = await watch(page, LOSS_SECONDS)
            late_ms = sorted(link.late_ms)
        KEPT[f"loss {loss}, {kind}"] = figures
        lines.append(
            f"  {kind:6} {figures['framesDecoded']:5.0f} of {LOSS_SECONDS * 30:.0f} pictures, "
            f"{figures['freezeCount']:3.0f} freezes of {figures['totalFreezesDuration']:5.1f} s, "
            f"NACK {figures['nackCount']:4.0f}, sent again "
            f"{figures['retransmittedPacketsReceived']:4.0f}, PLI {figures['pliCount']:3.0f}, "
            f"jitter buffer {jitter_buffer_ms(figures):5.1f} ms (the link late by p99 "
            f"{late_ms[int(len(late_ms) * 0.99)]:.1f} ms)"
        )
    programs.show(request, f"{loss:.0%} of random loss for {LOSS_SECONDS:.0f} s, 20 ms round trip", *lines)


@pytest.mark.timeout(120)
async def test_held_gil(request: pytest.FixtureRequest) -> None:
    file = streams.stream_file(STREAM, request.config.cache.mkdir("streams"))
    async with programs.devices(file, 30, 1) as ports, programs.ours(ports=ports) as server, pages() as browser:
        page = await browser.open(programs.url_of(server, "ours"))
        await asyncio.sleep(2)
        await server.order("hold", burst_ms=HOLD_MS, pause_ms=0, seconds=0.01)
        await asyncio.sleep(0.3)
        figures = await watch(page, HOLD_MS / 1000 - 0.5)
        await asyncio.sleep(2)
        states = await page.evaluate("states")
    KEPT["held"] = {**figures, "states": states}
    programs.show(
        request,
        f"  GIL held for {HOLD_MS / 1000:.0f} s: {figures['framesDecoded']:.0f} pictures of "
        f"{HOLD_MS / 1000 * 30 - 15:.0f}, {figures['freezeCount']:.0f} freezes; states: {', '.join(states)}",
    )


@pytest.mark.timeout(180)
async def test_pli_to_key_frame(request: pytest.FixtureRequest) -> None:
    """The link loses everything until the page sends a PLI; from then on all passes."""
    up, down = LinkOptions(delay_ms=10), LinkOptions(loss=1.0)
    times_ms: list[float] = []
    async with (
        programs.ours(None, None, "--encode") as server,
        EmulatedLink(down=up, up=up) as link,
        pages(link) as browser,
    ):
        page = await browser.open(f"{server.ready}/api/v1/devices/publish%3A{encoded_publication.NAME}/whep")
        await page.expose_function("linkUp", lambda: setattr(link.down, "_options", up))
        for _ in range(PLI_ROUNDS):
            await asyncio.sleep(2)
            watching = asyncio.create_task(page.evaluate("timeout => watchPli(timeout)", PLI_WAIT_S * 1000))
            await asyncio.sleep(0.2)
            link.down._options = down
            times_ms.append(await watching)
            link.down._options = up
    KEPT["pli_to_key_frame_ms"] = times_ms
    programs.show(
        request,
        "  PLI to decoded key frame, 20 ms round trip, ms: " + ", ".join(f"{ms:.0f}" for ms in sorted(times_ms)),
    )
