"""A real Chromium on the viewer page: opens a device, reads the bar code of the pictures shown, and measures."""

import asyncio
import contextlib
import statistics
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

from playwright.async_api import Page, async_playwright

CHROMIUM = "/usr/bin/chromium"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Nothing here touches WebRTC: mDNS candidates and everything else are as people have them."""

PROBE = """
window.shown = [];
window.dots = [];
window.watchDot = null;
const canvas = document.createElement('canvas');
const context = canvas.getContext('2d', {willReadFrequently: true});
function look(video) {
  const now = performance.timeOrigin + performance.now();
  const width = video.videoWidth, height = video.videoHeight, rows = Math.ceil(height / 16);
  if (canvas.width !== width || canvas.height !== rows) { canvas.width = width; canvas.height = rows; }
  context.drawImage(video, 0, 0, width, rows, 0, 0, width, rows);
  const code = readBarCode(context.getImageData(0, 0, width, rows), width, height);
  if (code) window.shown.push([code.frameNumber, code.timeMs, now]);
  else window.unread = (window.unread || 0) + 1;
  if (window.watchDot) {
    const {x, y, before} = window.watchDot;
    const pixel = dotPixel(video, x, y);
    if (before === null) window.watchDot.before = pixel;
    else if (pixel[0] - Math.max(pixel[1], pixel[2]) > 100)  // red; anything else may be text that scrolls by
      window.dots.push(now), window.watchDot = null;
  }
  video.requestVideoFrameCallback(() => look(video));
}
const dotCanvas = document.createElement('canvas');
dotCanvas.width = dotCanvas.height = 1;
const dotContext = dotCanvas.getContext('2d', {willReadFrequently: true});
function dotPixel(video, x, y) {
  dotContext.drawImage(video, x * video.videoWidth, y * video.videoHeight, 1, 1, 0, 0, 1, 1);
  return Array.from(dotContext.getImageData(0, 0, 1, 1).data);
}
window.dotPixel = dotPixel;
window.beginWatching = () => {
  const video = document.querySelector('video');
  if (video.dataset.probed) return;
  video.dataset.probed = '1';
  video.requestVideoFrameCallback(() => look(video));
};
"""


class PageProbe:
    """One page of one browser."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    async def open_wall(self) -> None:
        """Load the page and put the probe into it."""
        await self.page.goto(self.url)
        await self.page.wait_for_selector("[data-device]")
        reader = files("mediacore.testing").joinpath("barcode.js").read_text()
        await self.page.evaluate(reader.replace("export function", "window.readBarCode = function") + PROBE)

    async def click_device(self, serial: str, timeout_s: float = 15.0) -> float:
        """Click a device on the wall; ms from the click to the first picture that is shown."""
        first = await self.page.evaluate(
            """async ([serial, timeout]) => {
                const entry = document.querySelector(`[data-device="${CSS.escape(serial)}"]`);
                const start = performance.now();
                const until = setTimeout(() => {}, timeout);
                entry.click();
                return await new Promise((resolve, reject) => {
                    setTimeout(() => reject(new Error('no picture; state ' + document.body.dataset.state)), timeout);
                    const wait = () => {
                        const video = document.querySelector('video');
                        if (!video) return requestAnimationFrame(wait);
                        video.requestVideoFrameCallback(now => { clearTimeout(until); resolve(now - start); });
                    };
                    wait();
                });
            }""",
            [serial, timeout_s * 1000],
        )
        await self.page.evaluate("beginWatching()")
        return float(first)

    async def frames(self) -> list[tuple[int, float, float]]:
        """(frame number, ms drawn, ms shown) of the pictures shown so far."""
        return [(int(n), drawn, shown) for n, drawn, shown in await self.page.evaluate("window.shown")]

    async def wait_for_frames(self, count: int, timeout_s: float = 20.0) -> list[tuple[int, float, float]]:
        """The pictures shown, as soon as there are ``count`` more than now."""
        await self.page.wait_for_function(
            f"window.shown.length >= {len(await self.frames()) + count}", timeout=timeout_s * 1000
        )
        return await self.frames()

    async def touch(self, x: float, y: float, timeout_s: float = 10.0) -> float:
        """Touch the picture at (x, y), 0 to 1 each; ms until the dot is seen there."""
        await self.page.evaluate(f"window.dots = []; window.watchDot = {{x: {x}, y: {y}, before: null}}")
        await self.page.wait_for_function("window.watchDot && window.watchDot.before !== null", timeout=5000)
        left, top, width, height = await self.picture()
        started = await self.page.evaluate("performance.timeOrigin + performance.now()")
        await self.page.mouse.move(left + x * width, top + y * height)
        await self.page.mouse.down()
        await self.page.wait_for_function("window.dots.length > 0", timeout=timeout_s * 1000)
        await self.page.mouse.up()
        return float(await self.page.evaluate("window.dots[0]")) - float(started)

    async def picture(self) -> tuple[float, float, float, float]:
        """Left, top, width and height of the picture inside the page, without the borders of its element."""
        return tuple(  # type: ignore[return-value]
            await self.page.evaluate(
                """() => {
                    const video = document.querySelector('video'), box = video.getBoundingClientRect();
                    const scale = Math.min(box.width / video.videoWidth, box.height / video.videoHeight);
                    const width = video.videoWidth * scale, height = video.videoHeight * scale;
                    return [box.left + (box.width - width) / 2, box.top + (box.height - height) / 2, width, height];
                }"""
            )
        )

    async def state(self) -> str:
        """The page's own word for its state."""
        return str(await self.page.evaluate("document.body.dataset.state"))

    async def wait_state(self, state: str, timeout_s: float = 15.0) -> None:
        """Waits until the page is in a state."""
        await self.page.wait_for_function(f"document.body.dataset.state === '{state}'", timeout=timeout_s * 1000)

    async def screenshot(self, path: Path) -> None:
        """Take a picture of the page."""
        await self.page.screenshot(path=path)


@contextlib.asynccontextmanager
async def probe(url: str, *, width: int = 1280, height: int = 900) -> AsyncIterator[PageProbe]:
    """A page with the probe in it, on a browser of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        try:
            context = await browser.new_context(viewport={"width": width, "height": height}, bypass_csp=True)
            page = PageProbe(await context.new_page(), url)
            await page.open_wall()
            yield page
        finally:
            await browser.close()


def percentile(values: list[float], share: float) -> float:
    """The value below which ``share`` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: list[float]) -> float:
    """The middle of the values."""
    return statistics.median(values)


async def pause(seconds: float) -> None:
    """Let pictures go by while something is measured."""
    await asyncio.sleep(seconds)
